import { LEAF_BYTES } from '../protocol/encoding/unixfsFile.ts';
import { AssayError } from '../protocol/errors.ts';
import type { ReadRange } from '../protocol/round/roundIo.ts';
import type { PayloadStore } from '../storage/payloadStore.ts';

/** Ascending ranges of one stored payload, verified block by block as they are read. Holds one block of 1 MiB. */
export interface PayloadRange {
  readonly read: ReadRange;
  /** Lets the payload's file go. */
  close(): Promise<void>;
}

/**
 * Going back opens the payload again: what a second pass does.
 *
 * `read` throws what `PayloadStore.read` does, and `PAYLOAD_LENGTH` when the payload ends within a range.
 */
export function payloadRange(store: PayloadStore, cid: string): PayloadRange {
  const leafBuffer = new Uint8Array(LEAF_BYTES);
  let pieces: AsyncGenerator<Uint8Array> | undefined;
  let piece: Uint8Array = new Uint8Array(0);
  let position = 0;

  async function read(byteOffset: number, into: Uint8Array): Promise<void> {
    if (pieces === undefined || byteOffset !== position) {
      await close();
      pieces = fromOffset(store, cid, byteOffset, leafBuffer);
      position = byteOffset;
    }
    for (let filled = 0; filled < into.length; ) {
      if (piece.length === 0) {
        const { value, done } = await pieces.next();
        if (done === true) throw tooShort(cid, byteOffset + into.length, position);
        piece = value;
      }
      const part = piece.subarray(0, into.length - filled);
      into.set(part, filled);
      piece = piece.subarray(part.length);
      filled += part.length;
      position += part.length;
    }
  }

  async function close(): Promise<void> {
    await pieces?.return(undefined);
    pieces = undefined;
    piece = new Uint8Array(0);
  }

  return {
    close,
    read(byteOffset, into) {
      if (byteOffset !== position || into.length > piece.length) return read(byteOffset, into);
      into.set(piece.subarray(0, into.length)); // most ranges lie in a block that is here
      piece = piece.subarray(into.length);
      position += into.length;
      return undefined;
    },
  };
}

async function* fromOffset(
  store: PayloadStore,
  cid: string,
  from: number,
  leafBuffer: Uint8Array,
): AsyncGenerator<Uint8Array> {
  for await (const { kind, fileOffset, bytes } of store.blocks(cid, { from, leafBuffer })) {
    if (kind === 'leaf') yield bytes.subarray(Math.max(0, from - fileOffset));
  }
}

function tooShort(cid: string, expected: number, received: number): AssayError {
  return new AssayError('PAYLOAD_LENGTH', {
    summary: `the payload ${cid} ends in the middle of a chunk`,
    expected: `at least ${expected} bytes`,
    received: `${received} bytes`,
  });
}
