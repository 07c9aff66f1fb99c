/**
 * Where bytes go that arrive or are computed piece by piece: into memory while there is little of it, into a file
 * otherwise. The file loses its name as soon as it is open, so nothing is left behind however an audit ends.
 */
import { closeSync, openSync, readSync, unlinkSync, write } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { AssayError } from '../../protocol/errors.ts';
import type { FileRange } from '../../protocol/round/roundIo.ts';
import type { Payload } from './payload.ts';

/** Memory for payloads of one audit; what does not fit lies in files. */
const MEMORY_BYTES = 128 * 2 ** 20;

/** Bytes read from files, in this thread, before others have their turn: some milliseconds' worth. */
const BYTES_A_TURN = 4 * 2 ** 20;

/** Bytes in the order in which they came, to be read again in any. */
export interface Spool extends Payload {
  /** Copies `bytes` to the end; resolves to their offset. */
  append(bytes: Uint8Array): Promise<number>;
}

export interface SpoolsOptions {
  /** Folder for what does not fit into memory. Default: the system's for temporary files. */
  readonly folder?: string | undefined;
  readonly memoryBytes?: number | undefined;
}

export class Spools {
  private readonly parent: string;
  private readonly memoryBytes: number;
  private readonly open = new Set<Spool>();
  private folder: Promise<string> | null = null;
  private reserved = 0;
  private files = 0;

  constructor({ folder = tmpdir(), memoryBytes = MEMORY_BYTES }: SpoolsOptions = {}) {
    this.parent = folder;
    this.memoryBytes = memoryBytes;
  }

  /**
   * For about `expectedBytes`: room that is reserved in memory, where there is enough. It grows when more comes.
   * @throws AssayError `DISK_FULL` or `FILE_WRITE`, as writing to it may
   */
  async create(expectedBytes: number): Promise<Spool> {
    const inMemory = this.reserved + expectedBytes <= this.memoryBytes;
    if (inMemory) this.reserved += expectedBytes;
    const onRelease = (spool: Spool) => {
      if (this.open.delete(spool) && inMemory) this.reserved -= expectedBytes;
    };
    const spool = inMemory
      ? new MemorySpool(expectedBytes, onRelease)
      : new FileSpool(await this.nextPath(), onRelease);
    this.open.add(spool);
    return spool;
  }

  /** Releases everything. */
  async close(): Promise<void> {
    for (const spool of [...this.open]) await spool.release();
    const folder = await this.folder?.catch(() => null); // one that could not be made was told of before
    if (folder != null) await rm(folder, { recursive: true, force: true });
  }

  private async nextPath(): Promise<string> {
    this.folder ??= mkdtemp(join(this.parent, 'assay-audit-'));
    try {
      return join(await this.folder, String(++this.files));
    } catch (cause) {
      throw writeError(this.parent, cause);
    }
  }
}

/** Runs `task` with spools that are closed when it ends. */
export async function withSpools<T>(options: SpoolsOptions, task: (spools: Spools) => Promise<T>): Promise<T> {
  const spools = new Spools(options);
  try {
    return await task(spools);
  } finally {
    await spools.close();
  }
}

class MemorySpool implements Spool {
  length = 0;
  private bytes: Uint8Array;
  private readonly onRelease: (spool: Spool) => void;

  constructor(expectedBytes: number, onRelease: (spool: Spool) => void) {
    this.bytes = new Uint8Array(expectedBytes);
    this.onRelease = onRelease;
  }

  async append(bytes: Uint8Array): Promise<number> {
    const offset = this.length;
    if (offset + bytes.length > this.bytes.length) {
      const larger = new Uint8Array(2 * (offset + bytes.length));
      larger.set(this.bytes.subarray(0, offset));
      this.bytes = larger;
    }
    this.bytes.set(bytes, offset);
    this.length += bytes.length;
    return offset;
  }

  read(offset: number, into: Uint8Array): void {
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  async release(): Promise<void> {
    this.bytes = new Uint8Array(0);
    this.onRelease(this);
  }
}

class FileSpool implements Spool {
  length = 0;
  private file: number | null;
  private readonly path: string;
  private readonly onRelease: (spool: Spool) => void;
  private bytesThisTurn = 0;
  /** The last append, which settles after all before it. */
  private written: Promise<unknown> = Promise.resolve();

  constructor(path: string, onRelease: (spool: Spool) => void) {
    this.path = path;
    this.onRelease = onRelease;
    try {
      this.file = openSync(path, 'wx+', 0o600);
    } catch (cause) {
      throw writeError(path, cause);
    }
    try {
      unlinkSync(path);
    } catch {
      // Where an open file keeps its name it goes with its folder.
    }
  }

  get fileRange(): FileRange | null {
    return this.file === null ? null : { descriptor: this.file, byteOffset: 0 };
  }

  async append(bytes: Uint8Array): Promise<number> {
    const offset = this.length;
    this.length += bytes.length;
    const appended = this.writeAll(bytes, offset);
    this.written = Promise.allSettled([this.written, appended]);
    await appended;
    return offset;
  }

  /**
   * In this thread: the bytes are mostly in the system's cache still, and asking another thread for a few of them costs
   * more than copying them. Now and then others get their turn.
   */
  read(offset: number, into: Uint8Array): void | Promise<void> {
    for (let done = 0; done < into.length; ) {
      const read = readSync(this.file!, into, done, into.length - done, offset + done);
      if (read === 0) throw new RangeError(`${this.path} ends at ${offset + done}`);
      done += read;
    }
    this.bytesThisTurn += into.length;
    if (this.bytesThisTurn < BYTES_A_TURN) return;
    this.bytesThisTurn = 0;
    return setImmediate();
  }

  async release(): Promise<void> {
    const { file } = this;
    this.file = null;
    this.onRelease(this);
    await this.written; // a number of a file that is closed may be that of another one soon
    if (file !== null) closeSync(file);
  }

  private async writeAll(bytes: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      done += await this.write(bytes.subarray(done), offset + done);
    }
  }

  private write(bytes: Uint8Array, position: number): Promise<number> {
    const { file } = this;
    if (file === null) throw new RangeError(`${this.path} was released`);
    return new Promise((resolve, reject) => {
      write(file, bytes, 0, bytes.length, position, (cause, written) => {
        if (cause === null) resolve(written);
        else reject(writeError(this.path, cause));
      });
    });
  }
}

function writeError(path: string, cause: unknown): AssayError {
  const { code, message } = cause as { code?: string; message?: string };
  const full = code === 'ENOSPC';
  return new AssayError(full ? 'DISK_FULL' : 'FILE_WRITE', {
    summary: `could not keep a payload at ${path}`,
    received: message ?? String(cause),
    fix: full ? 'free some space, or name another folder with --work-folder' : 'name a folder with --work-folder',
    cause,
  });
}
