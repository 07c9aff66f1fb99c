/**
 * The exact Gram matrix of int16 rows. One instruction multiplies eight coordinates of two rows and adds them pairwise
 * into four 32-bit lanes; everything up to the end of a strip stays in those lanes, modulo 2^32, in tiles of two rows
 * against four.
 *
 * Arithmetic modulo 2^32 loses nothing as long as the TRUE product of a strip lies within +-2^31, however often lanes
 * wrapped on the way (the one product pair that the instruction itself cannot hold, twice (-2^15)^2 = 2^31, included).
 * That is known from the norms (Cauchy and Schwarz: |x.y|^2 <= |x|^2 |y|^2). Where they do not settle it, a second
 * product of the rows shifted down by 4 bits says which multiple of 2^32 is missing (see `pairsByTwo`). So time depends
 * on the data, the result never does.
 */
/** Coordinates of a strip: 20 rows of it stay in the first-level cache. */
const STRIP: i32 = 1024;
/** Of a strip whose norms do not fit: 256 coordinates keep the error of the shifted product below 2^31. */
const SHORT_STRIP: i32 = 256;
/** Of more rows the products take so much longer than reading that touching the next strip early only costs cache. */
const MOST_TOUCHED: i32 = 32;
const SHIFT: i32 = 4;
/** Less than (2^31)^2, by more than what float64 rounding can add. */
const LARGEST_NORM_PRODUCT: f64 = 4.6e18;

/**
 * Adds the inner products of n rows over `length` coordinates, from `byteOffset` of every row on, to the packed upper
 * triangle (int64, row-major) at `out`. `scratch`: see `gramScratchBytes` of protocol/kernels/gram.ts.
 *
 * With `sums` (else 0) it writes there, per coordinate, the sum of all rows modulo 2^16, and raises each row's entry of
 * `largest` (n u32) to its largest sum of two neighbours' squares: no coordinate is larger than the root of it.
 */
export function gramSpan(
  rowsPtr: usize, n: i32, byteOffset: usize, length: i32, out: usize, scratch: usize, sums: usize, largest: usize,
): void {
  const vectors = scratch;
  scratch += (<usize>n * 4 + 19) & ~15;
  memory.copy(vectors, rowsPtr, <usize>n << 2);
  store<u32>(vectors + (<usize>n << 2), <u32>(sums - byteOffset));
  const count = sums ? n + 1 : n;
  for (let from = 0; from < length; from += STRIP) {
    const strip = min(STRIP, length - from);
    const at = byteOffset + (<usize>from << 1);
    const next = n <= MOST_TOUCHED && from + STRIP * 2 <= length ? at + (STRIP << 1) : 0;
    const to = sums ? sums + (<usize>from << 1) : 0;
    if (addStrip(rowsPtr, n, at, strip, next, out, scratch, to, largest, vectors, count)) continue;
    for (let part = 0; part < strip; part += SHORT_STRIP) {
      const short = min(SHORT_STRIP, strip - part);
      const partAt = at + (<usize>part << 1);
      if (addStrip(rowsPtr, n, partAt, short, 0, out, scratch, 0, 0, vectors, count)) continue;
      pairsByTwo(rowsPtr, n, partAt, short, out, scratch);
    }
  }
}

/**
 * Adds a strip's products, or adds nothing and says false when the norms do not prove that they fit. `norms` is followed
 * by room for the products of the neighbours (0, 1), (2, 3), ...: they come with the norms, from the same loads, as do
 * `sums` and `largest` where they are wanted. `next`: the strip that comes after it.
 */
