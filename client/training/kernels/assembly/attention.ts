/**
 * Causal softmax attention, head by head, four queries at a time: scores of the forward pass never leave the first-level
 * cache, and the gradient makes them again (the idea of Dao et al. 2022). What is kept per query is the largest score and
 * one over the sum of exponentials. Tiles of four queries and eight keys that lie in the future are never computed.
 *
 *     S = Q K^T / sqrt(size),  P = softmax of S over positions up to the own one,  O = P V
 *     dV = P^T dO,  dP = dO V^T,  dS = P (dP - rowsum(dO O)),  dQ = dS K / sqrt(size),  dK = dS^T Q / sqrt(size)
 *
 * qkv is `[batch, time, 3 width]`: queries, keys and values beside each other, each `heads` parts of `size` numbers.
 */
import { multiplyAdd } from './fusedMultiplyAdd';
import { multiplyPanels, packPanels, panelNumbers, upTo4, upTo8 } from './panels';
import { multiplyPanel } from './tiles';
import { expBounded4, laneMax, laneSum, loadSome, storeSome } from './vectorMath';

/** Bytes of `scratch` of the forward pass: panels of keys and values, four queries, their scores, their results. */
export function attentionScratchBytes(time: i32, size: i32): usize {
  const panels = panelNumbers(size, time) + panelNumbers(upTo4(time), size);
  return <usize>(panels + 4 * size + 4 * upTo8(time) + 4 * upTo8(size)) << 2;
}

/** Of the gradient: all weights of a head and their slopes, everything else packed. */
export function attentionGradientScratchBytes(time: i32, size: i32): usize {
  const byKey = 2 * panelNumbers(size, time);
  const byPosition = 3 * panelNumbers(upTo4(time), size);
  const weights = 2 * upTo4(time) * upTo8(time);
  return <usize>(byKey + byPosition + upTo4(time) * size + weights + 4 * upTo8(size)) << 2;
}

/** to `[rows, size]` = from * factor, its rows `step` bytes apart; zeros up to a multiple of four rows. */
function gatherRows(from: usize, step: usize, rows: i32, size: i32, factor: f32, to: usize): void {
  for (let i = 0; i < rows; i++, from += step, to += <usize>size << 2) copyScaled(from, to, size, factor);
  memory.fill(to, 0, <usize>((upTo4(rows) - rows) * size) << 2);
}

function copyScaled(from: usize, to: usize, n: i32, factor: f32): void {
  let j = 0;
  for (; j + 4 <= n; j += 4, from += 16, to += 16) v128.store(to, f32x4.mul(v128.load(from), f32x4.splat(factor)));
  storeSome(to, f32x4.mul(loadSome(from, n - j), f32x4.splat(factor)), n - j);
}

/** Panels of `[time, size]` whose rows are `step` bytes apart; zeros up to a multiple of four steps. */
function packPositions(from: usize, step: usize, time: i32, size: i32, to: usize): void {
  const inner = upTo4(time);
  for (let j = 0; j < size; j += 8, from += 32, to += <usize>inner << 5) {
    packPanels(from, step, 4, time, min(8, size - j), to);
    memory.fill(to + (<usize>time << 5), 0, <usize>(inner - time) << 5);
  }
}

/** Puts `value` behind position `own`, up to whole vectors. */
// @ts-ignore: decorator
@inline
function fillVector(row: usize, own: i32, value: f32): void {
  for (let j = own + 1; (j & 3) != 0; j++) store<f32>(row + (<usize>j << 2), value);
}

