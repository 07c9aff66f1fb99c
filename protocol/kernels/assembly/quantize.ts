/**
 * The border between floats and integers, four coordinates at a time: every operation is the same IEEE 754 operation, in
 * the same precision and order, as in the plain TypeScript that it replaces (client/update, protocol/encoding/fixedPoint),
 * so every bit is the same. Lengths are multiples of 16.
 */

/**
 * Stochastic rounding of (update + error) * unit, see client/update/quantizeStochastic.ts. `randoms` holds one uint32 per
 * coordinate. Writes int16 to `quantized` and float32 to `leftover`; returns how many coordinates did not fit.
 */
export function quantizeStochastic(
  update: usize, error: usize, randoms: usize, length: i32, unit: f64, quantized: usize, leftover: usize,
): i32 {
  const inverse = 1 / unit; // a power of two, as `unit`: division and this multiplication are the same exact shift
  let saturated = i32x4.splat(0);
  for (const end = update + (<usize>length << 2); update < end; ) {
    const updates = v128.load(update);
    const errors = v128.load(error);
    const draws = v128.load(randoms);
    const low = scaledPair(updates, errors, unit);
    const high = scaledPair(upper(updates), upper(errors), unit);
    const roundedLow = roundedPair(low, draws);
    const roundedHigh = roundedPair(high, upper(draws));
    v128.store(leftover, v128.or(leftPair(low, roundedLow, inverse), upperHalf(leftPair(high, roundedHigh, inverse))));
    const keptLow = cut(roundedLow);
    const keptHigh = cut(roundedHigh);
    const kept = v128.shuffle<i64>(i32x4.trunc_sat_f64x2_s_zero(keptLow), i32x4.trunc_sat_f64x2_s_zero(keptHigh), 0, 2);
    saturated = i32x4.sub(
      saturated,
      v128.shuffle<i32>(f64x2.ne(keptLow, roundedLow), f64x2.ne(keptHigh, roundedHigh), 0, 2, 4, 6),
    );
    store<i64>(quantized, i64x2.extract_lane(i16x8.narrow_i32x4_s(kept, kept), 0));
    update += 16;
    error += 16;
    randoms += 16;
    leftover += 16;
    quantized += 8;
  }
  return i32x4.extract_lane(saturated, 0) + i32x4.extract_lane(saturated, 1) + i32x4.extract_lane(saturated, 2)
    + i32x4.extract_lane(saturated, 3);
}

// @ts-ignore: decorator
@inline
function scaledPair(updates: v128, errors: v128, unit: f64): v128 {
  const sum = f64x2.add(f64x2.promote_low_f32x4(updates), f64x2.promote_low_f32x4(errors));
  return f64x2.mul(sum, f64x2.splat(unit));
}

/** Up with the probability of the fraction: 32 random bits as a number in [0, 1) below it. */
// @ts-ignore: decorator
@inline
function roundedPair(scaled: v128, draws: v128): v128 {
  const floor = f64x2.floor(scaled);
  const chance = f64x2.mul(f64x2.convert_low_i32x4_u(draws), f64x2.splat(1.0 / 4294967296.0));
  return f64x2.add(floor, v128.and(f64x2.lt(chance, f64x2.sub(scaled, floor)), f64x2.splat(1)));
}

// @ts-ignore: decorator
@inline
function leftPair(scaled: v128, rounded: v128, inverse: f64): v128 {
  return f32x4.demote_f64x2_zero(f64x2.mul(f64x2.sub(scaled, rounded), f64x2.splat(inverse)));
}

// @ts-ignore: decorator
@inline
function cut(x: v128): v128 {
  return f64x2.pmax(f64x2.splat(-32767), f64x2.pmin(f64x2.splat(32767), x)); // no NaN comes here: one instruction each
}

/** The upper two 32-bit lanes, moved to the lower two. */
// @ts-ignore: decorator
@inline
function upper(x: v128): v128 {
  return v128.shuffle<i64>(x, x, 1, 1);
}

/** The lower two 32-bit lanes, moved to the upper two; zeros below. */
// @ts-ignore: decorator
@inline
function upperHalf(x: v128): v128 {
  return v128.shuffle<i64>(i64x2.splat(0), x, 0, 2);
}

/** Whether no float32 is NaN or infinite (exponent bits all ones). */
export function allFinite(values: usize, length: i32): bool {
  const exponent = i32x4.splat(0x7f800000);
  let bad = i32x4.splat(0);
  for (const end = values + (<usize>length << 2); values < end; values += 16) {
    bad = v128.or(bad, i32x4.eq(v128.and(v128.load(values), exponent), exponent));
  }
  return !v128.any_true(bad);
}

/**
 * a - b in float32, written over a. Rounding the double-precision difference to float32, as TypeScript does, gives the
 * same: 53 bits are more than 2 * 24 + 2 (Figueroa 1995, "When is double rounding innocuous?").
 */
export function subtractFloats(a: usize, b: usize, length: i32): void {
  for (const end = a + (<usize>length << 2); a < end; a += 16, b += 16) {
    v128.store(a, f32x4.sub(v128.load(a), v128.load(b)));
  }
}

/** Float32 times a double, rounded to float32 once, in place. */
export function scaleFloats(values: usize, length: i32, factor: f64): void {
  const by = f64x2.splat(factor);
  for (const end = values + (<usize>length << 2); values < end; values += 16) {
    const x = v128.load(values);
    const low = f32x4.demote_f64x2_zero(f64x2.mul(f64x2.promote_low_f32x4(x), by));
    const high = f32x4.demote_f64x2_zero(f64x2.mul(f64x2.promote_low_f32x4(upper(x)), by));
    v128.store(values, v128.or(low, upperHalf(high)));
  }
}

/** trunc(q * scale / 2^16) on int16, in place; 0 <= scale < 2^16, so the product stays within 32 bits. */
export function scaleIntegers(values: usize, length: i32, scaleQ16: i32): void {
  const scale = i32x4.splat(scaleQ16);
  for (const end = values + (<usize>length << 1); values < end; values += 16) {
    const q = v128.load(values);
    const low = shiftedToZero(i32x4.mul(i32x4.extend_low_i16x8_s(q), scale));
    const high = shiftedToZero(i32x4.mul(i32x4.extend_high_i16x8_s(q), scale));
    v128.store(values, i16x8.narrow_i32x4_s(low, high));
  }
}

/** A shift rounds down; 2^16 - 1 added to what is negative makes it round toward zero. */
// @ts-ignore: decorator
@inline
function shiftedToZero(product: v128): v128 {
  return i32x4.shr_s(i32x4.add(product, i32x4.shr_u(i32x4.shr_s(product, 31), 16)), 16);
}

/** int32 * 2^-F as float32. The conversion is the only rounding: the scale is a power of two. */
export function fixedToFloat(fixed: usize, floats: usize, length: i32, scale: f32): void {
  const by = f32x4.splat(scale);
  for (const end = fixed + (<usize>length << 2); fixed < end; fixed += 16, floats += 16) {
    v128.store(floats, f32x4.mul(f32x4.convert_i32x4_s(v128.load(fixed)), by));
  }
}