function addStrip(
  rowsPtr: usize, n: i32, at: usize, length: i32, next: usize, out: usize, norms: usize, sums: usize, largest: usize,
  vectors: usize, count: i32,
): bool {
  const bytes = <usize>length << 1;
  const neighbors = norms + (<usize>n << 3);
  if (sums && n == 1) memory.fill(sums, 0, bytes);
  for (let i = 0; i + 1 < n; i += 2) {
    const norm = norms + (<usize>i << 3);
    const most = largest + (<usize>i << 2);
    const product = neighbors + (<usize>i << 2);
    if (sums) diagonalAndSum2x2(row(rowsPtr, i, at), row(rowsPtr, i + 1, at), bytes, norm, product, sums, most, i == 0);
    else diagonal2x2(row(rowsPtr, i, at), row(rowsPtr, i + 1, at), bytes, norm, product);
  }
  if (n & 1) store<i64>(neighbors - 8, normSq(row(rowsPtr, n - 1, at), bytes, sums, largest + (<usize>(n - 1) << 2)));
  let first: i64 = 0;
  let second: i64 = 0;
  for (let i = 0; i < n; i++) {
    const norm = load<i64>(norms + (<usize>i << 3));
    second = max(second, min(first, norm));
    first = max(first, norm);
  }
  if (<f64>first * <f64>second > LARGEST_NORM_PRODUCT) return false;
  for (let i = 0; i < n; i++) addTo(entry(out, n, i, i), load<i64>(norms + (<usize>i << 3)));
  for (let i = 0; i + 1 < n; i += 2) addTo(entry(out, n, i, i + 1), load<i64>(neighbors + (<usize>i << 2)));
  addPairs(rowsPtr, n, at, bytes, next, out, vectors, count);
  return true;
}

/**
 * Products of a short strip with rows of any size. With X = x >> 4 an entry is known twice:
 *
 *     r = x.y modulo 2^32          a = 2^8 X.Y,  |a - x.y| <= 256 * 2 * 15 * 2^15 < 2^28
 *
 * because |x - 16 X| <= 15 and |x|, |16 X| <= 2^15. X.Y itself fits: 256 * 2^22 = 2^30. So x.y is the number that is
 * r modulo 2^32 and nearest to a.
 */
function pairsByTwo(rowsPtr: usize, n: i32, at: usize, length: i32, out: usize, scratch: usize): void {
  const pairs = (n * (n + 1)) >> 1;
  const bytes = <usize>length << 1;
  const remainders = scratch + (<usize>n << 3);
  const shifted = remainders + (<usize>pairs << 3);
  const table = shifted + (<usize>pairs << 3);
  let copy = table + ((<usize>n * 4 + 15) & ~15);
  memory.fill(remainders, 0, <usize>pairs << 4);
  for (let i = 0; i < n; i++) {
    store<u32>(table + (<usize>i << 2), <u32>copy);
    let from = row(rowsPtr, i, at);
    for (const end = from + bytes; from < end; from += 16, copy += 16) {
      v128.store(copy, i16x8.shr_s(v128.load(from), SHIFT));
    }
  }
  addNeighbors(rowsPtr, n, at, bytes, remainders);
  addPairs(rowsPtr, n, at, bytes, 0, remainders, rowsPtr, n);
  addNeighbors(table, n, 0, bytes, shifted);
  addPairs(table, n, 0, bytes, 0, shifted, table, n);
  for (let i = 0; i < n; i++) {
    addTo(entry(out, n, i, i), load<i64>(scratch + (<usize>i << 3))); // the norm that `addStrip` left here
    for (let j = i + 1; j < n; j++) {
      const place = entry(0, n, i, j);
      const near = load<i64>(shifted + place) << (2 * SHIFT);
      addTo(out + place, near + <i64><i32>(load<i64>(remainders + place) - near));
    }
  }
}

/** Adds the products of the neighbours (0, 1), (2, 3), ..., modulo 2^32 as signed numbers, to the packed triangle. */
function addNeighbors(rowsPtr: usize, n: i32, at: usize, bytes: usize, out: usize): void {
  for (let i = 0; i + 1 < n; i += 2) {
    tile1x1(row(rowsPtr, i, at), row(rowsPtr, i + 1, at), bytes, entry(out, n, i, i + 1));
  }
}

/**
 * Adds the products of all other pairs i < j in the same way. On the way the strip at `next` (0: none) of `count`
 * vectors comes nearer: the large tiles touch a line of each in turn, so that no vector's lines are asked for faster
 * than memory gives them.
 */
