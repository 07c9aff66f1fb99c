/**
 * SHA-256 (FIPS 180-4) of four messages at once, one in each 32-bit lane. All leaves of a tree have the same length, and
 * so have all nodes: the four lanes never wait for each other. WebAssembly cannot reach the processor's own SHA
 * instructions; this is the fastest that vectors of 16 bytes allow, and it has no cost per call, which is what makes
 * one-shot hashing of half a kilobyte slow in Node.
 *
 *     update leaf  H(0x00 | u64 sum | bytes)        sum = sum of squares of the int16 coordinates in the bytes
 *     update node  H(0x01 | hL | u64 sL | hR | u64 sR)
 *     model leaf   H(0x02 | bytes)
 *     model node   H(0x03 | hL | hR)
 *     Gram row     H(0x13 | i64 ... i64)
 *
 * `scratch` (HASH_SCRATCH_BYTES of protocol/kernels/sha256.ts) begins with the 64 round constants, which the caller
 * writes once; the rest is overwritten by every call:
 *
 *     0 constants | 256 initial state | 320 state of 4 lanes | 448 message words of 4 lanes | 704 4 staged messages
 */
const INITIAL: usize = 256;
const STATE: usize = 320;
const WORDS: usize = 448;
const STAGE: usize = 704;
/** A staged message: two blocks, and room for the vector store that runs over the end of a block. */
const STAGE_BYTES: usize = 144;

/**
 * Hashes `count` consecutive leaves of `leafBytes` bytes (32, or a multiple of 64) of an update. Writes 32 bytes each
 * to `hashes` and a little-endian u64 sum of squares each to `sums`.
 */
export function hashUpdateLeaves(
  data: usize, leafBytes: usize, count: i32, hashes: usize, sums: usize, scratch: usize,
): void {
  for (let i = 0; i < count; i++) {
    store<u64>(sums + (<usize>i << 3), sumOfSquares(data + <usize>i * leafBytes, leafBytes));
  }
  for (let i = 0; i < count; i += 4) {
    const l0 = data + <usize>i * leafBytes;
    const l1 = data + <usize>min(i + 1, count - 1) * leafBytes;
    const l2 = data + <usize>min(i + 2, count - 1) * leafBytes;
    const l3 = data + <usize>min(i + 3, count - 1) * leafBytes;
    start(scratch);
    if (leafBytes < 64) {
      stageShortUpdateLeaf(stage(scratch, 0), l0, load<u64>(sums + (<usize>i << 3)));
      stageShortUpdateLeaf(stage(scratch, 1), l1, load<u64>(sums + (<usize>min(i + 1, count - 1) << 3)));
      stageShortUpdateLeaf(stage(scratch, 2), l2, load<u64>(sums + (<usize>min(i + 2, count - 1) << 3)));
      stageShortUpdateLeaf(stage(scratch, 3), l3, load<u64>(sums + (<usize>min(i + 3, count - 1) << 3)));
      compressStaged(scratch, 0);
    } else {
      stageUpdateLeaf(stage(scratch, 0), l0, leafBytes, load<u64>(sums + (<usize>i << 3)));
      stageUpdateLeaf(stage(scratch, 1), l1, leafBytes, load<u64>(sums + (<usize>min(i + 1, count - 1) << 3)));
      stageUpdateLeaf(stage(scratch, 2), l2, leafBytes, load<u64>(sums + (<usize>min(i + 2, count - 1) << 3)));
      stageUpdateLeaf(stage(scratch, 3), l3, leafBytes, load<u64>(sums + (<usize>min(i + 3, count - 1) << 3)));
      compressStaged(scratch, 0);
      for (let at: usize = 64; at < leafBytes; at += 64) {
        compress(l0 + at - 9, l1 + at - 9, l2 + at - 9, l3 + at - 9, scratch);
      }
      compressStaged(scratch, 64);
    }
    finish(scratch, hashes, i, count);
  }
}

