/**
 * Mixing whose weights are zeros and ones: mixed row r is the sum of some rows, or all rows' sum without some, whichever
 * are fewer (a nearest-neighbour mixing leaves out f of n). Integer lanes may wrap on the way; they are exact where the
 * mixed rows themselves fit.
 *
 * `program` holds for each mixed row: u32 1 to start from the sum of all rows and subtract, 0 to start from zero and add;
 * u32 count; count times u32 byte offset into `rowsPtr`. `total` has room for one row.
 */

// @ts-ignore: decorator
@inline
function row(rowsPtr: usize, entry: usize): usize {
  return <usize>load<u32>(rowsPtr + load<u32>(entry));
}

/** Bytes [at, at + 64) of one mixed row. */
// @ts-ignore: decorator
@inline
function sum64<T>(rowsPtr: usize, first: usize, last: usize, base: usize, out: usize, at: usize): void {
  let s0 = i64x2.splat(0);
  let s1 = i64x2.splat(0);
  let s2 = i64x2.splat(0);
  let s3 = i64x2.splat(0);
  for (let entry = first; entry < last; entry += 4) {
    const from = row(rowsPtr, entry) + at;
    s0 = v128.add<T>(s0, v128.load(from));
    s1 = v128.add<T>(s1, v128.load(from, 16));
    s2 = v128.add<T>(s2, v128.load(from, 32));
    s3 = v128.add<T>(s3, v128.load(from, 48));
  }
  if (base) {
    s0 = v128.sub<T>(v128.load(base + at), s0);
    s1 = v128.sub<T>(v128.load(base + at, 16), s1);
    s2 = v128.sub<T>(v128.load(base + at, 32), s2);
    s3 = v128.sub<T>(v128.load(base + at, 48), s3);
  }
  v128.store(out + at, s0);
  v128.store(out + at, s1, 16);
  v128.store(out + at, s2, 32);
  v128.store(out + at, s3, 48);
}

/** The last 32 bytes of a tile of 16 int16 or of an odd number of such. */
// @ts-ignore: decorator
@inline
function sum32<T>(rowsPtr: usize, first: usize, last: usize, base: usize, out: usize, at: usize): void {
  let s0 = i64x2.splat(0);
  let s1 = i64x2.splat(0);
  for (let entry = first; entry < last; entry += 4) {
    const from = row(rowsPtr, entry) + at;
    s0 = v128.add<T>(s0, v128.load(from));
    s1 = v128.add<T>(s1, v128.load(from, 16));
  }
  if (base) {
    s0 = v128.sub<T>(v128.load(base + at), s0);
    s1 = v128.sub<T>(v128.load(base + at, 16), s1);
  }
  v128.store(out + at, s0);
  v128.store(out + at, s1, 16);
}

// @ts-ignore: decorator
@inline
function rowSums<T>(
  rowsPtr: usize,
  all: usize,
  n: usize,
  total: usize,
  program: usize,
  outRowsPtr: usize,
  m: usize,
  start: usize,
  end: usize,
): void {
  const from = start * sizeof<T>();
  const to = end * sizeof<T>();
  const whole = from + ((to - from) & ~63);
  if (total) {
    for (let at = from; at < whole; at += 64) sum64<T>(rowsPtr, all, all + (n << 2), 0, total, at);
    if (whole < to) sum32<T>(rowsPtr, all, all + (n << 2), 0, total, whole);
  }
  for (const lastOut = outRowsPtr + (m << 2); outRowsPtr < lastOut; outRowsPtr += 4) {
    const out = <usize>load<u32>(outRowsPtr);
    const base = load<u32>(program) ? total : 0;
    const first = program + 8;
    const last = first + (<usize>load<u32>(program, 4) << 2);
    program = last;
    for (let at = from; at < whole; at += 64) sum64<T>(rowsPtr, first, last, base, out, at);
    if (whole < to) sum32<T>(rowsPtr, first, last, base, out, whole);
  }
}