function addPairs(
  rowsPtr: usize, n: i32, at: usize, bytes: usize, next: usize, out: usize, vectors: usize, count: i32,
): void {
  let touched = 0;
  for (let i = 0; i + 1 < n; i += 2) {
    const x0 = row(rowsPtr, i, at);
    const x1 = row(rowsPtr, i + 1, at);
    let out0 = entry(out, n, i, i + 2);
    let out1 = entry(out, n, i + 1, i + 2);
    let j = i + 2;
    for (; j + 4 <= n; j += 4) {
      const y0 = row(rowsPtr, j, at);
      const y1 = row(rowsPtr, j + 1, at);
      const y2 = row(rowsPtr, j + 2, at);
      const y3 = row(rowsPtr, j + 3, at);
      const ahead = touched / count;
      if (next && ahead < STRIP >> 4) {
        const first = touched - ahead * count;
        const last = vectors + (<usize>count << 2);
        touchingTile2x4(x0, x1, y0, y1, y2, y3, bytes, out0, out1, vectors, last, first, next, <usize>ahead << 5);
        touched += STRIP >> 4;
      } else plainTile2x4(x0, x1, y0, y1, y2, y3, bytes, out0, out1);
      out0 += 32;
      out1 += 32;
    }
    if (j + 2 <= n) {
      tile2x2(x0, x1, row(rowsPtr, j, at), row(rowsPtr, j + 1, at), bytes, out0, out1);
      out0 += 16;
      out1 += 16;
      j += 2;
    }
    if (j < n) {
      tile1x1(x0, row(rowsPtr, j, at), bytes, out0);
      tile1x1(x1, row(rowsPtr, j, at), bytes, out1);
    }
  }
}

/** Writes |x|^2 and |y|^2 to `norms`, and x.y modulo 2^32 as a signed number to `product`. */
function diagonal2x2(x: usize, y: usize, bytes: usize, norms: usize, product: usize): void {
  diagonal(x, y, bytes, norms, product, false, 0, 0, false);
}

/** Also adds both rows to `sums` (`isFirst`: to zero) and raises their two entries at `largest`. */
function diagonalAndSum2x2(
  x: usize, y: usize, bytes: usize, norms: usize, product: usize, sums: usize, largest: usize, isFirst: bool,
): void {
  diagonal(x, y, bytes, norms, product, true, sums, largest, isFirst);
}

// @ts-ignore: decorator
@inline
function diagonal(
  x: usize, y: usize, bytes: usize, norms: usize, product: usize,
  withSums: bool, sums: usize, largest: usize, isFirst: bool,
): void {
  let a = i32x4.splat(0);
  let b = i32x4.splat(0);
  let ab = i32x4.splat(0);
  let mostA = i32x4.splat(0);
  let mostB = i32x4.splat(0);
  const from = x;
  for (const end = x + bytes, apart = y - x; x < end; x += 32) {
    let u = v128.load(x);
    let v = v128.load(x + apart);
    if (withSums) {
      const both = i16x8.add(u, v);
      v128.store(sums, isFirst ? both : i16x8.add(v128.load(sums), both));
    }
    ab = i32x4.add(ab, i32x4.dot_i16x8_s(u, v));
    u = i32x4.dot_i16x8_s(u, u);
    v = i32x4.dot_i16x8_s(v, v);
    a = i32x4.add(a, u);
    b = i32x4.add(b, v);
    mostA = i32x4.max_u(mostA, u);
    mostB = i32x4.max_u(mostB, v);
    u = v128.load(x, 16);
    v = v128.load(x + apart, 16);
    if (withSums) {
      const both = i16x8.add(u, v);
      v128.store(sums, isFirst ? both : i16x8.add(v128.load(sums, 16), both), 16);
      sums += 32;
    }
    ab = i32x4.add(ab, i32x4.dot_i16x8_s(u, v));
    u = i32x4.dot_i16x8_s(u, u);
    v = i32x4.dot_i16x8_s(v, v);
    a = i32x4.add(a, u);
    b = i32x4.add(b, v);
    mostA = i32x4.max_u(mostA, u);
    mostB = i32x4.max_u(mostB, v);
  }
  store<i64>(product, <i64>i32x4.extract_lane(totals(ab, ab, ab, ab), 0));
  const squaresA = largestLane(mostA);
  const squaresB = largestLane(mostB);
  store<i64>(norms, wraps(squaresA, bytes) ? wideNormSq(from, bytes) : unsignedTotal(a));
  store<i64>(norms, wraps(squaresB, bytes) ? wideNormSq(y, bytes) : unsignedTotal(b), 8);
  if (!withSums) return;
  store<u32>(largest, max(load<u32>(largest), squaresA));
  store<u32>(largest, max(load<u32>(largest, 4), squaresB), 4);
}

