/**
 * x y + z with one rounding (IEEE 754-2019, 5.4.1 fusedMultiplyAdd): one instruction where there were two, and half the
 * rounding error.
 *
 * WASM's relaxed instruction may round once or twice, whichever the processor does; those without a fused one are from
 * before 2013. This module is therefore compiled twice: with the instruction, and with a function that gives the same
 * bits by other means. `kernelModule.ts` tries the first, and where it rounds twice takes the second: many times
 * slower (about thirty), never different.
 *
 * That function computes in double precision. The product of two singles is exact there; the sum is not, and to round it
 * again to single is wrong where the first rounding lands on the middle between two singles. There the first rounds to
 * odd: an inexact sum takes the neighbour whose last bit is one (Boldo and Melquiond, "Emulation of FMA and correctly
 * rounded sums: proved algorithms using rounding to odd", 2008, theorem 1), which no single and no middle is.
 */

/** x y + z */
// @ts-ignore: decorator
@inline
export function multiplyAdd(x: v128, y: v128, z: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(x, y, z);
  return emulated(x, y, z);
}

/** z - x y */
// @ts-ignore: decorator
@inline
export function subtractProduct(z: v128, x: v128, y: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(x, y, z);
  return emulated(f32x4.neg(x), y, z);
}

/** Four numbers of each, at addresses: for the choice between the two modules, and for tests. */
export function multiplyAddAt(x: usize, y: usize, z: usize, out: usize): void {
  v128.store(out, multiplyAdd(v128.load(x), v128.load(y), v128.load(z)));
}

function emulated(x: v128, y: v128, z: v128): v128 {
  const low = f64x2.add(f64x2.mul(firstTwo(x), firstTwo(y)), firstTwo(z));
  const high = f64x2.add(f64x2.mul(lastTwo(x), lastTwo(y)), lastTwo(z));
  if (v128.any_true(v128.or(isDoubtful(low), isDoubtful(high)))) return carefullyEmulated(x, y, z);
  return toSingles(low, high);
}

/** Where rounding a rounded double again may go wrong: on the middle between two singles, and where singles lose digits. */
function isDoubtful(sum: v128): v128 {
  const belowSingle = v128.and(sum, i64x2.splat(0x1fffffff));
  const size = f64x2.abs(sum);
  const isSmall = v128.and(f64x2.lt(size, f64x2.splat(1.1754943508222875e-38)), f64x2.gt(size, f64x2.splat(0)));
  return v128.or(i64x2.eq(belowSingle, i64x2.splat(0x10000000)), isSmall);
}

function carefullyEmulated(x: v128, y: v128, z: v128): v128 {
  const low = toOdd(firstTwo(x), firstTwo(y), firstTwo(z));
  return toSingles(low, toOdd(lastTwo(x), lastTwo(y), lastTwo(z)));
}

function toSingles(low: v128, high: v128): v128 {
  return v128.shuffle<f64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

function firstTwo(v: v128): v128 {
  return f64x2.promote_low_f32x4(v);
}

function lastTwo(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<f64>(v, v, 1, 1));
}

/** Of two doubles that are singles each: x y + z, rounded to odd. */
function toOdd(x: v128, y: v128, z: v128): v128 {
  const product = f64x2.mul(x, y);
  const sum = f64x2.add(product, z);
  // What the sum lost (Knuth, The Art of Computer Programming 2, 4.2.2, theorem B); NaN beside what is not finite.
  const part = f64x2.sub(sum, product);
  const error = f64x2.add(f64x2.sub(product, f64x2.sub(sum, part)), f64x2.sub(z, part));
  const zero = f64x2.splat(0);
  const inexact = v128.or(f64x2.lt(error, zero), f64x2.gt(error, zero));
  const even = i64x2.eq(v128.and(sum, i64x2.splat(1)), i64x2.splat(0));
  // Bits of a double are in the order of its size: one up where error and sum have one sign, else one down.
  const step = v128.or(i64x2.shr_s(v128.xor(error, sum), 63), i64x2.splat(1));
  return i64x2.add(sum, v128.and(step, v128.and(inexact, even)));
}
