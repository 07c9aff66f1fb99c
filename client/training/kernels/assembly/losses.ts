/**
 * Losses that leave their gradient behind in the same pass: the exponentials that the value needs are those that the
 * gradient is made of.
 *
 *     cross-entropy         -log softmax(x)[label]            (softmax(x) - [label]) / rows
 *     binary cross-entropy  log(1 + e^x) - t x                (sigmoid(x) - t) / rows
 */
import { multiplyAdd, subtractProduct } from './fusedMultiplyAdd';
import { expBounded4, laneMax, laneSum, loadSome, logPositive, ONE, storeSome } from './vectorMath';

/**
 * Mean cross-entropy in nats of logits `[rows, classes]` under `labels` int32 `[rows]`, written to `loss`; its gradient
 * by the logits to `gradient` `[rows, classes]`, unless that is 0. Returns the number of rows whose largest logit is at
 * the label (the first of equals), or -1 - row for a row whose label is no class: nothing may be used then.
 */
export function crossEntropy(logits: usize, labels: usize, rows: i32, classes: i32, loss: usize, gradient: usize): i32 {
  const whole = classes & ~3;
  const rest = classes - whole;
  const share = f32x4.splat(1 / <f32>rows);
  const lowest = f32x4.splat(-Infinity);
  let total: f64 = 0;
  let hits = 0;
  for (let row = 0; row < rows; row++, logits += <usize>classes << 2) {
    const label = load<i32>(labels + (<usize>row << 2));
    if (<u32>label >= <u32>classes) return -1 - row;
    let most = lowest;
    let at = logits;
    for (let j = 0; j < whole; j += 4, at += 16) most = f32x4.pmax(most, v128.load(at));
    let peak = laneMax(most);
    for (let j = 0; j < rest; j++) peak = max(peak, load<f32>(at + (<usize>j << 2)));
    const peaks = f32x4.splat(peak);
    let sum = f32x4.splat(0);
    at = logits;
    let out = gradient;
    for (let j = 0; j < whole; j += 4, at += 16) {
      const e = expBounded4(f32x4.sub(v128.load(at), peaks));
      sum = f32x4.add(sum, e);
      if (gradient != 0) {
        v128.store(out, e);
        out += 16;
      }
    }
    if (rest > 0) {
      // A lane beyond the end must add nothing: e^-87 is nothing beside the 1 of the largest.
      let x = f32x4.sub(loadSome(at, rest), peaks);
      if (rest < 2) x = f32x4.replace_lane(x, 1, -Infinity);
      if (rest < 3) x = f32x4.replace_lane(x, 2, -Infinity);
      x = f32x4.replace_lane(x, 3, -Infinity);
      const e = expBounded4(x);
      sum = f32x4.add(sum, e);
      if (gradient != 0) storeSome(out, e, rest);
    }
    const normaliser = laneSum(sum);
    const own = load<f32>(logits + (<usize>label << 2));
    total += logPositive(<f64>normaliser) - (<f64>own - <f64>peak);
    if (own == peak) {
      // The first of equals is the answer.
      let first = 0;
      while (load<f32>(logits + (<usize>first << 2)) != peak) first++;
      if (first == label) hits++;
    }
    if (gradient != 0) {
      const factor = f32x4.mul(f32x4.div(ONE, f32x4.splat(normaliser)), share);
      const begin = gradient;
      for (let j = 0; j < whole; j += 4, gradient += 16) v128.store(gradient, f32x4.mul(v128.load(gradient), factor));
      if (rest > 0) {
        storeSome(gradient, f32x4.mul(loadSome(gradient, rest), factor), rest);
        gradient += <usize>rest << 2;
      }
      const place = begin + (<usize>label << 2);
      store<f32>(place, load<f32>(place) - f32x4.extract_lane(share, 0));
    }
  }
  store<f32>(loss, <f32>(total / <f64>rows));
  return hits;
}