/** |x|^2; with `sums` (else 0) as above. */
function normSq(x: usize, bytes: usize, sums: usize, largest: usize): i64 {
  let sum = i32x4.splat(0);
  let most = i32x4.splat(0);
  const end = x + bytes;
  for (let from = x; from < end; from += 16) {
    const a = v128.load(from);
    if (sums) {
      v128.store(sums, i16x8.add(v128.load(sums), a));
      sums += 16;
    }
    const squares = i32x4.dot_i16x8_s(a, a);
    most = i32x4.max_u(most, squares);
    sum = i32x4.add(sum, squares);
  }
  const squares = largestLane(most);
  if (sums) store<u32>(largest, max(load<u32>(largest), squares));
  return wraps(squares, bytes) ? wideNormSq(x, bytes) : unsignedTotal(sum);
}

// @ts-ignore: decorator
@inline
function largestLane(lanes: v128): u32 {
  lanes = i32x4.max_u(lanes, v128.shuffle<i64>(lanes, lanes, 1, 0));
  return max(<u32>i32x4.extract_lane(lanes, 0), <u32>i32x4.extract_lane(lanes, 1));
}

/** Whether a lane of squares may have left 32 bits. It has not as long as the largest, times the number of steps, does. */
// @ts-ignore: decorator
@inline
function wraps(most: u32, bytes: usize): bool {
  return <u64>most * (<u64>bytes >> 4) > 0xffffffff;
}

/** |x|^2 in 64 bits, whatever x holds. */
function wideNormSq(x: usize, bytes: usize): i64 {
  let wide = i64x2.splat(0);
  for (const end = x + bytes; x < end; x += 16) {
    const a = v128.load(x);
    const squares = i32x4.dot_i16x8_s(a, a); // at most 2^31, unsigned
    wide = i64x2.add(wide, i64x2.add(i64x2.extend_low_i32x4_u(squares), i64x2.extend_high_i32x4_u(squares)));
  }
  return i64x2.extract_lane(wide, 0) + i64x2.extract_lane(wide, 1);
}

// @ts-ignore: decorator
@inline
function unsignedTotal(lanes: v128): i64 {
  const wide = i64x2.add(i64x2.extend_low_i32x4_u(lanes), i64x2.extend_high_i32x4_u(lanes));
  return i64x2.extract_lane(wide, 0) + i64x2.extract_lane(wide, 1);
}

/** Two rows against four. Lengths are multiples of 16 coordinates, so every step takes two vectors of each row. */
function plainTile2x4(
  x0: usize, x1: usize, y0: usize, y1: usize, y2: usize, y3: usize, bytes: usize, out0: usize, out1: usize,
): void {
  tile2x4(x0, x1, y0, y1, y2, y3, bytes, out0, out1, false, 0, 0, 0, 0, 0);
}

/**
 * The same. Every step touches one of the vectors in the table from `vectors` to `last`, from the one numbered `first`
 * on, `ahead` bytes from `next`; what a tile touches may go round to the beginning of its strip.
 */
function touchingTile2x4(
  x0: usize, x1: usize, y0: usize, y1: usize, y2: usize, y3: usize, bytes: usize, out0: usize, out1: usize,
  vectors: usize, last: usize, first: i32, next: usize, ahead: usize,
): void {
  tile2x4(x0, x1, y0, y1, y2, y3, bytes, out0, out1, true, vectors, last, first, next, ahead);
}