/** The sums of squares alone: what a leaf claims when something else computes its hash. */
export function sumSquaresOfLeaves(data: usize, leafBytes: usize, count: i32, sums: usize): void {
  for (let i = 0; i < count; i++) {
    store<u64>(sums + (<usize>i << 3), sumOfSquares(data + <usize>i * leafBytes, leafBytes));
  }
}

/** Hashes `count` consecutive leaves of `leafBytes` bytes (a multiple of 64) of a model or a server state. */
export function hashModelLeaves(data: usize, leafBytes: usize, count: i32, hashes: usize, scratch: usize): void {
  for (let i = 0; i < count; i += 4) {
    const l0 = data + <usize>i * leafBytes;
    const l1 = data + <usize>min(i + 1, count - 1) * leafBytes;
    const l2 = data + <usize>min(i + 2, count - 1) * leafBytes;
    const l3 = data + <usize>min(i + 3, count - 1) * leafBytes;
    start(scratch);
    stageModelLeaf(stage(scratch, 0), l0, leafBytes);
    stageModelLeaf(stage(scratch, 1), l1, leafBytes);
    stageModelLeaf(stage(scratch, 2), l2, leafBytes);
    stageModelLeaf(stage(scratch, 3), l3, leafBytes);
    compressStaged(scratch, 0);
    for (let at: usize = 64; at < leafBytes; at += 64) {
      compress(l0 + at - 1, l1 + at - 1, l2 + at - 1, l3 + at - 1, scratch);
    }
    compressStaged(scratch, 64);
    finish(scratch, hashes, i, count);
  }
}

/**
 * Joins neighbouring nodes of update trees in place: `count` nodes become count / 2^levels, of as many trees as there
 * are. `count` is a multiple of 2^levels. Sums must not exceed 64 bits.
 */
export function joinUpdateNodes(hashes: usize, sums: usize, count: i32, levels: i32, scratch: usize): void {
  for (; levels > 0; levels--) {
    count >>= 1;
    // Parents are written only where all children have been read: parent i lies at child i or before.
    for (let i = 0; i < count; i += 4) {
      start(scratch);
      for (let lane = 0; lane < 4; lane++) {
        const parent = min(i + lane, count - 1);
        stageUpdateNode(stage(scratch, lane), hashes + (<usize>parent << 6), sums + (<usize>parent << 4));
      }
      for (let parent = i; parent < min(i + 4, count); parent++) {
        const pair = sums + (<usize>parent << 4);
        store<u64>(sums + (<usize>parent << 3), load<u64>(pair) + load<u64>(pair, 8));
      }
      compressStaged(scratch, 0);
      compressStaged(scratch, 64);
      finish(scratch, hashes, i, count);
    }
  }
}

/** Joins neighbouring nodes of model trees in place, as `joinUpdateNodes` does. */
export function joinModelNodes(hashes: usize, count: i32, levels: i32, scratch: usize): void {
  for (; levels > 0; levels--) {
    count >>= 1;
    for (let i = 0; i < count; i += 4) {
      start(scratch);
      for (let lane = 0; lane < 4; lane++) {
        stageModelNode(stage(scratch, lane), hashes + (<usize>min(i + lane, count - 1) << 6));
      }
      compressStaged(scratch, 0);
      compressStaged(scratch, 64);
      finish(scratch, hashes, i, count);
    }
  }
}

/**
 * Hashes `count` consecutive rows of a packed upper triangle of big-endian int64, four side by side: the first has
 * `entries` of them, each one less than the row before. `stage` is the address of four staged messages of `stageBytes` each, as long as the longest row padded
 * to whole blocks. A lane whose message has ended goes on with what lies behind it; its hash has been taken by then.
 */
