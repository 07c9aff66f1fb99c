/**
 * Weighted sums of int16 rows. Two rows at a time are interleaved and multiplied by their pair of int16 weights with
 * i32x4.dot_i16x8_s, which also adds the two products: three instructions for eight of them.
 *
 * `terms` is a table of `pairs` entries: u32 byte offset into `rowsPtr` of the first row, of the second, and the two
 * weights as one u32, the first in the low half. Bounds, the caller's to keep: the weights are, without their signs,
 * below 2^16 together, so that no partial sum leaves int32.
 */
import { movedByQuotients } from './serverStep';

// @ts-ignore: decorator
@inline
function low(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator
@inline
function high(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** int32 out[k] = sum over the terms. */
export function weightedSum(rowsPtr: usize, terms: usize, pairs: usize, out: usize, length: usize): void {
  const lastTerm = terms + pairs * 12;
  for (let at: usize = 0, end = length << 1; at < end; at += 32) {
    let s0 = i32x4.splat(0);
    let s1 = i32x4.splat(0);
    let s2 = i32x4.splat(0);
    let s3 = i32x4.splat(0);
    for (let term = terms; term < lastTerm; term += 12) {
      const a = <usize>load<u32>(rowsPtr + load<u32>(term)) + at;
      const b = <usize>load<u32>(rowsPtr + load<u32>(term, 4)) + at;
      const weights = v128.load_splat<u32>(term, 8);
      const a0 = v128.load(a);
      const b0 = v128.load(b);
      s0 = i32x4.add(s0, i32x4.dot_i16x8_s(low(a0, b0), weights));
      s1 = i32x4.add(s1, i32x4.dot_i16x8_s(high(a0, b0), weights));
      const a1 = v128.load(a, 16);
      const b1 = v128.load(b, 16);
      s2 = i32x4.add(s2, i32x4.dot_i16x8_s(low(a1, b1), weights));
      s3 = i32x4.add(s3, i32x4.dot_i16x8_s(high(a1, b1), weights));
    }
    const to = out + (at << 1);
    v128.store(to, s0);
    v128.store(to, s1, 16);
    v128.store(to, s2, 32);
    v128.store(to, s3, 48);
  }
}

/**
 * The sums as numerators of FedAvg at a learning rate of 1 (`fedAvgOfInt32`): the same loop, but the sums go into the
 * model while the next rows are on their way from memory, and nowhere else.
 */
export function weightedFedAvg(
  rowsPtr: usize,
  terms: usize,
  pairs: usize,
  model: usize,
  length: usize,
  factor: f64,
  half: f64,
): void {
  const f = f64x2.splat(factor);
  const h = f64x2.splat(half);
  const lastTerm = terms + pairs * 12;
  for (let at: usize = 0, end = length << 1; at < end; at += 32) {
    let s0 = i32x4.splat(0);
    let s1 = i32x4.splat(0);
    let s2 = i32x4.splat(0);
    let s3 = i32x4.splat(0);
    for (let term = terms; term < lastTerm; term += 12) {
      const a = <usize>load<u32>(rowsPtr + load<u32>(term)) + at;
      const b = <usize>load<u32>(rowsPtr + load<u32>(term, 4)) + at;
      const weights = v128.load_splat<u32>(term, 8);
      const a0 = v128.load(a);
      const b0 = v128.load(b);
      s0 = i32x4.add(s0, i32x4.dot_i16x8_s(low(a0, b0), weights));
      s1 = i32x4.add(s1, i32x4.dot_i16x8_s(high(a0, b0), weights));
      const a1 = v128.load(a, 16);
      const b1 = v128.load(b, 16);
      s2 = i32x4.add(s2, i32x4.dot_i16x8_s(low(a1, b1), weights));
      s3 = i32x4.add(s3, i32x4.dot_i16x8_s(high(a1, b1), weights));
    }
    const to = model + (at << 1);
    v128.store(to, movedByQuotients(v128.load(to), s0, f, h));
    v128.store(to, movedByQuotients(v128.load(to, 16), s1, f, h), 16);
    v128.store(to, movedByQuotients(v128.load(to, 32), s2, f, h), 32);
    v128.store(to, movedByQuotients(v128.load(to, 48), s3, f, h), 48);
  }
}

/**
 * float64 out[k] = out[k] * radix + digits[k]: how sums whose weights do not fit int16 are put together, most significant
 * digits of the weights first; radix 0 starts anew. Exact while |out| < 2^53.
 */
export function foldDigits(digits: usize, out: usize, length: usize, radix: f64): void {
  const r = f64x2.splat(radix);
  for (const end = digits + (length << 2); digits < end; digits += 16, out += 32) {
    const d = v128.load(digits);
    let lower = f64x2.convert_low_i32x4_s(d);
    let upper = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(d, d, 2, 3, 2, 3));
    if (radix) {
      lower = f64x2.add(f64x2.mul(v128.load(out), r), lower);
      upper = f64x2.add(f64x2.mul(v128.load(out, 16), r), upper);
    }
    v128.store(out, lower);
    v128.store(out, upper, 16);
  }
}