/** Coordinates [start, end). `all`: a table of n u32 0, 4, 8, ...: the offsets of all rows. */
export function rowSumsInt16(
  rowsPtr: usize,
  all: usize,
  n: usize,
  total: usize,
  program: usize,
  outRowsPtr: usize,
  m: usize,
  start: usize,
  end: usize,
): void {
  rowSums<i16>(rowsPtr, all, n, total, program, outRowsPtr, m, start, end);
}

export function rowSumsInt32(
  rowsPtr: usize,
  all: usize,
  n: usize,
  total: usize,
  program: usize,
  outRowsPtr: usize,
  m: usize,
  start: usize,
  end: usize,
): void {
  rowSums<i32>(rowsPtr, all, n, total, program, outRowsPtr, m, start, end);
}

export function rowSumsFloat64(
  rowsPtr: usize,
  all: usize,
  n: usize,
  total: usize,
  program: usize,
  outRowsPtr: usize,
  m: usize,
  start: usize,
  end: usize,
): void {
  rowSums<f64>(rowsPtr, all, n, total, program, outRowsPtr, m, start, end);
}

/** int32 out[i][k] = factors[i] * rows[i][k] for k in [start, end). `factors`: n i32 that fit int16. */
export function scaleRowsInt32(
  rowsPtr: usize,
  n: usize,
  factors: usize,
  outRowsPtr: usize,
  start: usize,
  end: usize,
): void {
  for (const last = rowsPtr + (n << 2); rowsPtr < last; rowsPtr += 4, factors += 4, outRowsPtr += 4) {
    const factor = i16x8.splat(<i16>load<i32>(factors));
    const from = <usize>load<u32>(rowsPtr);
    const out = <usize>load<u32>(outRowsPtr);
    for (let k = start; k < end; k += 8) {
      const values = v128.load(from + (k << 1));
      v128.store(out + (k << 2), i32x4.extmul_low_i16x8_s(values, factor));
      v128.store(out + (k << 2), i32x4.extmul_high_i16x8_s(values, factor), 16);
    }
  }
}

/** float64 out[i][k] = factors[i] * rows[i][k] for k in [start, end). `factors`: n i32. */
export function scaleRowsFloat64(
  rowsPtr: usize,
  n: usize,
  factors: usize,
  outRowsPtr: usize,
  start: usize,
  end: usize,
): void {
  for (const last = rowsPtr + (n << 2); rowsPtr < last; rowsPtr += 4, factors += 4, outRowsPtr += 4) {
    const factor = f64x2.splat(<f64>load<i32>(factors));
    const from = <usize>load<u32>(rowsPtr);
    const out = <usize>load<u32>(outRowsPtr);
    for (let k = start; k < end; k += 4) {
      const values = v128.load_ext<i16>(from + (k << 1));
      const upper = v128.shuffle<i32>(values, values, 2, 3, 2, 3);
      v128.store(out + (k << 3), f64x2.mul(f64x2.convert_low_i32x4_s(values), factor));
      v128.store(out + (k << 3), f64x2.mul(f64x2.convert_low_i32x4_s(upper), factor), 16);
    }
  }
}

/**
 * The largest sum of |q| over the n values of one coordinate, or 65535 for that and more: no sum of some of these values
 * is larger.
 */
export function largestColumnSum(rowsPtr: usize, n: usize, length: usize): i32 {
  const lastRow = rowsPtr + (n << 2);
  let most = i64x2.splat(0);
  for (let at: usize = 0, bytes = length << 1; at < bytes; at += 32) {
    let a = i64x2.splat(0);
    let b = i64x2.splat(0);
    for (let row = rowsPtr; row < lastRow; row += 4) {
      const from = <usize>load<u32>(row) + at;
      a = i16x8.add_sat_u(a, i16x8.abs(v128.load(from)));
      b = i16x8.add_sat_u(b, i16x8.abs(v128.load(from, 16)));
    }
    most = i16x8.max_u(most, i16x8.max_u(a, b));
  }
  most = i16x8.max_u(most, v128.shuffle<i64>(most, most, 1, 0));
  most = i16x8.max_u(most, v128.shuffle<i32>(most, most, 1, 0, 3, 2));
  return max(i16x8.extract_lane_u(most, 0), i16x8.extract_lane_u(most, 1));
}
