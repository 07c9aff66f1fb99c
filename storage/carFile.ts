/**
 * Evidence bundles: many payloads in one CAR file, so that an audit needs no network at all. Any IPFS tool can read one
 * (`ipfs dag import bundle.car`). A block that several payloads share is stored once.
 */
import { open } from 'node:fs/promises';
import { AssayError } from '../protocol/errors.ts';
import { openAtomicFile } from './atomicFile.ts';
import { CarReader, encodeCarHeader, encodeSectionHead } from './car.ts';
import { leavesOf, walkFile } from './fileWalk.ts';
import type { PayloadStore } from './payloadStore.ts';
import { joinPieces } from './pieces.ts';
import type { FetchOptions, PayloadSource } from './sources/payloadSource.ts';

/**
 * Writes the payloads `roots` of `store` into one CAR file, in this order, each block verified on its way.
 *
 * @returns the file's size in bytes.
 * @throws AssayError what reading the store throws, `DISK_FULL`, `CAR_ROOTS` (more than some 25,000 roots). An old file
 * stays whole then.
 */
export async function writeCarFile(path: string, store: PayloadStore, roots: readonly string[]): Promise<number> {
  const distinct = [...new Set(roots)];
  const writer = await openAtomicFile(path);
  let bytes = 0;
  const write = async (piece: Uint8Array): Promise<void> => {
    bytes += piece.length;
    await writer.write(piece);
  };
  try {
    await write(encodeCarHeader(distinct));
    const written = new Set<string>();
    for (const root of distinct) {
      for await (const block of store.blocks(root)) {
        if (written.has(block.cid)) continue;
        written.add(block.cid);
        await write(encodeSectionHead(block.cid, block.bytes.length));
        await write(block.bytes);
      }
    }
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return bytes;
}

/** An open bundle: a source of its payloads. */
export interface CarFile extends PayloadSource {
  readonly path: string;
  /** The payloads in it, in the order they were written. */
  readonly roots: readonly string[];
  /** A whole payload in memory, verified. */
  readAll(cid: string, options: FetchOptions): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens a bundle by reading through its framing once; the payloads stay on the disk and are verified whenever they are
 * read.
 *
 * @throws AssayError `CAR_FILE` when it cannot be read, `CAR_INVALID`, `CAR_TRUNCATED`. `fetch` and `readAll` throw
 * `BLOCK_MISMATCH` for bytes that are not what their CID says, `BLOCK_MISSING` for what the bundle lacks.
 * @example
 * const bundle = await openCarFile('evidence.car');
 * const index = await bundle.readAll(bundle.roots[0], { maxBytes: 1_000_000 });
 * await bundle.close();
 */
export async function openCarFile(path: string): Promise<CarFile> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new AssayError('CAR_FILE', {
      summary: `the bundle ${path} cannot be opened`,
      expected: 'a CAR file, as `assay export` writes it',
      received: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  });
  const name = `bundle ${path}`;
  const places = new Map<string, { readonly offset: number; readonly bytes: number }>();
  let roots: string[];
  try {
    roots = await indexCar(file, name, places);
  } catch (error) {
    await file.close();
    throw error;
  }

  async function readBlock(cid: string): Promise<Uint8Array> {
    const place = places.get(cid);
    if (place === undefined) {
      throw new AssayError('BLOCK_MISSING', {
        summary: `the ${name} lacks a block`,
        expected: `block ${cid}`,
        received: `${places.size} other blocks`,
        fix: 'export the bundle again; this one is incomplete',
      });
    }
    const bytes = Buffer.allocUnsafeSlow(place.bytes);
    const { bytesRead } = await file.read(bytes, 0, place.bytes, place.offset);
    return bytes.subarray(0, bytesRead);
  }

  async function* fetch(cid: string, { maxBytes, signal }: FetchOptions): AsyncGenerator<Uint8Array> {
    const blocks = walkFile(cid, (wanted) => readBlock(wanted.cid), { holder: name, maxBytes });
    for await (const piece of leavesOf(blocks)) {
      signal?.throwIfAborted();
      yield piece;
    }
  }

  return {
    name,
    path,
    roots,
    fetch,
    readAll: (cid, options) => joinPieces(fetch(cid, options)),
    close: () => file.close(),
  };
}

const READ_BYTES = 1 << 16;

/**
 * Notes where each block begins, skipping over the blocks themselves; a later block of the same CID changes nothing.
 */
async function indexCar(
  file: Awaited<ReturnType<typeof open>>,
  name: string,
  places: Map<string, { offset: number; bytes: number }>,
): Promise<string[]> {
  let position = 0; // of the next byte to read from the file
  const size = (await file.stat()).size;
  const reader = new CarReader(async () => {
    const piece = Buffer.allocUnsafeSlow(Math.max(0, Math.min(READ_BYTES, size - position)));
    const { bytesRead } = piece.length === 0 ? { bytesRead: 0 } : await file.read(piece, 0, piece.length, position);
    position += bytesRead;
    return bytesRead === 0 ? undefined : piece.subarray(0, bytesRead);
  }, name);
  const roots = await reader.header();
  for (let head = await reader.sectionHead(); head !== undefined; head = await reader.sectionHead()) {
    const offset = position - reader.buffered;
    if (!places.has(head.cid)) places.set(head.cid, { offset, bytes: head.blockBytes });
    if (head.blockBytes <= reader.buffered) await reader.skip(head.blockBytes);
    else {
      await reader.skip(reader.buffered);
      position = offset + head.blockBytes; // past the rest of the block, without reading it
      if (position > size) throw truncated(name, position - size);
    }
  }
  return roots;
}

function truncated(name: string, missing: number): AssayError {
  return new AssayError('CAR_TRUNCATED', {
    summary: `the ${name} ends too early`,
    expected: `${missing} more bytes`,
    received: 'the end of the file',
    fix: 'copy or export it again: it was cut',
  });
}