/** out `[batch, time, width]`; `stats` `[batch, heads, time, 2]`: largest score, one over the sum of exponentials. */
export function causalAttention(
  qkv: usize, batch: i32, time: i32, heads: i32, size: i32, out: usize, stats: usize, scratch: usize,
): void {
  const width = heads * size;
  const step = <usize>(3 * width) << 2;
  const outStep = <usize>width << 2;
  const scoreRow = <usize>upTo8(time) << 2;
  const resultRow = <usize>upTo8(size) << 2;
  const keys = scratch;
  const values = keys + (<usize>panelNumbers(size, time) << 2);
  const queries = values + (<usize>panelNumbers(upTo4(time), size) << 2);
  const scores = queries + (<usize>size << 4);
  const results = scores + (scoreRow << 2);
  const factor: f32 = 1 / sqrt<f32>(<f32>size);
  for (let example = 0; example < batch; example++) {
    for (let head = 0; head < heads; head++) {
      const q = qkv + (<usize>example * <usize>time) * step + (<usize>(head * size) << 2);
      const k = q + (<usize>width << 2);
      const o = out + (<usize>example * <usize>time) * outStep + (<usize>(head * size) << 2);
      packPanels(k, 4, step, size, time, keys);
      packPositions(k + (<usize>width << 2), step, time, size, values);
      for (let i0 = 0; i0 < time; i0 += 4) {
        const rows = min(4, time - i0);
        gatherRows(q + <usize>i0 * step, step, rows, size, factor, queries);
        multiplyPanels(queries, <usize>size << 2, keys, size, scores, scoreRow, 4, upTo8(i0 + 4), size, false, 0);
        for (let i = 0; i < rows; i++, stats += 8) {
          const row = scores + <usize>i * scoreRow;
          fillVector(row, i0 + i, -Infinity);
          exponentials(row, i0 + 4, stats);
          fillVector(row, i0 + i, 0);
        }
        for (let i = rows; i < 4; i++) memory.fill(scores + <usize>i * scoreRow, 0, <usize>(i0 + 4) << 2);
        multiplyPanels(scores, scoreRow, values, upTo4(time), results, resultRow, 4, upTo8(size), i0 + 4, false, 0);
        for (let i = 0; i < rows; i++) {
          const sum = load<f32>(stats - (<usize>(rows - i) << 3), 4);
          copyScaled(results + <usize>i * resultRow, o + <usize>(i0 + i) * outStep, size, sum);
        }
      }
    }
  }
}

/** Turns a row of n scores, a multiple of 4, into e^(score - largest), and notes what makes weights of them. */
function exponentials(row: usize, n: i32, stats: usize): void {
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
  store<f32>(stats, peak);
  store<f32>(stats, 1 / laneSum(sum), 4);
}

