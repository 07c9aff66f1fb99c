/**
 * Sums of rows and columns in an order that depends on the shape alone. Blocks of 64 numbers are added up first and then
 * the blocks: the rounding error of a long sum grows with the number of blocks, not of numbers.
 */
import { laneSum, loadSome, storeSome } from './vectorMath';

const BLOCK: i32 = 64;

/** out `[width]` = sum over rows of x `[rows, width]`, the rows `stride` numbers apart. */
export function columnSums(x: usize, rows: i32, width: i32, stride: i32, out: usize): void {
  const step = <usize>stride << 2;
  let j = 0;
  for (; j + 8 <= width; j += 8, x += 32, out += 32) {
    let total0 = f32x4.splat(0);
    let total1 = f32x4.splat(0);
    let at = x;
    for (let row = 0; row < rows; ) {
      const end = min(row + BLOCK, rows);
      let sum0 = f32x4.splat(0);
      let sum1 = f32x4.splat(0);
      for (; row < end; row++, at += step) {
        sum0 = f32x4.add(sum0, v128.load(at));
        sum1 = f32x4.add(sum1, v128.load(at, 16));
      }
      total0 = f32x4.add(total0, sum0);
      total1 = f32x4.add(total1, sum1);
    }
    v128.store(out, total0);
    v128.store(out, total1, 16);
  }
  for (; j < width; j += 4, x += 16, out += 16) {
    const count = min(4, width - j);
    let total = f32x4.splat(0);
    let at = x;
    for (let row = 0; row < rows; ) {
      const end = min(row + BLOCK, rows);
      let sum = f32x4.splat(0);
      for (; row < end; row++, at += step) sum = f32x4.add(sum, count == 4 ? v128.load(at) : loadSome(at, count));
      total = f32x4.add(total, sum);
    }
    if (count == 4) v128.store(out, total);
    else storeSome(out, total, count);
  }
}

/** out `[rows]` = sum of each row of x `[rows, width]`. */
export function rowSums(x: usize, rows: i32, width: i32, out: usize): void {
  for (let row = 0; row < rows; row++, x += <usize>width << 2, out += 4) store<f32>(out, sumOf(x, width));
}

/** Sum of n numbers. */
export function sumOf(x: usize, n: i32): f32 {
  let total = f32x4.splat(0);
  let i = 0;
  while (i + 4 <= n) {
    const end = min(i + BLOCK * 4, n);
    let sum = f32x4.splat(0);
    for (; i + 4 <= end; i += 4, x += 16) sum = f32x4.add(sum, v128.load(x));
    total = f32x4.add(total, sum);
  }
  return laneSum(f32x4.add(total, loadSome(x, n - i)));
}

/** Sum of squares of n numbers, in double precision. */
export function sumOfSquares(x: usize, n: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16) {
    const v = v128.load(x);
    const a = f64x2.promote_low_f32x4(v);
    const b = f64x2.promote_low_f32x4(v128.shuffle<i32>(v, v, 2, 3, 0, 1));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  low = f64x2.add(low, high);
  let total = f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1);
  for (; i < n; i++, x += 4) {
    const value = <f64>load<f32>(x);
    total += value * value;
  }
  return total;
}