/** log(1 + u) for 0 <= u <= 1: 2 artanh s, s = u / (2 + u) <= 1/3, its series left after s^13 at 2e-8 of the first term. */
// @ts-ignore: decorator
@inline
function log1p4(u: v128): v128 {
  const s = f32x4.div(u, f32x4.add(u, f32x4.splat(2)));
  const z = f32x4.mul(s, s);
  let sum = multiplyAdd(f32x4.splat(1.0 / 13), z, f32x4.splat(1.0 / 11));
  sum = multiplyAdd(sum, z, f32x4.splat(1.0 / 9));
  sum = multiplyAdd(sum, z, f32x4.splat(1.0 / 7));
  sum = multiplyAdd(sum, z, f32x4.splat(1.0 / 5));
  sum = multiplyAdd(sum, z, f32x4.splat(1.0 / 3));
  sum = multiplyAdd(f32x4.mul(sum, z), s, s);
  return f32x4.add(sum, sum);
}

// @ts-ignore: decorator
@inline
function logisticLoss4(x: v128, t: v128, u: v128): v128 {
  return subtractProduct(f32x4.add(f32x4.pmax(x, f32x4.splat(0)), log1p4(u)), x, t);
}

/** sigmoid(x) from u = e^-|x|: 1 / (1 + u), or u / (1 + u) where x < 0. */
// @ts-ignore: decorator
@inline
function logisticGradient4(x: v128, t: v128, u: v128, share: v128): v128 {
  const top = v128.bitselect(u, ONE, f32x4.lt(x, f32x4.splat(0)));
  return f32x4.mul(f32x4.sub(f32x4.div(top, f32x4.add(ONE, u)), t), share);
}

/**
 * Binary cross-entropy in nats of logits `[rows, width]` under `targets` in 0..1, summed over the width, mean over the
 * rows, written to `loss`; its gradient by the logits to `gradient`, unless that is 0. Returns how many logits say the
 * half that their target lies in: x > 0 where t > 1/2, and only there.
 */
export function binaryCrossEntropy(logits: usize, targets: usize, rows: i32, width: i32, loss: usize, gradient: usize): i32 {
  const share = f32x4.splat(1 / <f32>rows);
  const whole = width & ~3;
  const rest = width - whole;
  const zero = f32x4.splat(0);
  const half = f32x4.splat(0.5);
  let total: f64 = 0;
  let right = i32x4.splat(0);
  let tail = 0;
  for (let row = 0; row < rows; row++) {
    let sum = zero;
    for (let j = 0; j < whole; j += 4, logits += 16, targets += 16) {
      const x = v128.load(logits);
      const t = v128.load(targets);
      const u = expBounded4(f32x4.neg(f32x4.abs(x)));
      sum = f32x4.add(sum, logisticLoss4(x, t, u));
      // A true comparison is -1.
      right = i32x4.sub(right, i32x4.eq(f32x4.gt(x, zero), f32x4.gt(t, half)));
      if (gradient != 0) {
        v128.store(gradient, logisticGradient4(x, t, u, share));
        gradient += 16;
      }
    }
    if (rest > 0) {
      const x = loadSome(logits, rest);
      const t = loadSome(targets, rest);
      const u = expBounded4(f32x4.neg(f32x4.abs(x)));
      const value = logisticLoss4(x, t, u);
      total += <f64>f32x4.extract_lane(value, 0);
      if (rest > 1) total += <f64>f32x4.extract_lane(value, 1);
      if (rest > 2) total += <f64>f32x4.extract_lane(value, 2);
      for (let j = 0; j < rest; j++) {
        const says = load<f32>(logits + (<usize>j << 2)) > 0;
        tail += i32(says == load<f32>(targets + (<usize>j << 2)) > 0.5);
      }
      if (gradient != 0) {
        storeSome(gradient, logisticGradient4(x, t, u, share), rest);
        gradient += <usize>rest << 2;
      }
      logits += <usize>rest << 2;
      targets += <usize>rest << 2;
    }
    total += <f64>laneSum(sum);
  }
  store<f32>(loss, <f32>(total / <f64>rows));
  return tail + i32x4.extract_lane(right, 0) + i32x4.extract_lane(right, 1) + i32x4.extract_lane(right, 2) +
    i32x4.extract_lane(right, 3);
}