export function hashGramRows(
  values: usize, entries: i32, count: i32, hashes: usize, stage: usize, stageBytes: usize, scratch: usize,
): void {
  for (; count > 0; count -= 4, entries -= 4, hashes += 128) {
    const lanes = min(count, 4);
    for (let lane = 0; lane < lanes; lane++) {
      stageGramRow(stage + <usize>lane * stageBytes, values, entries - lane);
      values += <usize>(entries - lane) << 3;
    }
    start(scratch);
    const longest = gramRowBlocks(entries);
    for (let block = 0; block < longest; block++) {
      const at = stage + (<usize>block << 6);
      compress(at, at + stageBytes, at + 2 * stageBytes, at + 3 * stageBytes, scratch);
      for (let lane = 0; lane < lanes; lane++) {
        if (gramRowBlocks(entries - lane) == block + 1) finishLane(scratch, lane, hashes + (<usize>lane << 5));
      }
    }
  }
}

/** Blocks of 0x13, `entries` of 8 bytes, 0x80 and the length. */
// @ts-ignore: decorator
@inline
function gramRowBlocks(entries: i32): i32 {
  return (1 + (entries << 3) + 9 + 63) >> 6;
}

function stageGramRow(to: usize, values: usize, entries: i32): void {
  const bytes = <usize>entries << 3;
  const end = <usize>gramRowBlocks(entries) << 6;
  store<u8>(to, 0x13);
  for (let i: usize = 0; i < bytes; i += 8) store<u64>(to + i, load<u64>(values + i), 1);
  for (let i = bytes + 1; i < end; i++) store<u8>(to + i, 0);
  store<u8>(to + bytes, 0x80, 1);
  store<u64>(to + end - 8, bswap<u64>((<u64>bytes + 1) << 3));
}

/** Each product of the dot is at most 2^30, so a pair is at most 2^31: right as an unsigned number. */
function sumOfSquares(data: usize, bytes: usize): u64 {
  let sum = i64x2.splat(0);
  for (const end = data + bytes; data < end; data += 16) {
    const x = v128.load(data);
    const squares = i32x4.dot_i16x8_s(x, x);
    sum = i64x2.add(sum, i64x2.add(i64x2.extend_low_i32x4_u(squares), i64x2.extend_high_i32x4_u(squares)));
  }
  return i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1);
}

// @ts-ignore: decorator
@inline
function stage(scratch: usize, lane: i32): usize {
  return scratch + STAGE + <usize>lane * STAGE_BYTES;
}

/** The first and the last block of 0x00 | sum | bytes. */
function stageUpdateLeaf(to: usize, leaf: usize, leafBytes: usize, sum: u64): void {
  copy64(to + 9, leaf);
  store<u8>(to, 0x00);
  store<u64>(to, bswap<u64>(sum), 1);
  const tail = leaf + leafBytes - 9;
  const last = to + 64;
  clear64(last);
  store<u8>(last, load<u8>(tail));
  store<u64>(last, load<u64>(tail, 1), 1);
  store<u8>(last, 0x80, 9);
  store<u64>(last, bswap<u64>((<u64>leafBytes + 9) << 3), 56);
}

/** 0x00 | sum | 32 bytes: one block. */
function stageShortUpdateLeaf(to: usize, leaf: usize, sum: u64): void {
  clear64(to);
  store<u64>(to, bswap<u64>(sum), 1);
  v128.store(to, v128.load(leaf), 9);
  v128.store(to, v128.load(leaf, 16), 25);
  store<u8>(to, 0x80, 41);
  store<u64>(to, bswap<u64>(41 << 3), 56);
}

/** The first and the last block of 0x02 | bytes. */
function stageModelLeaf(to: usize, leaf: usize, leafBytes: usize): void {
  copy64(to + 1, leaf);
  store<u8>(to, 0x02);
  const last = to + 64;
  clear64(last);
  store<u8>(last, load<u8>(leaf + leafBytes - 1));
  store<u8>(last, 0x80, 1);
  store<u64>(last, bswap<u64>((<u64>leafBytes + 1) << 3), 56);
}

