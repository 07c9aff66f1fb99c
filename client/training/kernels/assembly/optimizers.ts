/**
 * Optimiser steps on weights where they lie.
 *
 *     sgd    v = m v + g,  w = w - rate v                            (Polyak 1964; m = 0 keeps no v)
 *     adam   a = b1 a + (1 - b1) g,  s = b2 s + (1 - b2) g^2,
 *            w = w - rate (a / c1) / (sqrt(s / c2) + epsilon),  c = 1 - b^t   (Kingma and Ba 2015, algorithm 1)
 */
import { multiplyAdd, subtractProduct } from './fusedMultiplyAdd';
import { loadSome, storeSome } from './vectorMath';

/** w -= rate g, over n numbers. */
export function sgdPlain(w: usize, g: usize, n: i32, rate: f32): void {
  const by = f32x4.splat(rate);
  let i = 0;
  for (; i + 4 <= n; i += 4, w += 16, g += 16) {
    v128.store(w, subtractProduct(v128.load(w), v128.load(g), by));
  }
  const rest = n - i;
  storeSome(w, subtractProduct(loadSome(w, rest), loadSome(g, rest), by), rest);
}

/** v = momentum v + g; w -= rate v. */
export function sgdMomentum(w: usize, g: usize, v: usize, n: i32, rate: f32, momentum: f32): void {
  const by = f32x4.splat(rate);
  const keep = f32x4.splat(momentum);
  let i = 0;
  for (; i + 4 <= n; i += 4, w += 16, g += 16, v += 16) {
    const velocity = multiplyAdd(v128.load(v), keep, v128.load(g));
    v128.store(v, velocity);
    v128.store(w, subtractProduct(v128.load(w), velocity, by));
  }
  const rest = n - i;
  const velocity = multiplyAdd(loadSome(v, rest), keep, loadSome(g, rest));
  storeSome(v, velocity, rest);
  storeSome(w, subtractProduct(loadSome(w, rest), velocity, by), rest);
}

/** One step of Adam; `correction1` and `correction2` are 1 - beta^t of this step. */
export function adam(
  w: usize, g: usize, mean: usize, square: usize, n: i32,
  rate: f32, beta1: f32, beta2: f32, epsilon: f32, correction1: f32, correction2: f32,
): void {
  for (let i = 0; i < n; i += 4, w += 16, g += 16, mean += 16, square += 16) {
    const count = n - i;
    const full = count >= 4;
    const gradient = full ? v128.load(g) : loadSome(g, count);
    let a = full ? v128.load(mean) : loadSome(mean, count);
    let s = full ? v128.load(square) : loadSome(square, count);
    let x = full ? v128.load(w) : loadSome(w, count);
    a = multiplyAdd(a, f32x4.splat(beta1), f32x4.mul(gradient, f32x4.splat(1 - beta1)));
    s = multiplyAdd(s, f32x4.splat(beta2), f32x4.mul(f32x4.mul(gradient, gradient), f32x4.splat(1 - beta2)));
    const root = f32x4.add(f32x4.sqrt(f32x4.div(s, f32x4.splat(correction2))), f32x4.splat(epsilon));
    x = subtractProduct(x, f32x4.div(f32x4.div(a, f32x4.splat(correction1)), root), f32x4.splat(rate));
    if (full) {
      v128.store(mean, a);
      v128.store(square, s);
      v128.store(w, x);
    } else {
      storeSome(mean, a, count);
      storeSome(square, s, count);
      storeSome(w, x, count);
    }
  }
}
