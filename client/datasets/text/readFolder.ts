import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { sha256 } from '#sha256';
import { compareBytewise } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import type { TextDocument } from './textDataset.ts';

/** Never text of the folder's own: packages that others wrote, and what tools keep. */
const SKIPPED = /^(node_modules|\..*)$/;

/**
 * The text files below a folder, sorted bytewise by path, each content once. Links are not followed: they could lead out
 * of the folder, or round in circles.
 *
 * @param extensions endings without their dot, `['sol', 'ts']`
 * @throws AssayError DATASET_FILE when the folder cannot be read or has no such file
 */
export async function readFolder(folder: string, extensions: readonly string[]): Promise<TextDocument[]> {
  const paths: string[] = [];
  try {
    await collect(folder, extensions, paths);
  } catch (cause) {
    throw folderError(folder, 'a folder that can be read', String((cause as { code?: unknown }).code ?? cause), cause);
  }
  const files = paths
    .map((path) => ({ path, name: relative(folder, path).split(sep).join('/') }))
    .sort((a, b) => compareBytewise(a.name, b.name));
  const documents: TextDocument[] = [];
  const seen = new Set<string>();
  for (const { path, name } of files) {
    const bytes = new Uint8Array(await readFile(path));
    const content = Buffer.from(sha256(bytes)).toString('hex');
    if (bytes.length === 0 || seen.has(content)) continue;
    seen.add(content);
    documents.push({ name, bytes });
  }
  if (documents.length === 0) {
    throw folderError(folder, `files that end in ${extensions.map((ext) => `.${ext}`).join(', ')}`, 'none');
  }
  return documents;
}

async function collect(folder: string, extensions: readonly string[], paths: string[]): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (SKIPPED.test(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await collect(path, extensions, paths);
    else if (entry.isFile() && extensions.some((extension) => entry.name.endsWith(`.${extension}`))) paths.push(path);
  }
}

function folderError(folder: string, expected: string, received: string, cause?: unknown): AssayError {
  return new AssayError('DATASET_FILE', {
    summary: `no text can be taken from ${folder}`,
    expected,
    received,
    fix: 'check the path and the endings in ext=',
    cause,
  });
}