// @ts-ignore: decorator
@inline
function tile2x4(
  x0: usize, x1: usize, y0: usize, y1: usize, y2: usize, y3: usize, bytes: usize, out0: usize, out1: usize,
  touches: bool, vectors: usize, last: usize, first: i32, next: usize, ahead: usize,
): void {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let b2 = i32x4.splat(0);
  let b3 = i32x4.splat(0);
  let vector = vectors + (<usize>first << 2);
  for (const end = x0 + bytes; x0 < end; ) {
    if (touches) {
      load<u8>(<usize>load<u32>(vector) + next + (ahead & (STRIP * 2 - 1)));
      vector += 4;
      if (vector == last) {
        vector = vectors;
        ahead += 32;
      }
    }
    let x = v128.load(x0);
    let z = v128.load(x1);
    let y = v128.load(y0);
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, y));
    b0 = i32x4.add(b0, i32x4.dot_i16x8_s(z, y));
    y = v128.load(y1);
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, y));
    b1 = i32x4.add(b1, i32x4.dot_i16x8_s(z, y));
    y = v128.load(y2);
    a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, y));
    b2 = i32x4.add(b2, i32x4.dot_i16x8_s(z, y));
    y = v128.load(y3);
    a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, y));
    b3 = i32x4.add(b3, i32x4.dot_i16x8_s(z, y));
    x = v128.load(x0, 16);
    z = v128.load(x1, 16);
    y = v128.load(y0, 16);
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, y));
    b0 = i32x4.add(b0, i32x4.dot_i16x8_s(z, y));
    y = v128.load(y1, 16);
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, y));
    b1 = i32x4.add(b1, i32x4.dot_i16x8_s(z, y));
    y = v128.load(y2, 16);
    a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, y));
    b2 = i32x4.add(b2, i32x4.dot_i16x8_s(z, y));
    y = v128.load(y3, 16);
    a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, y));
    b3 = i32x4.add(b3, i32x4.dot_i16x8_s(z, y));
    x0 += 32;
    x1 += 32;
    y0 += 32;
    y1 += 32;
    y2 += 32;
    y3 += 32;
  }
  const a = totals(a0, a1, a2, a3);
  const b = totals(b0, b1, b2, b3);
  addLow(out0, a);
  addHigh(out0 + 16, a);
  addLow(out1, b);
  addHigh(out1 + 16, b);
}

function tile2x2(x0: usize, x1: usize, y0: usize, y1: usize, bytes: usize, out0: usize, out1: usize): void {
  let a0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  for (const end = x0 + bytes; x0 < end; x0 += 16, x1 += 16, y0 += 16, y1 += 16) {
    const x = v128.load(x0);
    const z = v128.load(x1);
    let y = v128.load(y0);
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, y));
    b0 = i32x4.add(b0, i32x4.dot_i16x8_s(z, y));
    y = v128.load(y1);
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, y));
    b1 = i32x4.add(b1, i32x4.dot_i16x8_s(z, y));
  }
  const both = totals(a0, a1, b0, b1);
  addLow(out0, both);
  addHigh(out1, both);
}

function tile1x1(x: usize, y: usize, bytes: usize, out: usize): void {
  let sum = i32x4.splat(0);
  for (const end = x + bytes; x < end; x += 16, y += 16) {
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load(x), v128.load(y)));
  }
  addTo(out, <i64>i32x4.extract_lane(totals(sum, sum, sum, sum), 0));
}

/** The four lanes of each argument added up: lane k holds the total of argument k. */
// @ts-ignore: decorator
@inline
function totals(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

// @ts-ignore: decorator
@inline
function addLow(at: usize, totals: v128): void {
  v128.store(at, i64x2.add(v128.load(at), i64x2.extend_low_i32x4_s(totals)));
}

// @ts-ignore: decorator
@inline
function addHigh(at: usize, totals: v128): void {
  v128.store(at, i64x2.add(v128.load(at), i64x2.extend_high_i32x4_s(totals)));
}

// @ts-ignore: decorator
@inline
function addTo(at: usize, value: i64): void {
  store<i64>(at, load<i64>(at) + value);
}

// @ts-ignore: decorator
@inline
function row(rowsPtr: usize, i: i32, at: usize): usize {
  return <usize>load<u32>(rowsPtr + (<usize>i << 2)) + at;
}

/** Address of entry (i, j), i <= j, of the packed upper triangle. */
// @ts-ignore: decorator
@inline
function entry(out: usize, n: i32, i: i32, j: i32): usize {
  return out + (<usize>(i * n - ((i * (i - 1)) >> 1) + (j - i)) << 3);
}
