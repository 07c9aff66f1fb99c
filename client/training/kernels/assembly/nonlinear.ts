/**
 * Activations and their gradients. relu, tanh and sigmoid know their derivative from what came out; gelu's is made with its
 * value:
 *
 *     relu: [y > 0]    tanh: 1 - y^2    sigmoid: y (1 - y)
 *     gelu(x) = x s, s = sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x^3)    gelu'(x) = s + 2 x s (1 - s) u'
 *
 * gelu is its tanh form (Hendrycks and Gimpel 2016): (1 + tanh u) / 2 is sigmoid(2 u).
 */
import { multiplyAdd, subtractProduct } from './fusedMultiplyAdd';
import { exp4, loadSome, ONE, sigmoid4, storeSome, tanh4 } from './vectorMath';

/** The numbers of client/training/tfjs/ops/denseOperation.ts and client/training/kernels/exponentials.ts. */
const LINEAR: i32 = 0;
const RELU: i32 = 1;
const TANH: i32 = 2;
const SIGMOID: i32 = 3;
const GELU: i32 = 4;
const EXP: i32 = 5;

export let CUBIC: v128 = f32x4(0.044715, 0.044715, 0.044715, 0.044715);
export let THREE: v128 = f32x4(3, 3, 3, 3);
/** 2 sqrt(2 / pi). */
export let TWICE_ROOT: v128 = f32x4(1.5957691216057308, 1.5957691216057308, 1.5957691216057308, 1.5957691216057308);

// @ts-ignore: decorator
@inline
function gelu4(x: v128): v128 {
  const twice = f32x4.mul(f32x4.mul(multiplyAdd(f32x4.mul(x, x), CUBIC, ONE), x), TWICE_ROOT);
  return f32x4.mul(x, sigmoid4(twice));
}

// @ts-ignore: decorator
@inline
function geluWithSlope(x: v128, y: usize, slope: usize, count: i32): void {
  const cubic = f32x4.mul(f32x4.mul(x, x), CUBIC);
  const s = sigmoid4(f32x4.mul(f32x4.mul(f32x4.add(cubic, ONE), x), TWICE_ROOT));
  const value = f32x4.mul(x, s);
  const rise = f32x4.mul(multiplyAdd(cubic, THREE, ONE), TWICE_ROOT);
  const rising = multiplyAdd(f32x4.mul(value, f32x4.sub(ONE, s)), rise, s);
  if (count >= 4) {
    v128.store(y, value);
    v128.store(slope, rising);
  } else {
    storeSome(y, value, count);
    storeSome(slope, rising, count);
  }
}

/** y = gelu(x), and its derivative, which shares the exponential, to `slope`; either may be x. */
export function geluAndSlope(x: usize, y: usize, slope: usize, n: i32): void {
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16, y += 16, slope += 16) geluWithSlope(v128.load(x), y, slope, 4);
  geluWithSlope(loadSome(x, n - i), y, slope, n - i);
}

// @ts-ignore: decorator
@inline
function activated(kind: i32, x: v128): v128 {
  if (kind == RELU) return f32x4.pmax(x, f32x4.splat(0));
  if (kind == TANH) return tanh4(x);
  if (kind == SIGMOID) return sigmoid4(x);
  if (kind == GELU) return gelu4(x);
  if (kind == EXP) return exp4(x);
  return x;
}

/** dy times the derivative, from `known`: the output, for gelu the derivative itself. */
// @ts-ignore: decorator
@inline
function slanted(kind: i32, dy: v128, known: v128): v128 {
  if (kind == RELU) return v128.and(dy, f32x4.gt(known, f32x4.splat(0)));
  if (kind == TANH) return f32x4.mul(dy, subtractProduct(ONE, known, known));
  if (kind == SIGMOID) return f32x4.mul(dy, f32x4.mul(known, f32x4.sub(ONE, known)));
  if (kind == GELU) return f32x4.mul(dy, known);
  return dy;
}

// @ts-ignore: decorator
@inline
function activateAs(kind: i32, x: usize, y: usize, n: i32): void {
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16, y += 16) v128.store(y, activated(kind, v128.load(x)));
  storeSome(y, activated(kind, loadSome(x, n - i)), n - i);
}

/** y = activation(x) over n numbers; y may be x. */
export function activate(kind: i32, x: usize, y: usize, n: i32): void {
  // One loop per kind: the choice stays outside.
  if (kind == RELU) activateAs(RELU, x, y, n);
  else if (kind == TANH) activateAs(TANH, x, y, n);
  else if (kind == SIGMOID) activateAs(SIGMOID, x, y, n);
  else if (kind == GELU) activateAs(GELU, x, y, n);
  else if (kind == EXP) activateAs(EXP, x, y, n);
  else memory.copy(y, x, <usize>n << 2);
}

// @ts-ignore: decorator
@inline
function gradientAs(kind: i32, dy: usize, known: usize, dx: usize, n: i32): void {
  let i = 0;
  for (; i + 4 <= n; i += 4, dy += 16, known += 16, dx += 16) {
    v128.store(dx, slanted(kind, v128.load(dy), v128.load(known)));
  }
  storeSome(dx, slanted(kind, loadSome(dy, n - i), loadSome(known, n - i)), n - i);
}

/** dx = dy activation'(...) over n numbers; dx may be dy. */
export function activationGradient(kind: i32, dy: usize, known: usize, dx: usize, n: i32): void {
  if (kind == RELU) gradientAs(RELU, dy, known, dx, n);
  else if (kind == TANH) gradientAs(TANH, dy, known, dx, n);
  else if (kind == SIGMOID) gradientAs(SIGMOID, dy, known, dx, n);
  else if (kind == GELU) gradientAs(GELU, dy, known, dx, n);
  else memory.copy(dx, dy, <usize>n << 2);
}

/** y = factor x over n numbers, the factor standing at an address; y may be x. */
export function scale(x: usize, factor: usize, y: usize, n: i32): void {
  const by = v128.load_splat<f32>(factor);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16, y += 16) v128.store(y, f32x4.mul(v128.load(x), by));
  storeSome(y, f32x4.mul(loadSome(x, n - i), by), n - i);
}
