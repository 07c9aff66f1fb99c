/**
 * The mean of most of the rows, from the sum of all rows modulo 2^16 that `gramSpan` leaves and the few rows that are
 * left out: what they sum up to modulo 2^16 is the sum itself as long as it fits int16. That is the caller's to know
 * (`RowTotals.holds` of protocol/kernels/rowTotals.ts).
 */
import { moveBy } from './serverStep';

/** A weight of less than this, in magnitude, can be moved by less than as much without leaving int32. */
const ROOM: i32 = 1 << 30;
/** Added to a float64 below 2^51 it rounds to a whole number, which then stands in the low bits as a signed one. */
const WHOLE: f64 = 6755399441055744.0; // 3 * 2^51

/**
 * trunc(N * factor) of four int16 N, which come as N * 2^16, at most 2^29 in magnitude. With N * factor = P / D in whole
 * numbers, |P| / D - (D - 1) / 2D is nearest the whole part of |P| / D and at least 1 / 2D away from the middle between
 * two: rounding it is dividing. `back` is -(D - 1) / 2D in units of 2^-16 of N, a whole number, and 1 / 2D is two of
 * them or more; `factor` is that of a unit.
 */
// @ts-ignore: decorator
@inline
function quotients(n: v128, back: v128, factor: v128): v128 {
  const whole = f64x2.splat(WHOLE);
  const signs = i32x4.shr_s(n, 31);
  const p = i32x4.add(n, v128.xor(signs, back)); // -back becomes back - 1 where N is negative
  const a = f64x2.add(f64x2.mul(f64x2.convert_low_i32x4_s(p), factor), whole);
  const upper = v128.shuffle<i32>(p, p, 2, 3, 2, 3);
  const b = f64x2.add(f64x2.mul(f64x2.convert_low_i32x4_s(upper), factor), whole);
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}

/**
 * FedAvg at a learning rate of 1 (`fedAvgOfInt32`) whose numerators are `sums` without `count` rows: `left` is a table
 * of their u32 byte offsets into `rowsPtr`. See `quotients` for `back` and `factor`.
 */
export function fedAvgOfRest(
  sums: usize,
  rowsPtr: usize,
  left: usize,
  count: usize,
  model: usize,
  length: usize,
  back: i32,
  factor: f64,
): void {
  const zero = i32x4.splat(0);
  const k = i32x4.splat(back);
  const f = f64x2.splat(factor);
  const last = left + (count << 2);
  for (let at: usize = 0, end = length << 1; at < end; at += 32) {
    let s0 = v128.load(sums + at);
    let s1 = v128.load(sums + at, 16);
    for (let term = left; term < last; term += 4) {
      const row = <usize>load<u32>(rowsPtr + load<u32>(term)) + at;
      s0 = i16x8.sub(s0, v128.load(row));
      s1 = i16x8.sub(s1, v128.load(row, 16));
    }
    const q0 = quotients(v128.shuffle<i16>(zero, s0, 0, 8, 1, 9, 2, 10, 3, 11), k, f);
    const q1 = quotients(v128.shuffle<i16>(zero, s0, 4, 12, 5, 13, 6, 14, 7, 15), k, f);
    const q2 = quotients(v128.shuffle<i16>(zero, s1, 0, 8, 1, 9, 2, 10, 3, 11), k, f);
    const q3 = quotients(v128.shuffle<i16>(zero, s1, 4, 12, 5, 13, 6, 14, 7, 15), k, f);
    const to = model + (at << 1);
    const w0 = v128.load(to);
    const w1 = v128.load(to, 16);
    const w2 = v128.load(to, 32);
    const w3 = v128.load(to, 48);
    const sizes = v128.or(v128.or(i32x4.abs(w0), i32x4.abs(w1)), v128.or(i32x4.abs(w2), i32x4.abs(w3)));
    if (v128.any_true(v128.and(sizes, i32x4.splat(-ROOM)))) {
      v128.store(to, moveBy(w0, q0));
      v128.store(to, moveBy(w1, q1), 16);
      v128.store(to, moveBy(w2, q2), 32);
      v128.store(to, moveBy(w3, q3), 48);
    } else {
      v128.store(to, i32x4.add(w0, q0));
      v128.store(to, i32x4.add(w1, q1), 16);
      v128.store(to, i32x4.add(w2, q2), 32);
      v128.store(to, i32x4.add(w3, q3), 48);
    }
  }
}
