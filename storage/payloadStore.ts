/**
 * Payloads in one flat folder, named by CID:
 *
 *     <cid>             the payload's bytes, as they are
 *     <cid>.nodes.car   its dag-pb nodes (about 56 KB for each GiB); absent when the payload is a single leaf
 *     <cid>.pin         an empty file: garbage collection keeps this payload
 *
 * Every read verifies every block it returns against the CID, so a bit that flips on the disk is an error and never bad
 * bytes. Writes appear whole or not at all. Memory stays at a few MiB whatever the payload's size.
 */
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseCid } from '../protocol/encoding/cid.ts';
import { type FileNodeBlock, LEAF_BYTES, UnixfsFileBuilder } from '../protocol/encoding/unixfsFile.ts';
import { AssayError } from '../protocol/errors.ts';
import { type AtomicFileSystem, openAtomicFile, TEMPORARY_SUFFIX, writeFileAtomic } from './atomicFile.ts';
import { leavesOf, type VerifiedBlock, type WantedBlock, walkFile } from './fileWalk.ts';
import { encodeNodesFile, placesIn, readNodesFile } from './nodesFile.ts';
import { inLeafPieces, joinPieces } from './pieces.ts';

const NODES = '.nodes.car';
const PIN = '.pin';
/** Half-written files older than this are of a process that no longer writes them. */
const UNFINISHED_AGE_MS = 3_600_000;

export interface PayloadStoreOptions {
  /** The largest payload to store, in bytes. Default 4 GiB. */
  readonly maxPayloadBytes?: number;
  /** The most the whole store may hold, in bytes. Default: no limit but the disk's. */
  readonly maxStoreBytes?: number;
  /** Replaced by tests that simulate a full disk. */
  readonly fileSystem?: AtomicFileSystem;
}

export interface StoredPayload {
  readonly cid: string;
  readonly bytes: number;
}

export interface PutOptions {
  /** Refuse anything but the payload of this CID; nothing is stored then. */
  readonly expectedCid?: string;
  /** The largest payload to accept, in bytes; default the store's own limit. */
  readonly maxBytes?: number;
  /** Keep it through garbage collections. Default true. */
  readonly pin?: boolean;
}

/** One part of a file, in bytes: [from, to). */
export interface ByteSpan {
  readonly from?: number;
  readonly to?: number;
}

/**
 * @example
 * const store = await openPayloadStore('nodes/hospital-a/payloads');
 * const { cid } = await store.put(new TextEncoder().encode('hello world'));
 * new TextDecoder().decode(await store.readAll(cid)); // 'hello world'
 */
export async function openPayloadStore(folder: string, options: PayloadStoreOptions = {}): Promise<PayloadStore> {
  const path = resolve(folder);
  await mkdir(path, { recursive: true });
  let usedBytes = 0;
  for (const name of await readdir(path)) {
    const info = await stat(join(path, name)).catch(() => undefined);
    if (info === undefined) continue;
    if (name.endsWith(TEMPORARY_SUFFIX) && Date.now() - info.mtimeMs > UNFINISHED_AGE_MS) {
      await rm(join(path, name), { force: true });
    } else usedBytes += info.size;
  }
  return new PayloadStore(path, usedBytes, options);
}

export class PayloadStore {
  readonly folder: string;
  readonly maxPayloadBytes: number;
  readonly #maxStoreBytes: number;
  readonly #fileSystem: AtomicFileSystem | undefined;
  #usedBytes: number;
  /** Bytes of payloads that are being written. */
  #incomingBytes = 0;
  /** Blocks inside payloads of more than one: block CID to its place. Built when a peer first asks for one. */
  readonly #inner = new Map<string, { readonly root: string; readonly fileOffset: number }>();
  readonly #indexed = new Set<string>();

