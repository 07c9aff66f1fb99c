/**
 * Layer normalisation over the last side (Ba, Kiros and Hinton 2016), x `[rows, width]`:
 *
 *     h = (x - mean) r,  r = 1 / sqrt(variance + epsilon),  y = gain h + offset
 *     dx = r (g - mean(g) - h mean(g h)),  g = dy gain;   dgain = sum dy h,  doffset = sum dy
 *
 * Mean and r of each row are kept for the gradient. Mean and variance are taken one after the other: the difference of
 * two large sums would lose the digits of the variance.
 */
import { multiplyAdd, subtractProduct } from './fusedMultiplyAdd';
import { laneSum, loadSome, storeSome } from './vectorMath';

/** `stats` `[rows, 2]`: mean and r. */
export function layerNorm(x: usize, gain: usize, offset: usize, rows: i32, width: i32, epsilon: f32, y: usize, stats: usize): void {
  const n = <f32>width;
  const whole = width & ~3;
  const rest = width - whole;
  for (let row = 0; row < rows; row++, stats += 8) {
    let sum = f32x4.splat(0);
    let at = x;
    for (let j = 0; j < whole; j += 4, at += 16) sum = f32x4.add(sum, v128.load(at));
    if (rest > 0) sum = f32x4.add(sum, loadSome(at, rest));
    const mean = laneSum(sum) / n;
    const means = f32x4.splat(mean);
    let squares = f32x4.splat(0);
    at = x;
    for (let j = 0; j < whole; j += 4, at += 16) {
      const d = f32x4.sub(v128.load(at), means);
      squares = multiplyAdd(d, d, squares);
    }
    let tail: f32 = 0;
    for (let j = 0; j < rest; j++) {
      const d = load<f32>(at + (<usize>j << 2)) - mean;
      tail += d * d;
    }
    const r: f32 = 1 / sqrt<f32>((laneSum(squares) + tail) / n + epsilon);
    store<f32>(stats, mean);
    store<f32>(stats, r, 4);
    const scale = f32x4.splat(r);
    let g = gain;
    let o = offset;
    for (let j = 0; j < whole; j += 4, x += 16, y += 16, g += 16, o += 16) {
      const h = f32x4.mul(f32x4.sub(v128.load(x), means), scale);
      v128.store(y, multiplyAdd(h, v128.load(g), v128.load(o)));
    }
    if (rest > 0) {
      const h = f32x4.mul(f32x4.sub(loadSome(x, rest), means), scale);
      storeSome(y, multiplyAdd(h, loadSome(g, rest), loadSome(o, rest)), rest);
      x += <usize>rest << 2;
      y += <usize>rest << 2;
    }
  }
}

/** dx may be dy. `dgain` and `doffset` `[width]` are written, not added to. */
export function layerNormGradient(
  dy: usize, x: usize, gain: usize, stats: usize, rows: i32, width: i32, dx: usize, dgain: usize, doffset: usize,
): void {
  const n = <f32>width;
  const whole = width & ~3;
  const rest = width - whole;
  memory.fill(dgain, 0, <usize>width << 2);
  memory.fill(doffset, 0, <usize>width << 2);
  for (let row = 0; row < rows; row++, stats += 8) {
    const means = f32x4.splat(load<f32>(stats));
    const r = f32x4.splat(load<f32>(stats, 4));
    let sumG = f32x4.splat(0);
    let sumGh = f32x4.splat(0);
    let a = dy;
    let b = x;
    let g = gain;
    let dg = dgain;
    let db = doffset;
    for (let j = 0; j < whole; j += 4, a += 16, b += 16, g += 16, dg += 16, db += 16) {
      const d = v128.load(a);
      const h = f32x4.mul(f32x4.sub(v128.load(b), means), r);
      v128.store(db, f32x4.add(v128.load(db), d));
      v128.store(dg, multiplyAdd(d, h, v128.load(dg)));
      const scaled = f32x4.mul(d, v128.load(g));
      sumG = f32x4.add(sumG, scaled);
      sumGh = multiplyAdd(scaled, h, sumGh);
    }
    if (rest > 0) {
      const d = loadSome(a, rest);
      const h = f32x4.mul(f32x4.sub(loadSome(b, rest), means), r);
      storeSome(db, f32x4.add(loadSome(db, rest), d), rest);
      storeSome(dg, multiplyAdd(d, h, loadSome(dg, rest)), rest);
      const scaled = f32x4.mul(d, loadSome(g, rest));
      sumG = f32x4.add(sumG, scaled);
      sumGh = multiplyAdd(scaled, h, sumGh);
    }
    const meanG = f32x4.splat(laneSum(sumG) / n);
    const meanGh = f32x4.splat(laneSum(sumGh) / n);
    g = gain;
    for (let j = 0; j < whole; j += 4, dy += 16, x += 16, dx += 16, g += 16) {
      const h = f32x4.mul(f32x4.sub(v128.load(x), means), r);
      const scaled = f32x4.sub(f32x4.mul(v128.load(dy), v128.load(g)), meanG);
      v128.store(dx, f32x4.mul(subtractProduct(scaled, h, meanGh), r));
    }
    if (rest > 0) {
      const h = f32x4.mul(f32x4.sub(loadSome(x, rest), means), r);
      const scaled = f32x4.sub(f32x4.mul(loadSome(dy, rest), loadSome(g, rest)), meanG);
      storeSome(dx, f32x4.mul(subtractProduct(scaled, h, meanGh), r), rest);
      dy += <usize>rest << 2;
      x += <usize>rest << 2;
      dx += <usize>rest << 2;
    }
  }
}
