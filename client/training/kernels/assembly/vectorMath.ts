/**
 * exp, tanh, sigmoid and log whose bits are the same on every machine: sums, products (fused or not) and divisions of
 * IEEE 754 only, no mathematics library.
 *
 *     x = n ln2 + r, |r| <= ln2/2      e^x = 2^n (1 + p(r)),  p(r) = r + r^2 q(r)
 *
 * q is of degree four, fitted so that the largest relative error of e^r is 4e-9, an eighth of what rounding adds. Since
 * p keeps all digits of e^r - 1, tanh needs no second polynomial: tanh(x) = (e^2x - 1) / (e^2x - 1 + 2).
 */

import { multiplyAdd, subtractProduct } from './fusedMultiplyAdd';

// Constants are exported globals, which a compiler must take for variables and read from where they stand: one that knew
// their values would make each vector anew, with three instructions, wherever it is used. Nobody writes them.
export let LOG2_E: v128 = f32x4(1.44269504, 1.44269504, 1.44269504, 1.44269504);
/** ln2 in two parts: n times the first is exact for |n| < 2^9. */
export let LN2_HIGH: v128 = f32x4(0.693359375, 0.693359375, 0.693359375, 0.693359375);
export let LN2_LOW: v128 = f32x4(-2.12194440e-4, -2.12194440e-4, -2.12194440e-4, -2.12194440e-4);
export let Q0: v128 = f32x4(0.4999999403953552, 0.4999999403953552, 0.4999999403953552, 0.4999999403953552);
export let Q1: v128 = f32x4(0.1666652113199234, 0.1666652113199234, 0.1666652113199234, 0.1666652113199234);
export let Q2: v128 = f32x4(0.04166839271783829, 0.04166839271783829, 0.04166839271783829, 0.04166839271783829);
export let Q3: v128 = f32x4(0.008368746377527714, 0.008368746377527714, 0.008368746377527714, 0.008368746377527714);
export let Q4: v128 = f32x4(0.0013814537087455392, 0.0013814537087455392, 0.0013814537087455392, 0.0013814537087455392);

/** Beyond these e^x is infinite, or zero; they keep n where 2^n can be written as two factors. */
const LARGEST: f32 = 89.5;
const SMALLEST: f32 = -104.5;
/** e^88 is below the largest number, and 1 / (1 + e^88) all but 0. */
export let SIGMOID_HIGH: v128 = f32x4(88, 88, 88, 88);
export let SIGMOID_LOW: v128 = f32x4(-87, -87, -87, -87);
/** Twice where tanh becomes 1 in single precision. */
export let TWICE_TANH_ONE: v128 = f32x4(18.04, 18.04, 18.04, 18.04);
/**
 * 1.5 2^23: added to a number below 2^22 it leaves the nearest integer in the lowest bits, as a sum that rounds must.
 * Rounding and conversion as WASM defines them cost a dozen instructions instead.
 */
export let ROUNDER: v128 = f32x4(12582912, 12582912, 12582912, 12582912);
export let ONE_BITS: v128 = i32x4(0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000);
export let ONE: v128 = f32x4(1, 1, 1, 1);
export let TWO: v128 = f32x4(2, 2, 2, 2);
export let SIGN: v128 = f32x4(-0.0, -0.0, -0.0, -0.0);

// `pmin` and `pmax` are one instruction each where `min` and `max` are six; a NaN that stands first stays.

/** x / ln2 to the nearest integer, plus `ROUNDER`. */
// @ts-ignore: decorator
@inline
function rounded(x: v128): v128 {
  return multiplyAdd(x, LOG2_E, ROUNDER);
}

/** x - n ln2 for the integer of `rounded`. */
// @ts-ignore: decorator
@inline
function reduced(x: v128, sum: v128): v128 {
  const n = f32x4.sub(sum, ROUNDER);
  const high = subtractProduct(x, n, LN2_HIGH);
  return subtractProduct(high, n, LN2_LOW);
}

/** 2^n for the integer of `rounded`, -126 <= n <= 127: its lowest bits become the exponent. */
// @ts-ignore: decorator
@inline
function powerOfTwo(sum: v128): v128 {
  return i32x4.add(i32x4.shl(sum, 23), ONE_BITS);
}

/** e^r - 1 for |r| <= ln2/2. */
// @ts-ignore: decorator
@inline
function expm1Reduced(r: v128): v128 {
  const square = f32x4.mul(r, r);
  let q = multiplyAdd(Q4, r, Q3);
  q = multiplyAdd(q, r, Q2);
  q = multiplyAdd(q, r, Q1);
  q = multiplyAdd(q, r, Q0);
  return multiplyAdd(q, square, r);
}

