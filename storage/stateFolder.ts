/**
 * The folder in which a node keeps what it must not forget: small JSON files, each written atomically and checked
 * against its schema both ways, held by one process at a time. A node that is killed at any moment finds the last
 * complete state again.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { AssayError } from '../protocol/errors.ts';
import { TEMPORARY_SUFFIX, writeFileAtomic } from './atomicFile.ts';
import { lockFolder } from './folderLock.ts';

/** A bigint in a state file: JSON has none, so decimal text there and a bigint here. */
export const bigintText = z.codec(z.string().regex(/^-?\d+$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (value) => value.toString(),
});

export interface StateFolder {
  readonly path: string;
  /** The absolute path of `name` (which may have sub-folders) inside the folder. */
  file(name: string): string;
  /**
   * The content of a JSON file, or undefined when it was never written.
   * @throws AssayError `STATE_CORRUPT` when it is not JSON or not what `schema` asks for.
   */
  readJson<T extends z.ZodType>(name: string, schema: T): Promise<z.output<T> | undefined>;
  /**
   * Replaces a JSON file; on the disk when it returns. Codecs in the schema, such as `bigintText`, are applied.
   * @throws AssayError `STATE_INVALID` when `value` is not what `schema` asks for, `DISK_FULL`, `FILE_WRITE`.
   */
  writeJson<T extends z.ZodType>(
    name: string,
    schema: T,
    value: z.output<T>,
    options?: { mode?: number },
  ): Promise<void>;
  /** Gives the folder free for another process. */
  close(): Promise<void>;
}

/**
 * Opens (and creates) the state folder of one node.
 *
 * @param owner what this process is, told to a second node that wants the same folder, e.g. `assay client`.
 * @throws AssayError `STATE_FOLDER_LOCKED` when a living process holds it; the lock of a killed one is taken over.
 * @example
 * const state = await openStateFolder('nodes/hospital-a', { owner: 'assay client' });
 * const progress = z.object({ round: z.int(), stakeWei: bigintText });
 * await state.writeJson('progress.json', progress, { round: 3, stakeWei: 10n ** 18n });
 * await state.close();
 */
export async function openStateFolder(folder: string, options: { readonly owner: string }): Promise<StateFolder> {
  const path = resolve(folder);
  const lock = await lockFolder(path, options.owner);
  await removeUnfinished(path);
  const file = (name: string): string => {
    if (name === '' || isAbsolute(name) || name.split(/[\\/]/).includes('..')) {
      throw new AssayError('STATE_NAME', {
        summary: 'a state file must be inside its folder',
        expected: 'a relative name without ..',
        received: JSON.stringify(name),
      });
    }
    return join(path, name);
  };
  return {
    path,
    file,
    readJson: (name, schema) => readJson(file(name), schema),
    writeJson: (name, schema, value, { mode } = {}) => writeJson(file(name), schema, value, mode),
    close: () => lock.release(),
  };
}

/** Removes what a crash left half-written. Lock files are spared: another process may be writing one right now. */
async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    const unfinished = name.endsWith(TEMPORARY_SUFFIX) && !basename(name).startsWith('lock.');
    if (unfinished) await rm(join(folder, name), { force: true });
  }
}

async function readJson<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw corrupt(path, error instanceof Error ? error.message : String(error), error);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw corrupt(path, `${text.length} characters that are not JSON`, cause);
  }
  const parsed = z.safeDecode(schema, json as z.input<T>);
  if (!parsed.success) throw corrupt(path, describeIssues(parsed.error), parsed.error);
  return parsed.data;
}

async function writeJson<T extends z.ZodType>(
  path: string,
  schema: T,
  value: z.output<T>,
  mode: number | undefined,
): Promise<void> {
  const encoded = z.safeEncode(schema, value);
  if (!encoded.success) {
    throw new AssayError('STATE_INVALID', {
      summary: `this value does not belong into ${path}`,
      expected: 'what its schema asks for',
      received: describeIssues(encoded.error),
      cause: encoded.error,
    });
  }
  await writeFileAtomic(path, `${JSON.stringify(encoded.data, undefined, 2)}\n`, mode === undefined ? {} : { mode });
}

/** The first problems of a failed check, with where they are: `stakes.0.wei: expected bigint`. */
function describeIssues(error: z.core.$ZodError): string {
  const lines = error.issues.slice(0, 3).map((issue) => `${issue.path.join('.') || 'the value'}: ${issue.message}`);
  return lines.join('; ') + (error.issues.length > 3 ? `; and ${error.issues.length - 3} more` : '');
}

function corrupt(path: string, received: string, cause: unknown): AssayError {
  return new AssayError('STATE_CORRUPT', {
    summary: `the state file ${path} cannot be used`,
    expected: 'the JSON that this version of Assay wrote',
    received,
    fix: 'restore the file from a backup, or move the folder away to start with an empty one (the chain keeps the stake)',
    cause,
  });
}
