import { AssayError } from '../../../protocol/errors.ts';

/** Text in a folder, parsed from the command line or a config file. */
export interface TextSpec {
  readonly kind: 'text';
  readonly folder: string;
  /** Endings of the files, without their dot. */
  readonly extensions: readonly string[];
  /** Share of files held out for evaluation. */
  readonly holdOut: number;
}

export const TEXT_EXPECTED = 'text:FOLDER?ext=sol,ts with optional &holdout=0.1';

/**
 * Parses `text:FOLDER?ext=...`.
 *
 * @throws AssayError DATASET_SPEC
 *
 * @example
 * parseText('text:contracts?ext=sol&holdout=0.1');
 */
export function parseText(text: string): TextSpec {
  const match = /^text:([^?]+)(?:\?(.+))?$/.exec(text);
  if (match === null) throw specError(text, 'name a folder');
  const settings = new URLSearchParams(match[2] ?? '');
  const unknown = [...settings.keys()].find((key) => !['ext', 'holdout'].includes(key));
  if (unknown !== undefined) throw specError(text, `there is no setting ${unknown}=`);
  const extensions = (settings.get('ext') ?? 'txt').split(',').map((item) => item.trim().replace(/^\./, ''));
  if (extensions.includes('')) throw specError(text, 'ext= lists endings of files, as in ext=sol,ts');
  const holdOut = Number(settings.get('holdout') ?? '0.1');
  if (!(holdOut > 0 && holdOut < 1)) throw specError(text, 'holdout= is a share between 0 and 1');
  return { kind: 'text', folder: match[1]!, extensions, holdOut };
}

function specError(text: string, fix: string): AssayError {
  return new AssayError('DATASET_SPEC', {
    summary: 'that is not a data set of text',
    expected: TEXT_EXPECTED,
    received: JSON.stringify(text),
    fix,
  });
}