/** e^x: infinite and zero where single precision ends, NaN of NaN. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const bounded = f32x4.pmin(f32x4.pmax(x, f32x4.splat(SMALLEST)), f32x4.splat(LARGEST));
  const sum = rounded(bounded);
  const p = expm1Reduced(reduced(bounded, sum));
  // 2^n as a product of two: n itself reaches beyond both ends of the exponents that exist.
  const whole = i32x4.sub(sum, ROUNDER);
  const half = i32x4.shr_s(whole, 1);
  const result = f32x4.add(p, ONE);
  return f32x4.mul(f32x4.mul(result, powerOfTwo(half)), powerOfTwo(i32x4.sub(whole, half)));
}

/** e^x for x <= 88; nothing, -infinity included, comes below e^-87. */
// @ts-ignore: decorator
@inline
export function expBounded4(x: v128): v128 {
  const bounded = f32x4.pmax(x, SIGMOID_LOW);
  const sum = rounded(bounded);
  const scale = powerOfTwo(sum);
  return multiplyAdd(expm1Reduced(reduced(bounded, sum)), scale, scale);
}

/** 1 / (1 + e^-x), at least 1 / (1 + e^88): one factor 2^n is enough. */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  const bounded = f32x4.pmin(f32x4.pmax(f32x4.neg(x), SIGMOID_LOW), SIGMOID_HIGH);
  const sum = rounded(bounded);
  const scale = powerOfTwo(sum);
  const e = multiplyAdd(expm1Reduced(reduced(bounded, sum)), scale, scale);
  return f32x4.div(ONE, f32x4.add(ONE, e));
}

/** tanh x, odd to the last bit. */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  const size = f32x4.abs(x);
  const twice = f32x4.pmin(f32x4.add(size, size), TWICE_TANH_ONE);
  const sum = rounded(twice);
  const scale = powerOfTwo(sum);
  // 2^n (1 + p) - 1, its parts ordered so that n = 0 keeps every digit of p.
  const p = expm1Reduced(reduced(twice, sum));
  const expm1 = multiplyAdd(p, scale, f32x4.sub(scale, ONE));
  const result = f32x4.div(expm1, f32x4.add(expm1, TWO));
  return v128.bitselect(x, result, SIGN);
}

/**
 * Natural logarithm of a positive normal number (or infinity, or NaN), in double precision: x = 2^n m with m in [sqrt 1/2, sqrt 2), and
 * ln m = 2 artanh s with s = (m - 1) / (m + 1), |s| < 0.172: the series is left after s^15 at 1e-14.
 */
export function logPositive(x: f64): f64 {
  if (!(x < Infinity)) return x;
  const bits = reinterpret<u64>(x);
  let n = <i32>((bits >> 52) & 0x7ff) - 1023;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m >= 1.4142135623730951) {
    m *= 0.5;
    n += 1;
  }
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let sum = 1.0 / 15;
  sum = sum * z + 1.0 / 13;
  sum = sum * z + 1.0 / 11;
  sum = sum * z + 1.0 / 9;
  sum = sum * z + 1.0 / 7;
  sum = sum * z + 1.0 / 5;
  sum = sum * z + 1.0 / 3;
  sum = sum * z + 1;
  return <f64>n * 0.6931471805599453 + 2 * s * sum;
}

/** `count` < 4 numbers from `at` on, the other lanes zero: nothing beyond the end is read. */
// @ts-ignore: decorator
@inline
export function loadSome(at: usize, count: i32): v128 {
  let v = f32x4.splat(0);
  if (count > 0) v = f32x4.replace_lane(v, 0, load<f32>(at));
  if (count > 1) v = f32x4.replace_lane(v, 1, load<f32>(at, 4));
  if (count > 2) v = f32x4.replace_lane(v, 2, load<f32>(at, 8));
  return v;
}

/** The first `count` < 4 lanes. */
// @ts-ignore: decorator
@inline
export function storeSome(at: usize, v: v128, count: i32): void {
  if (count > 0) store<f32>(at, f32x4.extract_lane(v, 0));
  if (count > 1) store<f32>(at, f32x4.extract_lane(v, 1), 4);
  if (count > 2) store<f32>(at, f32x4.extract_lane(v, 2), 8);
}

/** The four lanes added up: (0 + 2) + (1 + 3). */
// @ts-ignore: decorator
@inline
export function laneSum(v: v128): f32 {
  const halves = f32x4.add(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(halves, 0) + f32x4.extract_lane(halves, 1);
}

// @ts-ignore: decorator
@inline
export function laneMax(v: v128): f32 {
  const halves = f32x4.pmax(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return max(f32x4.extract_lane(halves, 0), f32x4.extract_lane(halves, 1));
}
