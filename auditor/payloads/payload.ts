/**
 * A payload whose bytes were compared with its CID, read in ranges: what an audit holds of one does not grow with the
 * model. Whether the bytes lie in memory, in a file of their own or in a bundle is nobody's business but its reader's.
 */
import type { ReadChunk } from '../../protocol/dispute/trees.ts';
import type { FileRange } from '../../protocol/round/roundIo.ts';

export interface Payload {
  /** In bytes. */
  readonly length: number;
  /** Where its bytes lie in one piece in an open file, until it is released; none where they do not. */
  readonly fileRange?: FileRange | null;
  /** Fills `into` with the bytes from `offset`; both ends lie within the payload. */
  read(offset: number, into: Uint8Array): void | Promise<void>;
  /** Gives back what it holds; it is not read after that. Once more does nothing. */
  release(): Promise<void>;
}

/** Bytes that a pass over a payload looks at together: few enough for a processor's cache, many for one read. */
const WINDOW_BYTES = 2 ** 18;

/** A payload in memory, which `bytes` remains. */
export function memoryPayload(bytes: Uint8Array): Payload {
  return {
    length: bytes.length,
    read(offset, into) {
      into.set(bytes.subarray(offset, offset + into.length));
    },
    async release() {},
  };
}

/** `length` zero bytes: what stands in for a vector that nobody served. */
export function zeroPayload(length: number): Payload {
  return {
    length,
    read(_offset, into) {
      into.fill(0);
    },
    async release() {},
  };
}

/** All bytes of a payload that is known to be small. */
export async function wholePayload(payload: Payload): Promise<Uint8Array> {
  const bytes = new Uint8Array(payload.length);
  await payload.read(0, bytes);
  return bytes;
}

/**
 * The payload from its beginning, in views of one buffer that the next one overwrites; all but the last hold whole
 * pieces of `pieceBytes`.
 */
export async function* windows(
  payload: Payload,
  pieceBytes: number,
): AsyncGenerator<{ readonly offset: number; readonly bytes: Uint8Array }> {
  const size = Math.min(payload.length, Math.max(1, Math.floor(WINDOW_BYTES / pieceBytes)) * pieceBytes);
  const buffer = new Uint8Array(size);
  for (let offset = 0; offset < payload.length; offset += size) {
    const bytes = buffer.subarray(0, Math.min(size, payload.length - offset));
    await payload.read(offset, bytes);
    yield { offset, bytes };
  }
}

/**
 * The payload's chunks as builders of proofs ask for them: mostly one after the other, so a window is read at a time. A
 * chunk stays valid when others are read.
 */
export function chunksOfPayload(payload: Payload, chunkBytes: number): ReadChunk {
  const perWindow = Math.max(1, Math.floor(WINDOW_BYTES / chunkBytes));
  let first = -1;
  let window = new Uint8Array(0);
  return async (index) => {
    const own = index - (index % perWindow);
    if (own !== first) {
      const offset = own * chunkBytes;
      const bytes = new Uint8Array(Math.max(0, Math.min(perWindow * chunkBytes, payload.length - offset)));
      await payload.read(offset, bytes);
      window = bytes;
      first = own;
    }
    return window.subarray((index - own) * chunkBytes, (index - own + 1) * chunkBytes);
  };
}

/** The payload with other bytes in some of its chunks. Releasing it releases what is underneath. */
export function patchedPayload(base: Payload, chunkBytes: number, patches: ReadonlyMap<number, Uint8Array>): Payload {
  return {
    length: base.length,
    async read(offset, into) {
      await base.read(offset, into);
      for (const [chunk, bytes] of patches) {
        const start = chunk * chunkBytes - offset;
        const from = Math.max(0, -start);
        const to = Math.min(chunkBytes, into.length - start);
        if (from < to) into.set(bytes.subarray(from, to), start + from);
      }
    },
    release: () => base.release(),
  };
}
