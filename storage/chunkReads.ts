/**
 * Pieces of a payload by their index. Neighbours come from one block: a walk over all chunks reads and verifies every
 * block once, and holds one.
 */
import { LEAF_BYTES } from '../protocol/encoding/unixfsFile.ts';
import type { PayloadStore } from './payloadStore.ts';

/** Reads piece `index` of `pieceBytes` bytes: a copy, the caller's to keep. @throws as `PayloadStore.readRange` */
export function chunkReads(
  store: PayloadStore,
  cid: string,
  pieceBytes: number,
): (index: number) => Promise<Uint8Array> {
  let block: { readonly offset: number; readonly bytes: Uint8Array } | undefined;
  return async (index) => {
    const from = index * pieceBytes;
    const offset = from - (from % LEAF_BYTES);
    // A piece that lies in two blocks is rare: only those of a Gram matrix do.
    if (from + pieceBytes > offset + LEAF_BYTES) return store.readRange(cid, from, pieceBytes);
    if (block?.offset !== offset) {
      const total = (await store.stat(cid))?.bytes ?? 0;
      const length = Math.max(0, Math.min(LEAF_BYTES, total - offset));
      block = { offset, bytes: await store.readRange(cid, offset, length) };
    }
    if (from - offset + pieceBytes > block.bytes.length) return store.readRange(cid, from, pieceBytes); // it says why not
    return block.bytes.slice(from - offset, from - offset + pieceBytes);
  };
}