/** 0x01 | hL | sL | hR | sR: 81 bytes, two blocks. */
function stageUpdateNode(to: usize, children: usize, sums: usize): void {
  clear64(to + 64);
  store<u8>(to, 0x01);
  v128.store(to, v128.load(children), 1);
  v128.store(to, v128.load(children, 16), 17);
  store<u64>(to, bswap<u64>(load<u64>(sums)), 33);
  v128.store(to, v128.load(children, 32), 41);
  v128.store(to, v128.load(children, 48), 57);
  store<u64>(to, bswap<u64>(load<u64>(sums, 8)), 73);
  store<u8>(to, 0x80, 81);
  store<u64>(to, bswap<u64>(81 << 3), 120);
}

/** 0x03 | hL | hR: 65 bytes, two blocks. */
function stageModelNode(to: usize, children: usize): void {
  clear64(to + 64);
  store<u8>(to, 0x03);
  v128.store(to, v128.load(children), 1);
  v128.store(to, v128.load(children, 16), 17);
  v128.store(to, v128.load(children, 32), 33);
  v128.store(to, v128.load(children, 48), 49);
  store<u8>(to, 0x80, 65);
  store<u64>(to, bswap<u64>(65 << 3), 120);
}

// @ts-ignore: decorator
@inline
function copy64(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}

// @ts-ignore: decorator
@inline
function clear64(to: usize): void {
  const zero = i64x2.splat(0);
  v128.store(to, zero);
  v128.store(to, zero, 16);
  v128.store(to, zero, 32);
  v128.store(to, zero, 48);
}

/** Sets the four lanes to the initial hash value. */
export function start(scratch: usize): void {
  for (let i: usize = 0; i < 8; i++) {
    v128.store(scratch + STATE + (i << 4), v128.load32_splat(scratch + INITIAL + (i << 2)));
  }
}

/** Writes the four digests to places i .. i+3 of `hashes`, as far as there are so many. */
export function finish(scratch: usize, hashes: usize, i: i32, count: i32): void {
  const from = scratch + STATE;
  for (let half: usize = 0; half < 2; half++) {
    const words = from + (half << 6);
    const a = v128.load(words);
    const b = v128.load(words, 16);
    const c = v128.load(words, 32);
    const d = v128.load(words, 48);
    const ab02 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
    const ab13 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    const cd02 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
    const cd13 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
    const to = hashes + (<usize>i << 5) + (half << 4);
    v128.store(to, swapped(v128.shuffle<i64>(ab02, cd02, 0, 2)));
    if (i + 1 < count) v128.store(to, swapped(v128.shuffle<i64>(ab02, cd02, 1, 3)), 32);
    if (i + 2 < count) v128.store(to, swapped(v128.shuffle<i64>(ab13, cd13, 0, 2)), 64);
    if (i + 3 < count) v128.store(to, swapped(v128.shuffle<i64>(ab13, cd13, 1, 3)), 96);
  }
}

/** Writes the digest of one lane. */
function finishLane(scratch: usize, lane: i32, hash: usize): void {
  for (let word: usize = 0; word < 8; word++) {
    store<u32>(hash + (word << 2), bswap<u32>(load<u32>(scratch + STATE + (word << 4) + (<usize>lane << 2))));
  }
}

function compressStaged(scratch: usize, offset: usize): void {
  compress(stage(scratch, 0) + offset, stage(scratch, 1) + offset, stage(scratch, 2) + offset, stage(scratch, 3) + offset, scratch);
}

