/**
 * The server step of `aggregation/serverStep.ts`, whose bounds make every float64 operation here exact. The models and
 * states are replaced in place. Rates and moments come as they are used: lr * 2^-16 and so on, powers of two being exact.
 */

// @ts-ignore: decorator
@inline
function upperHalf(v: v128): v128 {
  return v128.shuffle<i32>(v, v, 2, 3, 2, 3);
}

/** Two float64 pairs of integers as four int32, saturated. */
// @ts-ignore: decorator
@inline
function saturate(a: v128, b: v128): v128 {
  return v128.shuffle<i64>(i32x4.trunc_sat_f64x2_s_zero(a), i32x4.trunc_sat_f64x2_s_zero(b), 0, 2);
}

/**
 * sat(trunc(numerator * scale / denominator)) of four int32 numerators, without a division. With N / D the fraction in
 * whole numbers, (|N| + 1/2) / D has the same whole part as |N| / D and is at least 1 / (2 D) away from any other; that
 * absorbs what rounding does to it, at most 2^-51 of it, while |N| < 2^49. `factor` is scale / denominator, `half` is
 * 1 / (2 D).
 */
// @ts-ignore: decorator
@inline
function quotients(n: v128, factor: v128, half: v128): v128 {
  const signs = f64x2.splat(-0.0);
  const a = f64x2.mul(f64x2.convert_low_i32x4_s(n), factor);
  const b = f64x2.mul(f64x2.convert_low_i32x4_s(upperHalf(n)), factor);
  return saturate(
    f64x2.add(a, v128.or(v128.and(a, signs), half)), // the conversion truncates
    f64x2.add(b, v128.or(v128.and(b, signs), half)),
  );
}

/** int32 out = `quotients` of int32 numerators; `out` may be `numerators`. */
export function deltasOfInt32(numerators: usize, out: usize, length: usize, factor: f64, half: f64): void {
  const f = f64x2.splat(factor);
  const h = f64x2.splat(half);
  for (const end = numerators + (length << 2); numerators < end; numerators += 16, out += 16) {
    v128.store(out, quotients(v128.load(numerators), f, h));
  }
}

/** FedAvg at a learning rate of 1, of four coordinates: w' = sat(w + `quotients`). */
// @ts-ignore: decorator
@inline
export function movedByQuotients(w: v128, numerators: v128, factor: v128, half: v128): v128 {
  return moveBy(w, quotients(numerators, factor, half));
}

/** w' = sat(w + delta). */
// @ts-ignore: decorator
@inline
export function moveBy(w: v128, delta: v128): v128 {
  const sum = i32x4.add(w, delta);
  // Left int32 where both have the sign that the sum has not: INT32_MAX for positive ones, INT32_MIN for negative.
  const left = i32x4.shr_s(v128.and(v128.xor(sum, w), v128.xor(sum, delta)), 31);
  const edge = v128.xor(i32x4.shr_s(sum, 31), i32x4.splat(i32.MIN_VALUE));
  return v128.bitselect(edge, sum, left);
}

/** The same of a vector of int32 numerators. */
export function fedAvgOfInt32(numerators: usize, model: usize, length: usize, factor: f64, half: f64): void {
  const f = f64x2.splat(factor);
  const h = f64x2.splat(half);
  for (const end = numerators + (length << 2); numerators < end; numerators += 16, model += 16) {
    v128.store(model, movedByQuotients(v128.load(model), v128.load(numerators), f, h));
  }
}

// @ts-ignore: decorator
@inline
function scaledQuotient(n: v128, s: v128, d: v128): v128 {
  const whole = f64x2.trunc(f64x2.div(n, d));
  const rest = f64x2.sub(n, f64x2.mul(whole, d));
  return f64x2.add(f64x2.mul(whole, s), f64x2.trunc(f64x2.div(f64x2.mul(rest, s), d)));
}

/** The same from float64 numerators: quotient and remainder apart, so that nothing leaves 2^52. */
export function deltasOfFloat64(numerators: usize, out: usize, length: usize, scale: f64, denominator: f64): void {
  const s = f64x2.splat(scale);
  const d = f64x2.splat(denominator);
  for (const end = numerators + (length << 3); numerators < end; numerators += 32, out += 16) {
    const a = scaledQuotient(v128.load(numerators), s, d);
    const b = scaledQuotient(v128.load(numerators, 16), s, d);
    v128.store(out, saturate(a, b));
  }
}

/** w' = sat(w + trunc(rate * direction)). */
// @ts-ignore: decorator
@inline
function moved(w: v128, direction: v128, rate: v128): v128 {
  const a = f64x2.trunc(f64x2.mul(f64x2.convert_low_i32x4_s(direction), rate));
  const b = f64x2.trunc(f64x2.mul(f64x2.convert_low_i32x4_s(upperHalf(direction)), rate));
  return saturate(
    f64x2.add(f64x2.convert_low_i32x4_s(w), a),
    f64x2.add(f64x2.convert_low_i32x4_s(upperHalf(w)), b),
  );
}