/** dqkv `[batch, time, 3 width]` from `dout`, with what the forward pass read, gave out and kept. */
export function causalAttentionGradient(
  dout: usize, qkv: usize, out: usize, stats: usize, batch: i32, time: i32, heads: i32, size: i32, dqkv: usize,
  scratch: usize,
): void {
  const width = heads * size;
  const step = <usize>(3 * width) << 2;
  const outStep = <usize>width << 2;
  const part = <usize>width << 2;
  const scoreRow = <usize>upTo8(time) << 2;
  const resultRow = <usize>upTo8(size) << 2;
  const padded = upTo4(time);
  const byKey = <usize>panelNumbers(size, time) << 2;
  const byPosition = <usize>panelNumbers(padded, size) << 2;
  const keys = scratch;
  const values = keys + byKey;
  const keyRows = values + byKey;
  const queryRows = keyRows + byPosition;
  const slopeRows = queryRows + byPosition;
  const queries = slopeRows + byPosition;
  const weights = queries + (<usize>(padded * size) << 2);
  const slopes = weights + <usize>padded * scoreRow;
  const results = slopes + <usize>padded * scoreRow;
  const factor: f32 = 1 / sqrt<f32>(<f32>size);
  for (let example = 0; example < batch; example++) {
    for (let head = 0; head < heads; head++) {
      const offset = <usize>(head * size) << 2;
      const at = (<usize>example * <usize>time) * step + offset;
      const q = qkv + at;
      const dq = dqkv + at;
      const o = out + (<usize>example * <usize>time) * outStep + offset;
      const d = dout + (<usize>example * <usize>time) * outStep + offset;
      gatherRows(q, step, time, size, factor, queries);
      packPanels(q + part, 4, step, size, time, keys);
      packPanels(q + 2 * part, 4, step, size, time, values);
      packPositions(q + part, step, time, size, keyRows);
      packPositions(queries, <usize>size << 2, time, size, queryRows);
      packPositions(d, outStep, time, size, slopeRows);
      for (let i0 = 0; i0 < time; i0 += 4) {
        const rows = min(4, time - i0);
        const row = weights + <usize>i0 * scoreRow;
        const slope = slopes + <usize>i0 * scoreRow;
        const tile = upTo8(i0 + 4);
        const from = queries + (<usize>(i0 * size) << 2);
        multiplyPanels(from, <usize>size << 2, keys, size, row, scoreRow, 4, tile, size, false, 0);
        // Rows that are not there: the last one again. They are cleared below.
        multiplyPanels(d + <usize>i0 * outStep, outStep, values, size, slope, scoreRow, rows, tile, size, false, results);
        for (let i = 0; i < rows; i++, stats += 8) {
          const mean = innerProduct(o + <usize>(i0 + i) * outStep, d + <usize>(i0 + i) * outStep, size);
          weigh(row + <usize>i * scoreRow, slope + <usize>i * scoreRow, i0 + 4, stats, mean);
          fillVector(row + <usize>i * scoreRow, i0 + i, 0);
          fillVector(slope + <usize>i * scoreRow, i0 + i, 0);
        }
        for (let i = rows; i < 4; i++) memory.fill(slope + <usize>i * scoreRow, 0, <usize>(i0 + 4) << 2);
        multiplyPanels(slope, scoreRow, keyRows, padded, results, resultRow, 4, upTo8(size), i0 + 4, false, 0);
        writeRows(results, resultRow, dq + <usize>i0 * step, step, rows, size, factor);
      }
      addUp(slopes, scoreRow, queryRows, time, size, results, dq + part, step);
      addUp(weights, scoreRow, slopeRows, time, size, results, dq + 2 * part, step);
    }
  }
}

/** Scores become weights, slopes of weights those of scores, over n positions, a multiple of 4. */
function weigh(row: usize, slope: usize, n: i32, stats: usize, mean: f32): void {
  const peak = f32x4.splat(load<f32>(stats));
  const share = f32x4.splat(load<f32>(stats, 4));
  const means = f32x4.splat(mean);
  for (const end = row + (<usize>n << 2); row < end; row += 16, slope += 16) {
    const p = f32x4.mul(expBounded4(f32x4.sub(v128.load(row), peak)), share);
    v128.store(row, p);
    v128.store(slope, f32x4.mul(p, f32x4.sub(v128.load(slope), means)));
  }
}

/** to `[time, size]` = the transpose of a lower triangle `[time, time]` times packed rows: only what is not zero. */
function addUp(
  triangle: usize, row: usize, panels: usize, time: i32, size: i32, results: usize, to: usize, step: usize,
): void {
  const resultRow = <usize>upTo8(size) << 2;
  for (let j = 0; j < time; j += 4) {
    const numbers = triangle + <usize>j * row + (<usize>j << 2);
    let panel = panels + (<usize>j << 5);
    for (let x = 0; x < size; x += 8, panel += <usize>upTo4(time) << 5) {
      multiplyPanel(
        numbers, 4, row, 4, 8, panel, 32, time - j, 0, results + (<usize>x << 2), resultRow, false, false, 0,
      );
    }
    writeRows(results, resultRow, to + <usize>j * step, step, min(4, time - j), size, 1);
  }
}

function writeRows(from: usize, fromRow: usize, to: usize, toRow: usize, rows: i32, size: i32, factor: f32): void {
  for (let i = 0; i < rows; i++, from += fromRow, to += toRow) copyScaled(from, to, size, factor);
}

function innerProduct(a: usize, b: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4, a += 16, b += 16) sum = multiplyAdd(v128.load(a), v128.load(b), sum);
  return laneSum(multiplyAdd(loadSome(a, n - i), loadSome(b, n - i), sum));
}
