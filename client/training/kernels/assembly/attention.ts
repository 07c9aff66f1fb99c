/**
 * Causal softmax attention, head by head and a block of queries at a time, so that scores live in the cache only (the
 * idea of Dao et al. 2022): what is kept for the gradient is one number per query, the logarithm of its normaliser.
 *
 *     S = Q K^T / sqrt(size),  P = softmax of S over positions up to the own one,  O = P V
 *     dV = P^T dO,  dP = dO V^T,  dS = P (dP - rowsum(dO O)),  dQ = dS K / sqrt(size),  dK = dS^T Q / sqrt(size)
 *
 * qkv is `[batch, time, 3 width]`: queries, keys and values beside each other, each `heads` parts of `size` numbers.
 */
import { multiply } from './gemm';
import { expBounded4, laneMax, laneSum, loadSome, logPositive, storeSome } from './vectorMath';

/** Queries of a block: its scores against 512 keys are 32 KiB. */
const BLOCK: i32 = 16;

/** Numbers of a row of scores: whole vectors. */
// @ts-ignore: decorator
@inline
function padded(time: i32): i32 {
  return (time + 3) & ~3;
}

/** Bytes of `scratch` of both kernels, before that of the matrix product. */
export function attentionScratchBytes(time: i32, size: i32): usize {
  return (<usize>(3 * padded(time) * size) + <usize>(2 * BLOCK * padded(time)) + <usize>(padded(time))) << 2;
}

/** to `[time, size]` = from * factor, its rows `step` bytes apart. */
function gatherRows(from: usize, step: usize, time: i32, size: i32, factor: f32, to: usize): void {
  for (let i = 0; i < time; i++, from += step) {
    let at = from;
    let j = 0;
    for (; j + 4 <= size; j += 4, at += 16, to += 16) v128.store(to, f32x4.mul(v128.load(at), f32x4.splat(factor)));
    for (; j < size; j++, at += 4, to += 4) store<f32>(to, load<f32>(at) * factor);
  }
}

/** to `[size, padded(time)]`, the transpose of rows that are `step` bytes apart. */
function gatherColumns(from: usize, step: usize, time: i32, size: i32, to: usize): void {
  const row = <usize>padded(time) << 2;
  for (let i = 0; i < time; i++, from += step, to += 4) {
    let at = from;
    let out = to;
    for (let j = 0; j < size; j++, at += 4, out += row) store<f32>(out, load<f32>(at));
  }
}

/** Puts `value` behind position `own`, up to whole vectors. */
// @ts-ignore: decorator
@inline
function fillVector(row: usize, own: i32, value: f32): void {
  for (let j = own + 1; (j & 3) != 0; j++) store<f32>(row + (<usize>j << 2), value);
}

/** No weight on the future: zeros behind position `own`, up to whole vectors of `seen` positions. */
// @ts-ignore: decorator
@inline
function forgetFuture(row: usize, own: i32, seen: i32): void {
  fillVector(row, own, 0);
  const from = <usize>padded(own + 1) << 2;
  memory.fill(row + from, 0, (<usize>padded(seen) << 2) - from);
}

/** out `[batch, time, width]`; `logs` `[batch, heads, time]`: log of the sum of exponentials of each row of scores. */
export function causalAttention(
  qkv: usize, batch: i32, time: i32, heads: i32, size: i32, out: usize, logs: usize, scratch: usize, gemmScratch: usize,
): void {
  const width = heads * size;
  const step = <usize>(3 * width) << 2;
  const outStep = <usize>width << 2;
  const scoreRow = <usize>padded(time) << 2;
  const queries = scratch;
  const keys = queries + (<usize>(padded(time) * size) << 2);
  const scores = keys + (<usize>(padded(time) * size) << 2);
  const factor: f32 = 1 / sqrt<f32>(<f32>size);
  for (let example = 0; example < batch; example++) {
    for (let head = 0; head < heads; head++, logs += <usize>time << 2) {
      const q = qkv + (<usize>example * <usize>time) * step + (<usize>(head * size) << 2);
      const v = q + (<usize>(2 * width) << 2);
      const o = out + (<usize>example * <usize>time) * outStep + (<usize>(head * size) << 2);
      gatherRows(q, step, time, size, factor, queries);
      gatherColumns(q + (<usize>width << 2), step, time, size, keys);
      for (let i0 = 0; i0 < time; i0 += BLOCK) {
        const rows = min(BLOCK, time - i0);
        const seen = i0 + rows;
        multiply(
          queries + (<usize>(i0 * size) << 2), <usize>size << 2, keys, scoreRow, 0, scores, scoreRow,
          rows, seen, size, false, false, false, gemmScratch,
        );
        for (let i = 0; i < rows; i++) {
          const row = scores + <usize>i * scoreRow;
          fillVector(row, i0 + i, -Infinity);
          store<f32>(logs + (<usize>(i0 + i) << 2), softmaxRow(row, padded(i0 + i + 1)));
          forgetFuture(row, i0 + i, seen);
        }
        multiply(
          scores, scoreRow, v, step, 0, o + <usize>i0 * outStep, outStep,
          rows, size, seen, false, false, false, gemmScratch,
        );
      }
    }
  }
}

