/**
 * The Gram tree of protocol/commitment/gramTree.ts over the spans of a block, four SHA-256 at a time (sha256.ts).
 *
 *     row i   = H(0x13 | i64 G[i][i], ..., G[i][n-1])
 *     matrix  = H(0x12 | row 0 | ... | row n-1)
 *     leaf    = H(0x10 | matrix)
 *     node    = H(0x11 | hash L | matrix L | hash R | matrix R), its matrix the sum of theirs
 *
 * A matrix is n(n+1)/2 little-endian i64, its upper triangle; `encoded` holds the same big-endian, as the Gram payload
 * does. `work` is laid out as
 *
 *     what `hashGramRows` stages | for every matrix its preimage, or the message of a leaf or a node
 */
import { compress, finish, hashGramRows, start } from './sha256';

/** Bytes of a message of `bytes` bytes with SHA-256's padding. */
// @ts-ignore: decorator
@inline
function padded(bytes: usize): usize {
  return (bytes + 72) & ~63;
}

/** Zeros, the mark and the length behind a message. */
function pad(message: usize, bytes: usize): void {
  const end = padded(bytes);
  memory.fill(message + bytes, 0, end - bytes);
  store<u8>(message + bytes, 0x80);
  store<u64>(message + end - 8, bswap<u64>(bytes << 3));
}

// @ts-ignore: decorator
@inline
function copy32(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
}

function encode(matrices: usize, words: usize, encoded: usize): void {
  for (const end = matrices + (words << 3); matrices < end; matrices += 8, encoded += 8) {
    store<u64>(encoded, bswap<u64>(load<u64>(matrices)));
  }
}

/** Hashes `count` messages of the same padded length, `stride` bytes apart. */
function hashMessages(messages: usize, stride: usize, bytes: usize, count: i32, hashes: usize, scratch: usize): void {
  const last = count - 1;
  for (let i = 0; i < count; i += 4) {
    const m0 = messages + <usize>i * stride;
    const m1 = messages + <usize>min(i + 1, last) * stride;
    const m2 = messages + <usize>min(i + 2, last) * stride;
    const m3 = messages + <usize>min(i + 3, last) * stride;
    start(scratch);
    for (let at: usize = 0; at < bytes; at += 64) compress(m0 + at, m1 + at, m2 + at, m3 + at, scratch);
    finish(scratch, hashes, i, count);
  }
}

/** The hashes of `count` matrices, 32 bytes each. */
function hashMatrices(encoded: usize, n: usize, count: usize, hashes: usize, work: usize, scratch: usize): void {
  const stageBytes = padded(1 + (n << 3));
  const preimages = work + (stageBytes << 2);
  const bytes = 1 + (n << 5);
  const stride = padded(bytes);
  for (let i: usize = 0; i < count; i++) {
    const preimage = preimages + i * stride;
    for (let row: usize = 0; row < n; row += 4) {
      const entries = n - row;
      const rows = min<usize>(4, entries);
      hashGramRows(encoded, <i32>entries, <i32>rows, preimage + 1 + (row << 5), work, stageBytes, scratch);
      encoded += (rows * entries - ((rows * (rows - 1)) >> 1)) << 3;
    }
    store<u8>(preimage, 0x12);
    pad(preimage, bytes);
  }
  hashMessages(preimages, stride, stride, <i32>count, hashes, scratch);
}

/**
 * The tree over `count` consecutive spans, joined `levels` times in place: `count` is a multiple of 2^levels, and
 * count / 2^levels matrices, hashes and matrix hashes are left. `encoded` gets the spans' matrices, `sums` has room for
 * half as many.
 */
export function growGramTree(
  matrices: usize,
  n: usize,
  count: usize,
  levels: i32,
  encoded: usize,
  sums: usize,
  hashes: usize,
  matrixHashes: usize,
  work: usize,
  scratch: usize,
): void {
  const words = (n * (n + 1)) >> 1;
  const messages = work + (padded(1 + (n << 3)) << 2);
  encode(matrices, words * count, encoded);
  hashMatrices(encoded, n, count, matrixHashes, work, scratch);
  for (let i: usize = 0; i < count; i++) {
    const message = messages + (i << 6);
    store<u8>(message, 0x10);
    copy32(message + 1, matrixHashes + (i << 5));
    pad(message, 33);
  }
  hashMessages(messages, 64, 64, <i32>count, hashes, scratch);
  for (; levels > 0; levels--) {
    count >>= 1;
    for (let i: usize = 0; i < count; i++) {
      const message = messages + i * 192;
      store<u8>(message, 0x11);
      for (let side: usize = 0; side < 2; side++) {
        const child = (2 * i + side) << 5;
        copy32(message + 1 + (side << 6), hashes + child);
        copy32(message + 33 + (side << 6), matrixHashes + child);
      }
      pad(message, 129);
      // Sum i is written where all matrices up to 2i have been read.
      const left = matrices + ((2 * i * words) << 3);
      const sum = matrices + ((i * words) << 3);
      for (let word: usize = 0; word < words; word++) {
        store<i64>(sum + (word << 3), load<i64>(left + (word << 3)) + load<i64>(left + ((words + word) << 3)));
      }
    }
    hashMessages(messages, 192, 192, <i32>count, hashes, scratch);
    encode(matrices, words * count, sums);
    hashMatrices(sums, n, count, matrixHashes, work, scratch);
  }
}