/** Big-endian words <-> little-endian lanes. */
// @ts-ignore: decorator
@inline
function swapped(x: v128): v128 {
  return i8x16.shuffle(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

/** One block of each message. Transposes the blocks, so that vector i holds word i of the four messages. */
export function compress(m0: usize, m1: usize, m2: usize, m3: usize, scratch: usize): void {
  const words = scratch + WORDS;
  for (let at: usize = 0; at < 64; at += 16) {
    const a = swapped(v128.load(m0 + at));
    const b = swapped(v128.load(m1 + at));
    const c = swapped(v128.load(m2 + at));
    const d = swapped(v128.load(m3 + at));
    const ab01 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
    const ab23 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    const cd01 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
    const cd23 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
    const to = words + (at << 2);
    v128.store(to, v128.shuffle<i64>(ab01, cd01, 0, 2));
    v128.store(to, v128.shuffle<i64>(ab01, cd01, 1, 3), 16);
    v128.store(to, v128.shuffle<i64>(ab23, cd23, 0, 2), 32);
    v128.store(to, v128.shuffle<i64>(ab23, cd23, 1, 3), 48);
  }
  rounds(scratch, scratch + STATE, words);
}

// FIPS 180-4, section 4.1.2. A rotation is two shifts: 16-byte vectors have none of their own.

// @ts-ignore: decorator
@inline
function rotated(x: v128, bits: i32): v128 {
  return v128.xor(i32x4.shr_u(x, bits), i32x4.shl(x, 32 - bits));
}

// @ts-ignore: decorator
@inline
function bigSigma0(x: v128): v128 {
  return v128.xor(v128.xor(rotated(x, 2), rotated(x, 13)), rotated(x, 22));
}

// @ts-ignore: decorator
@inline
function bigSigma1(x: v128): v128 {
  return v128.xor(v128.xor(rotated(x, 6), rotated(x, 11)), rotated(x, 25));
}

// @ts-ignore: decorator
@inline
function sigma0(x: v128): v128 {
  return v128.xor(v128.xor(rotated(x, 7), rotated(x, 18)), i32x4.shr_u(x, 3));
}

// @ts-ignore: decorator
@inline
function sigma1(x: v128): v128 {
  return v128.xor(v128.xor(rotated(x, 17), rotated(x, 19)), i32x4.shr_u(x, 10));
}

/** h + Sigma1(e) + Ch(e, f, g) + K + W, with Ch as g ^ (e & (f ^ g)). */
// @ts-ignore: decorator
@inline
function first(e: v128, f: v128, g: v128, h: v128, k: v128, w: v128): v128 {
  return i32x4.add(i32x4.add(i32x4.add(h, bigSigma1(e)), v128.xor(g, v128.and(e, v128.xor(f, g)))), i32x4.add(k, w));
}

/** T1 + Sigma0(a) + Maj(a, b, c), with Maj as ((a ^ b) & (b ^ c)) ^ b: a ^ b is the next round's b ^ c. */
// @ts-ignore: decorator
@inline
function second(a: v128, b: v128, ab: v128, bc: v128, t: v128): v128 {
  return i32x4.add(i32x4.add(t, bigSigma0(a)), v128.xor(v128.and(ab, bc), b));
}

/** W[i+16] = W[i] + sigma0(W[i+1]) + W[i+9] + sigma1(W[i+14]). */
// @ts-ignore: decorator
@inline
function extended(w0: v128, w1: v128, w9: v128, w14: v128): v128 {
  return i32x4.add(i32x4.add(w0, sigma0(w1)), i32x4.add(w9, sigma1(w14)));
}

/**
 * The 64 rounds: 16 with the words of the block, then three times 16 with words that replace them one by one. Instead
 * of moving eight values along, every line names them one place further.
 */
function rounds(k: usize, state: usize, w: usize): void {
  let a = v128.load(state);
  let b = v128.load(state, 16);
  let c = v128.load(state, 32);
  let d = v128.load(state, 48);
  let e = v128.load(state, 64);
  let f = v128.load(state, 80);
  let g = v128.load(state, 96);
  let h = v128.load(state, 112);
  let t: v128, x: v128, ab: v128, bc = v128.xor(b, c);
  t = first(e, f, g, h, v128.load32_splat(k), v128.load(w)); d = i32x4.add(d, t); ab = v128.xor(a, b); h = second(a, b, ab, bc, t); bc = ab;
  t = first(d, e, f, g, v128.load32_splat(k, 4), v128.load(w, 16)); c = i32x4.add(c, t); ab = v128.xor(h, a); g = second(h, a, ab, bc, t); bc = ab;
  t = first(c, d, e, f, v128.load32_splat(k, 8), v128.load(w, 32)); b = i32x4.add(b, t); ab = v128.xor(g, h); f = second(g, h, ab, bc, t); bc = ab;
  t = first(b, c, d, e, v128.load32_splat(k, 12), v128.load(w, 48)); a = i32x4.add(a, t); ab = v128.xor(f, g); e = second(f, g, ab, bc, t); bc = ab;
  t = first(a, b, c, d, v128.load32_splat(k, 16), v128.load(w, 64)); h = i32x4.add(h, t); ab = v128.xor(e, f); d = second(e, f, ab, bc, t); bc = ab;
  t = first(h, a, b, c, v128.load32_splat(k, 20), v128.load(w, 80)); g = i32x4.add(g, t); ab = v128.xor(d, e); c = second(d, e, ab, bc, t); bc = ab;
  t = first(g, h, a, b, v128.load32_splat(k, 24), v128.load(w, 96)); f = i32x4.add(f, t); ab = v128.xor(c, d); b = second(c, d, ab, bc, t); bc = ab;
  t = first(f, g, h, a, v128.load32_splat(k, 28), v128.load(w, 112)); e = i32x4.add(e, t); ab = v128.xor(b, c); a = second(b, c, ab, bc, t); bc = ab;
  t = first(e, f, g, h, v128.load32_splat(k, 32), v128.load(w, 128)); d = i32x4.add(d, t); ab = v128.xor(a, b); h = second(a, b, ab, bc, t); bc = ab;
  t = first(d, e, f, g, v128.load32_splat(k, 36), v128.load(w, 144)); c = i32x4.add(c, t); ab = v128.xor(h, a); g = second(h, a, ab, bc, t); bc = ab;
  t = first(c, d, e, f, v128.load32_splat(k, 40), v128.load(w, 160)); b = i32x4.add(b, t); ab = v128.xor(g, h); f = second(g, h, ab, bc, t); bc = ab;
  t = first(b, c, d, e, v128.load32_splat(k, 44), v128.load(w, 176)); a = i32x4.add(a, t); ab = v128.xor(f, g); e = second(f, g, ab, bc, t); bc = ab;
  t = first(a, b, c, d, v128.load32_splat(k, 48), v128.load(w, 192)); h = i32x4.add(h, t); ab = v128.xor(e, f); d = second(e, f, ab, bc, t); bc = ab;
  t = first(h, a, b, c, v128.load32_splat(k, 52), v128.load(w, 208)); g = i32x4.add(g, t); ab = v128.xor(d, e); c = second(d, e, ab, bc, t); bc = ab;
  t = first(g, h, a, b, v128.load32_splat(k, 56), v128.load(w, 224)); f = i32x4.add(f, t); ab = v128.xor(c, d); b = second(c, d, ab, bc, t); bc = ab;
  t = first(f, g, h, a, v128.load32_splat(k, 60), v128.load(w, 240)); e = i32x4.add(e, t); ab = v128.xor(b, c); a = second(b, c, ab, bc, t); bc = ab;
  for (const end = k + 192; k < end; ) {
    k += 64;
    x = extended(v128.load(w), v128.load(w, 16), v128.load(w, 144), v128.load(w, 224)); v128.store(w, x);
    t = first(e, f, g, h, v128.load32_splat(k), x); d = i32x4.add(d, t); ab = v128.xor(a, b); h = second(a, b, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 16), v128.load(w, 32), v128.load(w, 160), v128.load(w, 240)); v128.store(w, x, 16);
    t = first(d, e, f, g, v128.load32_splat(k, 4), x); c = i32x4.add(c, t); ab = v128.xor(h, a); g = second(h, a, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 32), v128.load(w, 48), v128.load(w, 176), v128.load(w)); v128.store(w, x, 32);
    t = first(c, d, e, f, v128.load32_splat(k, 8), x); b = i32x4.add(b, t); ab = v128.xor(g, h); f = second(g, h, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 48), v128.load(w, 64), v128.load(w, 192), v128.load(w, 16)); v128.store(w, x, 48);
    t = first(b, c, d, e, v128.load32_splat(k, 12), x); a = i32x4.add(a, t); ab = v128.xor(f, g); e = second(f, g, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 64), v128.load(w, 80), v128.load(w, 208), v128.load(w, 32)); v128.store(w, x, 64);
    t = first(a, b, c, d, v128.load32_splat(k, 16), x); h = i32x4.add(h, t); ab = v128.xor(e, f); d = second(e, f, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 80), v128.load(w, 96), v128.load(w, 224), v128.load(w, 48)); v128.store(w, x, 80);
    t = first(h, a, b, c, v128.load32_splat(k, 20), x); g = i32x4.add(g, t); ab = v128.xor(d, e); c = second(d, e, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 96), v128.load(w, 112), v128.load(w, 240), v128.load(w, 64)); v128.store(w, x, 96);
    t = first(g, h, a, b, v128.load32_splat(k, 24), x); f = i32x4.add(f, t); ab = v128.xor(c, d); b = second(c, d, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 112), v128.load(w, 128), v128.load(w), v128.load(w, 80)); v128.store(w, x, 112);
    t = first(f, g, h, a, v128.load32_splat(k, 28), x); e = i32x4.add(e, t); ab = v128.xor(b, c); a = second(b, c, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 128), v128.load(w, 144), v128.load(w, 16), v128.load(w, 96)); v128.store(w, x, 128);
    t = first(e, f, g, h, v128.load32_splat(k, 32), x); d = i32x4.add(d, t); ab = v128.xor(a, b); h = second(a, b, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 144), v128.load(w, 160), v128.load(w, 32), v128.load(w, 112)); v128.store(w, x, 144);
    t = first(d, e, f, g, v128.load32_splat(k, 36), x); c = i32x4.add(c, t); ab = v128.xor(h, a); g = second(h, a, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 160), v128.load(w, 176), v128.load(w, 48), v128.load(w, 128)); v128.store(w, x, 160);
    t = first(c, d, e, f, v128.load32_splat(k, 40), x); b = i32x4.add(b, t); ab = v128.xor(g, h); f = second(g, h, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 176), v128.load(w, 192), v128.load(w, 64), v128.load(w, 144)); v128.store(w, x, 176);
    t = first(b, c, d, e, v128.load32_splat(k, 44), x); a = i32x4.add(a, t); ab = v128.xor(f, g); e = second(f, g, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 192), v128.load(w, 208), v128.load(w, 80), v128.load(w, 160)); v128.store(w, x, 192);
    t = first(a, b, c, d, v128.load32_splat(k, 48), x); h = i32x4.add(h, t); ab = v128.xor(e, f); d = second(e, f, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 208), v128.load(w, 224), v128.load(w, 96), v128.load(w, 176)); v128.store(w, x, 208);
    t = first(h, a, b, c, v128.load32_splat(k, 52), x); g = i32x4.add(g, t); ab = v128.xor(d, e); c = second(d, e, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 224), v128.load(w, 240), v128.load(w, 112), v128.load(w, 192)); v128.store(w, x, 224);
    t = first(g, h, a, b, v128.load32_splat(k, 56), x); f = i32x4.add(f, t); ab = v128.xor(c, d); b = second(c, d, ab, bc, t); bc = ab;
    x = extended(v128.load(w, 240), v128.load(w), v128.load(w, 128), v128.load(w, 208)); v128.store(w, x, 240);
    t = first(f, g, h, a, v128.load32_splat(k, 60), x); e = i32x4.add(e, t); ab = v128.xor(b, c); a = second(b, c, ab, bc, t); bc = ab;
  }
  v128.store(state, i32x4.add(v128.load(state), a));
  v128.store(state, i32x4.add(v128.load(state, 16), b), 16);
  v128.store(state, i32x4.add(v128.load(state, 32), c), 32);
  v128.store(state, i32x4.add(v128.load(state, 48), d), 48);
  v128.store(state, i32x4.add(v128.load(state, 64), e), 64);
  v128.store(state, i32x4.add(v128.load(state, 80), f), 80);
  v128.store(state, i32x4.add(v128.load(state, 96), g), 96);
  v128.store(state, i32x4.add(v128.load(state, 112), h), 112);
}
