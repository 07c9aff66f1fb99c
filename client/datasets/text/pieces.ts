/**
 * How text is cut before pairs of tokens are merged: no token reaches over a cut, so tokens stay parts of words. By
 * bytes, for code:
 *
 * - white space with a line break in it is one piece, the next line's indentation included;
 * - other white space is one piece, but for its last space, which belongs to what follows;
 * - letters, digits, `_` and all bytes from 128 on are one piece, with the space before them;
 * - everything else (punctuation, control bytes) is one piece, with the space before it.
 *
 * A piece ends at `MAX_PIECE_BYTES` in any case.
 */
export const MAX_PIECE_BYTES = 128;

const SPACE = 0x20;
const [PUNCTUATION, WORD, WHITE] = [0, 1, 2];
const CLASSES = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === SPACE || byte === 0x09 || byte === 0x0a || byte === 0x0d) return WHITE;
  return byte >= 128 || /\w/.test(String.fromCharCode(byte)) ? WORD : PUNCTUATION;
});

/** Calls `take` with the start and end of every piece: side by side, from the first byte to the last. */
export function cutPieces(bytes: Uint8Array, take: (start: number, end: number) => void): void {
  let start = 0;
  while (start < bytes.length) {
    const end = Math.min(endOfPiece(bytes, start), start + MAX_PIECE_BYTES);
    take(start, end);
    start = end;
  }
}

function endOfPiece(bytes: Uint8Array, start: number): number {
  if (CLASSES[bytes[start]!] !== WHITE) return endOfRun(bytes, start);
  const end = endOfRun(bytes, start);
  const breaks = bytes.subarray(start, end).some((byte) => byte === 0x0a || byte === 0x0d);
  if (breaks || end === bytes.length || bytes[end - 1] !== SPACE) return end;
  return end - start === 1 ? endOfRun(bytes, end) : end - 1;
}

/** Where the bytes of the class at `start` end. */
function endOfRun(bytes: Uint8Array, start: number): number {
  const kind = CLASSES[bytes[start]!];
  let end = start + 1;
  while (end < bytes.length && CLASSES[bytes[end]!] === kind) end++;
  return end;
}
