/** Byte streams cut to size. */
import { LEAF_BYTES } from '../protocol/encoding/unixfsFile.ts';

/**
 * The same bytes in pieces of exactly 1 MiB (the last one shorter, none for no bytes). Pieces are views of the input
 * where it is long enough and fresh memory otherwise; no piece is ever written to again, so the consumer may keep it.
 */
export async function* inLeafPieces(content: Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let leaf: Uint8Array | undefined;
  let filled = 0;
  for await (const bytes of content instanceof Uint8Array ? [content] : content) {
    for (let offset = 0; offset < bytes.length; ) {
      if (filled === 0 && bytes.length - offset >= LEAF_BYTES) {
        yield bytes.subarray(offset, offset + LEAF_BYTES);
        offset += LEAF_BYTES;
        continue;
      }
      leaf ??= Buffer.allocUnsafeSlow(LEAF_BYTES);
      const part = bytes.subarray(offset, offset + LEAF_BYTES - filled);
      leaf.set(part, filled);
      filled += part.length;
      offset += part.length;
      if (filled === LEAF_BYTES) {
        yield leaf;
        leaf = undefined;
        filled = 0;
      }
    }
  }
  if (leaf !== undefined && filled > 0) yield leaf.subarray(0, filled);
}

/** All pieces in one array of its own memory. */
export async function joinPieces(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const list: Uint8Array[] = [];
  for await (const piece of pieces) list.push(piece);
  const joined = new Uint8Array(list.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of list) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
}