  constructor(folder: string, usedBytes: number, options: PayloadStoreOptions) {
    this.folder = folder;
    this.#usedBytes = usedBytes;
    this.maxPayloadBytes = options.maxPayloadBytes ?? 4 * 2 ** 30;
    this.#maxStoreBytes = options.maxStoreBytes ?? Number.POSITIVE_INFINITY;
    this.#fileSystem = options.fileSystem;
  }

  /**
   * Stores a payload, reading it as a stream; storing it again changes nothing (and repairs damage on the disk).
   *
   * @throws AssayError `PAYLOAD_TOO_LARGE`, `STORE_FULL`, `DISK_FULL`; `CID_MISMATCH` when it is not `expectedCid`.
   * Whatever is thrown, by the source too, nothing of the payload stays behind.
   */
  async put(content: Uint8Array | AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<StoredPayload> {
    const { expectedCid, pin = true } = options;
    const maxBytes = Math.min(options.maxBytes ?? this.maxPayloadBytes, this.maxPayloadBytes);
    const nodes: FileNodeBlock[] = [];
    const builder = new UnixfsFileBuilder((node) => nodes.push(node));
    const writer = await openAtomicFile(join(this.folder, 'incoming'), this.#writeOptions());
    let bytes = 0;
    try {
      let pending: Promise<void> = Promise.resolve();
      for await (const piece of inLeafPieces(content)) {
        bytes += piece.length;
        this.#incomingBytes += piece.length;
        if (bytes > maxBytes) throw tooLarge(maxBytes, bytes);
        this.#checkRoom();
        // One write is under way while the next piece is hashed; `inLeafPieces` never reuses a buffer.
        await pending;
        pending = writer.write(piece);
        pending.catch(() => undefined); // reported by the await above or below
        builder.write(piece);
      }
      await pending;
      const { cid } = builder.finish();
      if (expectedCid !== undefined && cid !== expectedCid) throw mismatch(expectedCid, cid);
      const before = await this.#sizeOnDisk(cid);
      if (pin) await this.pin(cid);
      const nodesFile = nodes.length === 0 ? undefined : encodeNodesFile(cid, nodes);
      // The nodes first: a payload under its name is complete.
      if (nodesFile !== undefined) await writeFileAtomic(this.#path(cid) + NODES, nodesFile, this.#writeOptions());
      await writer.commit(this.#path(cid));
      this.#usedBytes += bytes + (nodesFile?.length ?? 0) - before;
      return { cid, bytes };
    } catch (error) {
      await writer.abort();
      throw error;
    } finally {
      this.#incomingBytes -= bytes;
    }
  }

  async has(cid: string): Promise<boolean> {
    return (await this.stat(cid)) !== undefined;
  }

  /** What is stored under `cid`, or undefined. Looks at the file's size only; reading verifies. */
  async stat(cid: string): Promise<StoredPayload | undefined> {
    const info = await stat(this.#path(cid)).catch(() => undefined);
    return info === undefined ? undefined : { cid, bytes: info.size };
  }

  /**
   * The payload's bytes in order, verified, in pieces of at most 1 MiB.
   *
   * @throws AssayError `PAYLOAD_MISSING`, `PAYLOAD_TOO_LARGE`, `BLOCK_MISMATCH` when the disk gives other bytes than
   * were stored.
   */
  read(cid: string, options: { readonly maxBytes?: number } = {}): AsyncGenerator<Uint8Array> {
    return leavesOf(this.blocks(cid, options));
  }

  /** The whole payload in memory, verified. @throws as `read` */
  async readAll(cid: string, options: { readonly maxBytes?: number } = {}): Promise<Uint8Array> {
    return joinPieces(this.read(cid, options));
  }

  /**
   * `length` bytes from `offset`, verified; reads the blocks that cover them and no others.
   *
   * @throws as `read`, and `PAYLOAD_RANGE` when the payload ends before.
   */
  async readRange(cid: string, offset: number, length: number): Promise<Uint8Array> {
    const result = new Uint8Array(length);
    let filled = 0;
    for await (const block of this.blocks(cid, { from: offset, to: offset + length })) {
      if (block.kind === 'node') continue;
      const part = block.bytes.subarray(
        Math.max(0, offset - block.fileOffset),
        Math.max(0, offset + length - block.fileOffset),
      );
      result.set(part, filled);
      filled += part.length;
    }
    if (filled === length) return result;
    throw new AssayError('PAYLOAD_RANGE', {
      summary: `the payload ${cid} ends before the range that was asked for`,
      expected: `${length} bytes from offset ${offset}`,
      received: `${filled} bytes`,
    });
  }

  /**
   * The payload's blocks in depth-first order, verified: what a CAR of it holds.
   * @param options.leafBuffer memory of 1 MiB that leaves are read into, each where the one before it was: for whoever
   * is done with a leaf when it asks for the next, and reads so much that fresh memory for each would be felt
   * @throws as `read`
   */
  async *blocks(
    cid: string,
    options: ByteSpan & { readonly maxBytes?: number; readonly leafBuffer?: Uint8Array } = {},
  ): AsyncGenerator<VerifiedBlock> {
    const file = await this.#openPayload(cid);
    try {
      const nodes = await this.#readNodes(cid);
      yield* walkFile(cid, (wanted) => readBlock(file, nodes, wanted, options.leafBuffer), {
        holder: `the payload store ${this.folder}`,
        maxBytes: options.maxBytes ?? Number.MAX_SAFE_INTEGER,
        ...(options.from === undefined ? {} : { from: options.from }),
        ...(options.to === undefined ? {} : { to: options.to }),
        fix: 'the file was changed or the disk is failing: delete the file and fetch the payload from a peer again',
      });
    } finally {
      await file.close();
    }
  }

  /**
   * One block, verified, of whichever payload holds it (a payload's own CID is its root block); undefined when none
   * does.
   *
   * @throws AssayError `BLOCK_MISMATCH`
   */
  async block(blockCid: string): Promise<Uint8Array | undefined> {
    const holder = (await this.has(blockCid)) ? { root: blockCid, fileOffset: 0 } : await this.#findInner(blockCid);
    if (holder === undefined) return undefined;
    const span = { from: holder.fileOffset, to: holder.fileOffset + 1 };
    for await (const block of this.blocks(holder.root, span)) if (block.cid === blockCid) return block.bytes;
    return undefined;
  }

  async pin(cid: string): Promise<void> {
    const path = this.#path(cid) + PIN;
    if ((await stat(path).catch(() => undefined)) === undefined) await writeFileAtomic(path, '', this.#writeOptions());
  }

  async unpin(cid: string): Promise<void> {
    await rm(this.#path(cid) + PIN, { force: true });
  }

  async pins(): Promise<string[]> {
    return this.#namesEnding(PIN);
  }

  /** The CIDs of all payloads, sorted. */
  async list(): Promise<string[]> {
    return (await readdir(this.folder)).filter((name) => !name.includes('.')).sort();
  }

  /** Removes every payload that is not pinned. Readers that have one open finish undisturbed. */
  async collectGarbage(): Promise<{ readonly removed: string[]; readonly freedBytes: number }> {
    const pinned = new Set(await this.pins());
    const removed: string[] = [];
    let freedBytes = 0;
    for (const cid of await this.list()) {
      if (pinned.has(cid)) continue;
      freedBytes += await this.#sizeOnDisk(cid);
      await rm(this.#path(cid), { force: true });
      await rm(this.#path(cid) + NODES, { force: true });
      removed.push(cid);
    }
    this.#usedBytes -= freedBytes;
    return { removed, freedBytes };
  }

  #path(cid: string): string {
    return join(this.folder, parseCid(cid).text); // parsed, so that no name from outside leaves the folder
  }

  #writeOptions(): { fileSystem?: AtomicFileSystem } {
    return this.#fileSystem === undefined ? {} : { fileSystem: this.#fileSystem };
  }

  #checkRoom(): void {
    if (this.#usedBytes + this.#incomingBytes <= this.#maxStoreBytes) return;
    throw new AssayError('STORE_FULL', {
      summary: `the payload store ${this.folder} has reached its limit`,
      expected: `at most ${this.#maxStoreBytes} bytes in all`,
      received: `${this.#usedBytes} bytes stored and at least ${this.#incomingBytes} more coming`,
      fix: 'raise the limit, or move the store to a larger disk',
    });
  }

  async #sizeOnDisk(cid: string): Promise<number> {
    const sizes = [this.#path(cid), this.#path(cid) + NODES].map((path) =>
      stat(path).then(
        (info) => info.size,
        () => 0,
      ),
    );
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  }

  async #namesEnding(suffix: string): Promise<string[]> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith(suffix));
    return names.map((name) => name.slice(0, -suffix.length)).sort();
  }

  async #openPayload(cid: string): Promise<FileHandle> {
    try {
      return await open(this.#path(cid), 'r');
    } catch (cause) {
      if (cause instanceof AssayError) throw cause;
      throw new AssayError('PAYLOAD_MISSING', {
        summary: `the payload ${cid} is not in the store ${this.folder}`,
        expected: 'a payload that was stored or fetched before',
        received: (cause as NodeJS.ErrnoException).code ?? String(cause),
        fix: 'fetch it from a peer first',
        cause,
      });
    }
  }

  /** The nodes as the disk gives them; the walk verifies each before it is believed. */
  async #readNodes(cid: string): Promise<Map<string, Uint8Array>> {
    return parseCid(cid).codec === 'raw' ? new Map() : readNodesFile(this.#path(cid) + NODES);
  }

  async #findInner(blockCid: string): Promise<{ root: string; fileOffset: number } | undefined> {
    const known = this.#inner.get(blockCid);
    if (known !== undefined && (await this.has(known.root))) return known;
    for (const root of await this.#namesEnding(NODES)) {
      if (this.#indexed.has(root) || !(await this.has(root))) continue;
      this.#indexed.add(root);
      try {
        for (const place of placesIn(root, await this.#readNodes(root))) {
          this.#inner.set(place.cid, { root, fileOffset: place.fileOffset });
        }
      } catch (error) {
        if (!(error instanceof AssayError)) throw error; // a damaged payload hides its blocks, not those of others
      }
    }
    const found = this.#inner.get(blockCid);
    return found !== undefined && (await this.has(found.root)) ? found : undefined;
  }
}

async function readBlock(
  file: FileHandle,
  nodes: Map<string, Uint8Array>,
  wanted: WantedBlock,
  leafBuffer: Uint8Array | undefined,
): Promise<Uint8Array> {
  if (wanted.kind === 'node') return nodes.get(wanted.cid) ?? new Uint8Array(0);
  // The root leaf's length is whatever the file has, one byte more than allowed so that a longer file does not pass.
  const length = wanted.fileBytes ?? Math.min((await file.stat()).size, LEAF_BYTES + 1);
  const fits = leafBuffer !== undefined && length <= leafBuffer.length;
  const bytes = fits ? leafBuffer.subarray(0, length) : Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, wanted.fileOffset + filled);
    if (bytesRead === 0) break; // a shortened file: the hash will say so
    filled += bytesRead;
  }
  return filled === bytes.length ? bytes : bytes.subarray(0, filled);
}

function tooLarge(maxBytes: number, received: number): AssayError {
  return new AssayError('PAYLOAD_TOO_LARGE', {
    summary: 'the payload is larger than what is accepted here',
    expected: `at most ${maxBytes} bytes`,
    received: `${received} bytes and perhaps more`,
    fix: 'check that this is the right file; if it is, raise the limit',
  });
}

function mismatch(expected: string, received: string): AssayError {
  return new AssayError('CID_MISMATCH', {
    summary: 'the bytes are not the payload of that CID',
    expected,
    received,
    fix: 'ask another source, and check that the CID was made with the profile unixfs-v1-2025',
  });
}
