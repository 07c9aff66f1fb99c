/**
 * The name of a corpus of installed packages: `package:viem?ext=ts&limit=400000`, or several at once,
 * `package:viem:ts,mocha:js`, which is the union of what each would be alone.
 */
import { AssayError } from '../../../protocol/errors.ts';

export interface PackageSpec {
  readonly kind: 'package';
  /** Installed packages, each once, in the order given, with the endings (without the dot) of the files to be read. */
  readonly packages: readonly { readonly name: string; readonly extensions: readonly string[] }[];
  /** Most bytes that are taken of one package, held-out files included. */
  readonly limit: number;
  /** Share of the files held out for evaluation. */
  readonly holdOut: number;
}

const DEFAULT_EXTENSIONS = 'sol,ts,js';
const DEFAULT_LIMIT = 2_000_000;
const DEFAULT_HOLD_OUT = '0.1';
const SETTINGS = ['ext', 'limit', 'holdout'];
export const PACKAGE_EXPECTED =
  'package:NAME or package:NAME:EXT,NAME:EXT with optional ?ext=sol,ts,js &limit=BYTES &holdout=0.1';
/** What npm allows, so that no name leads out of node_modules. */
const NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
const EXTENSION = /^[a-z0-9]+$/;

/**
 * Parses `package:...`.
 *
 * @throws AssayError DATASET_SPEC
 *
 * @example
 * parsePackages('package:@openzeppelin/contracts?ext=sol&limit=400000');
 */
export function parsePackages(text: string): PackageSpec {
  const [list = '', query = ''] = text.replace(/^package:/, '').split('?', 2);
  const wrong = (fix: string) =>
    new AssayError('DATASET_SPEC', {
      summary: 'that is not a corpus of installed packages',
      expected: PACKAGE_EXPECTED,
      received: JSON.stringify(text),
      fix,
    });
  const settings = new URLSearchParams(query);
  const unknown = [...settings.keys()].find((key) => !SETTINGS.includes(key));
  if (unknown !== undefined) throw wrong(`there is no setting ${unknown}=`);
  const extensions = (settings.get('ext') ?? DEFAULT_EXTENSIONS).split(',').map((ending) => ending.trim());
  const packages = list.split(',').map((item) => {
    const [name = '', own] = item.trim().split(':', 2);
    return { name, extensions: own === undefined ? extensions : [own] };
  });
  const bad = packages.find(({ name }) => !NAME.test(name));
  if (bad !== undefined) throw wrong(`${JSON.stringify(bad.name)} is no name of a package`);
  if (new Set(packages.map(({ name }) => name)).size < packages.length) throw wrong('name each package once');
  if (!packages.every((each) => each.extensions.every((ending) => EXTENSION.test(ending)))) {
    throw wrong('endings are letters and digits, as in ext=sol,ts,js');
  }
  const limit = Number(settings.get('limit') ?? DEFAULT_LIMIT);
  if (!Number.isSafeInteger(limit) || limit < 1) throw wrong('limit= is a number of bytes');
  const holdOut = Number(settings.get('holdout') ?? DEFAULT_HOLD_OUT);
  if (!(holdOut > 0 && holdOut < 1)) throw wrong('holdout= is a share between 0 and 1');
  return { kind: 'package', packages, limit, holdOut };
}
