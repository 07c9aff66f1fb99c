/**
 * Files that are either the old one or the new one, never a mixture, whatever happens in between: write to a temporary
 * name in the same folder, fsync the file, rename it over the target, fsync the folder. POSIX promises that `rename`
 * replaces the target in one step, and only the two fsyncs promise that the new content is what a power cut leaves.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AssayError } from '../protocol/errors.ts';

/** The few file operations an atomic write needs; a test replaces them to simulate a full disk. */
export interface AtomicFileSystem {
  open(path: string, flags: string, mode?: number): Promise<Pick<FileHandle, 'writeFile' | 'write' | 'sync' | 'close'>>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
}

export const diskFileSystem: AtomicFileSystem = { open, rename, remove: (path) => rm(path, { force: true }) };

/** Temporary files end like this, so that whoever lists a folder can skip what a crash left behind. */
export const TEMPORARY_SUFFIX = '.partial';

export interface AtomicWriteOptions {
  /** Permission bits of the new file, e.g. 0o600 for a key. Default 0o644. */
  readonly mode?: number;
  readonly fileSystem?: AtomicFileSystem;
}

/**
 * Replaces the file at `path` with `data`, creating its folder when there is none. When it returns, the new content is
 * on the disk; when it throws, the old file is untouched and no temporary file stays behind.
 *
 * @throws AssayError `DISK_FULL` when there is no room, `FILE_WRITE` for any other failure.
 * @example
 * await writeFileAtomic('state/round-3.json', JSON.stringify({ phase: 'commit' }));
 */
export async function writeFileAtomic(
  path: string,
  data: Uint8Array | string,
  options: AtomicWriteOptions = {},
): Promise<void> {
  const writer = await openAtomicFile(path, options);
  try {
    await writer.write(typeof data === 'string' ? new TextEncoder().encode(data) : data);
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** A file that comes into being at `commit()`, for content that arrives in pieces. */
export interface AtomicFileWriter {
  /** Where the bytes are until `commit()`. */
  readonly temporaryPath: string;
  write(bytes: Uint8Array): Promise<void>;
  /** fsync, then rename to `target` (default: the path it was opened for). */
  commit(target?: string): Promise<void>;
  /** Removes the temporary file. Does nothing after `commit()`, so it may always be called in a `catch`. */
  abort(): Promise<void>;
}

/**
 * Opens a temporary file next to `path`.
 *
 * @throws AssayError `DISK_FULL`, `FILE_WRITE` (here and from the writer's methods).
 */
export async function openAtomicFile(path: string, options: AtomicWriteOptions = {}): Promise<AtomicFileWriter> {
  const fileSystem = options.fileSystem ?? diskFileSystem;
  const folder = dirname(path);
  // The random part keeps two writers of one target apart; `wx` refuses to follow a name that somebody planted.
  const temporaryPath = join(folder, `${basename(path)}.${randomBytes(6).toString('hex')}${TEMPORARY_SUFFIX}`);
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw writeError(path, error);
    }
  };
  const file = await guarded(async () => {
    await mkdir(folder, { recursive: true });
    return fileSystem.open(temporaryPath, 'wx', options.mode ?? 0o644);
  });
  let state: 'open' | 'closed' | 'committed' = 'open';
  return {
    temporaryPath,
    write: (bytes) => guarded(() => file.writeFile(bytes)),
    commit: (target = path) =>
      guarded(async () => {
        await file.sync();
        await file.close();
        state = 'closed';
        await fileSystem.rename(temporaryPath, target);
        state = 'committed';
        await syncFolder(dirname(target), fileSystem);
      }),
    abort: async () => {
      if (state === 'committed') return;
      if (state === 'open') await file.close().catch(() => undefined);
      state = 'closed';
      await fileSystem.remove(temporaryPath).catch(() => undefined);
    },
  };
}

/** Makes a rename in `folder` durable. Windows cannot open a folder, and does not need to. */
async function syncFolder(folder: string, fileSystem: AtomicFileSystem): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await fileSystem.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function writeError(path: string, cause: unknown): AssayError {
  if (cause instanceof AssayError) return cause;
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new AssayError('DISK_FULL', {
      summary: `the disk is full: ${path} was not written, and what was there before is untouched`,
      expected: 'free space for the new file beside the old one',
      received: `${code} from the operating system`,
      fix: `free some space on the disk that holds ${dirname(path)}, then run the command again: it goes on where it was`,
      cause,
    });
  }
  return new AssayError('FILE_WRITE', {
    summary: `${path} could not be written`,
    expected: 'a folder that this user may write to',
    received: cause instanceof Error ? cause.message : String(cause),
    fix: `check the path and the permissions of ${dirname(path)}`,
    cause,
  });
}