/** FedAvg. `rate` is lr * 2^-16. */
export function fedAvg(deltas: usize, model: usize, length: usize, rate: f64): void {
  const r = f64x2.splat(rate);
  for (const end = deltas + (length << 2); deltas < end; deltas += 16, model += 16) {
    v128.store(model, moved(v128.load(model), v128.load(deltas), r));
  }
}

/** FedAvgM. `momentum` is beta1 * 2^-16. */
export function fedAvgM(deltas: usize, model: usize, velocity: usize, length: usize, rate: f64, momentum: f64): void {
  const r = f64x2.splat(rate);
  const beta = f64x2.splat(momentum);
  for (const end = deltas + (length << 2); deltas < end; deltas += 16, model += 16, velocity += 16) {
    // A velocity moves as a model does: v' = sat(delta + trunc(beta * v)).
    const v = moved(v128.load(deltas), v128.load(velocity), beta);
    v128.store(velocity, v);
    v128.store(model, moved(v128.load(model), v, r));
  }
}

// @ts-ignore: decorator
@inline
function saturated(x: f64): i32 {
  return <i32>min(max(x, -2147483648.0), 2147483647.0);
}

const ADAGRAD: u32 = 0;
const ADAM: u32 = 1;
const SECOND_MOMENT_MAX: u64 = (1 << 62) - 1;

/** floor(sqrt(v)): a float64 root is off by one at most. */
// @ts-ignore: decorator
@inline
function squareRoot(v: u64): u64 {
  // Next moments fit the signed conversion, which machines have; a published state may hold anything.
  let root = v <= SECOND_MOMENT_MAX ? <u64>(<u32>(<i32>sqrt<f64>(<f64>(<i64>v)))) : <u64>sqrt<f64>(<f64>v);
  if (root > u32.MAX_VALUE) root = u32.MAX_VALUE;
  const square = root * root;
  if (square > v) root--;
  else if (v - square > root + root) root++;
  return root;
}

/** floor(factor * x / 2^16) for factor <= 2^16. */
// @ts-ignore: decorator
@inline
function share(factor: u64, x: u64): u64 {
  return factor * (x >> 16) + ((factor * (x & 0xffff)) >> 16);
}

/** From any v, and square <= 2^62; nothing leaves 64 bits. */
// @ts-ignore: decorator
@inline
function nextSecondMoment(kind: u32, v: u64, square: u64, beta2: u64): u64 {
  const rest = 0x10000 - beta2;
  let next: u64;
  if (kind == ADAGRAD) next = min(v, SECOND_MOMENT_MAX) + square;
  else if (kind == ADAM) {
    next = beta2 * (v >> 16) + rest * (square >> 16) + ((beta2 * (v & 0xffff) + rest * (square & 0xffff)) >> 16);
  } else if (v < square) next = v + share(rest, square - v);
  else next = v - share(rest, v - square);
  return min(next, SECOND_MOMENT_MAX);
}

/** w' from m' and v'. */
// @ts-ignore: decorator
@inline
function adapted(w: i32, moment: i32, v: u64, rate: f64, adaptivity: f64): i32 {
  const ratio = trunc((<f64>moment * 65536.0) / (<f64>squareRoot(v) + adaptivity));
  const clamped = min(max(ratio, -2147483647.0), 2147483647.0);
  return saturated(<f64>w + trunc(clamped * rate));
}

// @ts-ignore: decorator
@inline
function secondMoment(state: usize, plane: usize): u64 {
  return <u64>load<u32>(state + plane) | (<u64>load<u32>(state + plane * 2) << 32);
}

/**
 * FedAdagrad, FedAdam, FedYogi (`kind` 0, 1, 2) over one chunk, whose state is three planes of `length` int32: m, the low
 * and the high half of v. `beta1` and `beta2` are over 2^16, `rate` is lr * 2^(F-32).
 */
export function fedAdaptive(
  kind: u32,
  deltas: usize,
  model: usize,
  state: usize,
  length: usize,
  rate: f64,
  beta1: f64,
  beta2: u32,
  adaptivity: f64,
): void {
  const plane = length << 2;
  for (const end = deltas + plane; deltas < end; deltas += 4, model += 4, state += 4) {
    const delta = load<i32>(deltas);
    const sum = beta1 * <f64>load<i32>(state) + (65536.0 - beta1) * <f64>delta;
    const moment = saturated(trunc(sum * (1.0 / 65536.0)));
    const next = nextSecondMoment(kind, secondMoment(state, plane), <u64>(<i64>delta * <i64>delta), <u64>beta2);
    store<i32>(state, moment);
    store<u32>(state + plane, <u32>next);
    store<u32>(state + plane * 2, <u32>(next >> 32));
    store<i32>(model, adapted(load<i32>(model), moment, next, rate, adaptivity));
  }
}

/** The last line of the adaptive steps alone: `modelFromState` of the reference. */
export function fedAdaptiveModel(model: usize, state: usize, length: usize, rate: f64, adaptivity: f64): void {
  const plane = length << 2;
  for (const end = model + plane; model < end; model += 4, state += 4) {
    store<i32>(model, adapted(load<i32>(model), load<i32>(state), secondMoment(state, plane), rate, adaptivity));
  }
}