/** Turns a row of n numbers, a multiple of 4, into its softmax; returns the logarithm of the sum of exponentials. */
function softmaxRow(row: usize, n: i32): f32 {
  const end = row + (<usize>n << 2);
  let most = v128.load(row);
  for (let at = row + 16; at < end; at += 16) most = f32x4.pmax(most, v128.load(at));
  const peak = laneMax(most);
  const peaks = f32x4.splat(peak);
  let sum = f32x4.splat(0);
  for (let at = row; at < end; at += 16) {
    const e = expBounded4(f32x4.sub(v128.load(at), peaks));
    sum = f32x4.add(sum, e);
    v128.store(at, e);
  }
  const normaliser = laneSum(sum);
  const factor = f32x4.splat(1 / normaliser);
  for (let at = row; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), factor));
  return peak + <f32>logPositive(<f64>normaliser);
}

/** dqkv `[batch, time, 3 width]` from `dout`, with what the forward pass read, gave out and kept. */
export function causalAttentionGradient(
  dout: usize, qkv: usize, out: usize, logs: usize, batch: i32, time: i32, heads: i32, size: i32, dqkv: usize,
  scratch: usize, gemmScratch: usize,
): void {
  const width = heads * size;
  const step = <usize>(3 * width) << 2;
  const outStep = <usize>width << 2;
  const scoreRow = <usize>padded(time) << 2;
  const part = <usize>(padded(time) * size) << 2;
  const queries = scratch;
  const keys = queries + part;
  const values = keys + part;
  const scores = values + part;
  const slopes = scores + <usize>BLOCK * scoreRow;
  const means = slopes + <usize>BLOCK * scoreRow;
  const factor: f32 = 1 / sqrt<f32>(<f32>size);
  memory.fill(dqkv, 0, <usize>batch * <usize>time * step);
  for (let example = 0; example < batch; example++) {
    const inputs = (<usize>example * <usize>time) * step;
    const outputs = (<usize>example * <usize>time) * outStep;
    for (let head = 0; head < heads; head++, logs += <usize>time << 2) {
      const at = inputs + (<usize>(head * size) << 2);
      const k = qkv + at + (<usize>width << 2);
      const dq = dqkv + at;
      const dk = dq + (<usize>width << 2);
      const dv = dk + (<usize>width << 2);
      const o = out + outputs + (<usize>(head * size) << 2);
      const d = dout + outputs + (<usize>(head * size) << 2);
      gatherRows(qkv + at, step, time, size, factor, queries);
      gatherColumns(k, step, time, size, keys);
      gatherColumns(k + (<usize>width << 2), step, time, size, values);
      for (let i = 0; i < time; i++) {
        store<f32>(means + (<usize>i << 2), innerProduct(o + <usize>i * outStep, d + <usize>i * outStep, size));
      }
      for (let i0 = 0; i0 < time; i0 += BLOCK) {
        const rows = min(BLOCK, time - i0);
        const seen = i0 + rows;
        const own = queries + (<usize>(i0 * size) << 2);
        const dBlock = d + <usize>i0 * outStep;
        multiply(
          own, <usize>size << 2, keys, scoreRow, 0, scores, scoreRow,
          rows, seen, size, false, false, false, gemmScratch,
        );
        multiply(
          dBlock, outStep, values, scoreRow, 0, slopes, scoreRow,
          rows, seen, size, false, false, false, gemmScratch,
        );
        for (let i = 0; i < rows; i++) {
          const row = scores + <usize>i * scoreRow;
          const slope = slopes + <usize>i * scoreRow;
          const log = f32x4.splat(load<f32>(logs + (<usize>(i0 + i) << 2)));
          const mean = f32x4.splat(load<f32>(means + (<usize>(i0 + i) << 2)));
          const bytes = <usize>padded(i0 + i + 1) << 2;
          for (let j: usize = 0; j < bytes; j += 16) {
            const p = expBounded4(f32x4.sub(v128.load(row + j), log));
            v128.store(row + j, p);
            v128.store(slope + j, f32x4.mul(p, f32x4.sub(v128.load(slope + j), mean)));
          }
          forgetFuture(row, i0 + i, seen);
          forgetFuture(slope, i0 + i, seen);
        }
        multiply(
          slopes, scoreRow, k, step, 0, dq + <usize>i0 * step, step,
          rows, size, seen, false, false, false, gemmScratch,
        );
        multiply(
          scores, scoreRow, dBlock, outStep, 0, dv, step,
          seen, size, rows, true, false, true, gemmScratch,
        );
        multiply(
          slopes, scoreRow, own, <usize>size << 2, 0, dk, step,
          seen, size, rows, true, false, true, gemmScratch,
        );
      }
      scaleRows(dq, step, time, size, factor);
    }
  }
}

function scaleRows(at: usize, step: usize, rows: i32, width: i32, factor: f32): void {
  for (let i = 0; i < rows; i++, at += step) {
    let j = 0;
    for (; j + 4 <= width; j += 4) {
      const place = at + (<usize>j << 2);
      v128.store(place, f32x4.mul(v128.load(place), f32x4.splat(factor)));
    }
    const place = at + (<usize>j << 2);
    storeSome(place, f32x4.mul(loadSome(place, width - j), f32x4.splat(factor)), width - j);
  }
}

function innerProduct(a: usize, b: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, a += 16, b += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(a), v128.load(b)));
  return laneSum(f32x4.add(sum, f32x4.mul(loadSome(a, n - i), loadSome(b, n - i))));
}
