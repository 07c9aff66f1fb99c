/**
 * The sources of one installed package as documents: what a company's own code is to it. Only what people wrote counts:
 * minified and generated files are left out, and a text that stands there twice (bundles for two module systems) is
 * read once. The documents and their order follow from the package and the seed alone.
 */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256 } from '#sha256';
import { toHex } from '../../../protocol/encoding/bytes.ts';
import { compareBytewise } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import { deriveSeed, type SeedPart } from '../../random.ts';
import type { TextDocument } from '../text/textDataset.ts';

/** Longer ones are data or bundles. */
const MAX_FILE_BYTES = 200_000;
/** Nobody writes lines of that mean length by hand. */
const MAX_MEAN_LINE = 120;
const MIN_FILE_BYTES = 100;
/** Declarations that a compiler wrote, minified bundles. */
const GENERATED = /\.(d\.[cm]?ts|min\.[a-z]+)$/;

/**
 * One package's documents, sorted bytewise by name; a name begins with the package's: `viem/utils/abi.ts`. When they
 * are more than `limit` bytes, the seed chooses.
 *
 * @param extensions endings without their dot
 * @throws AssayError PACKAGE_MISSING, PACKAGE_EMPTY
 */
export async function readPackage(
  name: string,
  extensions: readonly string[],
  limit: number,
  seed: SeedPart,
): Promise<TextDocument[]> {
  const folder = await findPackage(name);
  const found = await readSources(folder, name, extensions);
  // In the order of a hash of seed and name: whether a file is taken depends little on the files beside it.
  const drawn = found
    .map((document) => ({ document, key: toHex(deriveSeed(seed, 'package', document.name)) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const taken: TextDocument[] = [];
  let bytes = 0;
  for (const { document } of drawn) {
    if (bytes + document.bytes.length > limit) continue;
    bytes += document.bytes.length;
    taken.push(document);
  }
  if (taken.length < 2) {
    throw new AssayError('PACKAGE_EMPTY', {
      summary: `the package ${name} has too few sources`,
      expected: `two or more readable files of ${extensions.map((ending) => `.${ending}`).join(', ')} within ${limit} bytes`,
      received: String(taken.length),
      fix: 'choose another package, other endings with ext=, or a larger limit=',
    });
  }
  return taken.sort((a, b) => compareBytewise(a.name, b.name));
}

/** The package's real folder. Looked for as Node does: in every `node_modules` from here upwards. */
async function findPackage(name: string): Promise<string> {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const modules = await realpath(join(at, 'node_modules')).catch(() => undefined);
    if (modules !== undefined) {
      const folder = await realpath(join(modules, name)).catch(() => undefined);
      // Nothing outside node_modules is read, whatever somebody linked there.
      if (folder?.startsWith(modules + sep) && (await stat(folder)).isDirectory()) return folder;
    }
    if (dirname(at) !== at) continue;
    throw new AssayError('PACKAGE_MISSING', {
      summary: `the package ${name} is not installed`,
      expected: 'a folder of that name in node_modules',
      received: 'none',
      fix: 'name a package that is there, or read a folder with text:FOLDER',
    });
  }
}

async function readSources(folder: string, name: string, extensions: readonly string[]): Promise<TextDocument[]> {
  const paths: string[] = [];
  const walk = async (at: string): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      // Links are not followed. What a package depends on is not its own text.
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      const path = join(at, entry.name);
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile() && !GENERATED.test(entry.name) && extensions.some((e) => entry.name.endsWith(`.${e}`))) {
        paths.push(path);
      }
    }
  };
  await walk(folder);
  const named = paths.map((path) => ({ path, own: `${name}/${relative(folder, path).split(sep).join('/')}` }));
  named.sort((a, b) => compareBytewise(a.own, b.own));
  const seen = new Set<string>();
  const files: TextDocument[] = [];
  for (const { path, own } of named) {
    if ((await stat(path)).size > MAX_FILE_BYTES) continue;
    const bytes = await readFile(path);
    if (!isWrittenByHand(bytes)) continue;
    const digest = toHex(sha256(bytes));
    if (seen.has(digest)) continue;
    seen.add(digest);
    files.push({ name: own, bytes });
  }
  return files;
}

function isWrittenByHand(bytes: Uint8Array): boolean {
  if (bytes.length < MIN_FILE_BYTES) return false;
  let lines = 1;
  for (const byte of bytes) {
    if (byte === 0) return false; // not text
    if (byte === 10) lines++;
  }
  return bytes.length / lines <= MAX_MEAN_LINE;
}
