/**
 * One layer of long short-term memory over a whole sequence (Hochreiter and Schmidhuber 1997, with the forget gate of
 * Gers et al. 2000), and back through time, one call each. Gates lie in Keras' order: input, forget, candidate, output.
 *
 *     z_t = drive_t + h_(t-1) R              R `[units, 4 units]`; drive_t: the input's own product, bias included
 *     c_t = f c_(t-1) + i g,  h_t = o tanh c_t     i, f, o = sigmoid z, g = tanh z
 *
 * `drive` `[rows, 4 units]` holds one row per position, or, with `ids`, one row per token that exists: the product of an
 * embedding's table with the layer's kernel is made once per row of the table, however often a token comes. What the
 * gradient needs is kept with time in front: what one step reads is then one stretch of memory, and the gradient of R
 * one product over all steps.
 */
import { multiplyAdd, subtractProduct } from './fusedMultiplyAdd';
import { multiply } from './gemm';
import { multiplyPanels, packPanels, panelNumbers } from './panels';
import { EDGE_BYTES } from './tiles';
import { loadSome, ONE, sigmoid4, storeSome, tanh4 } from './vectorMath';

/** Bytes of `scratch`: R packed, and what `multiplyPanels` needs. */
export function lstmScratchBytes(units: i32): usize {
  return (<usize>panelNumbers(units, 4 * units) << 2) + EDGE_BYTES;
}

/** Bytes of `scratch` of the gradient: the same of R transposed, what flows back, all dz. */
export function lstmGradientScratchBytes(batch: i32, time: i32, units: i32): usize {
  const numbers = <usize>(panelNumbers(4 * units, units) + 2 * batch * units) + <usize>time * <usize>(batch * 4 * units);
  return (numbers << 2) + EDGE_BYTES;
}

/** Where the drive of an example at a time stands. `ids` 0: positions in order. */
// @ts-ignore: decorator
@inline
function driveOf(drive: usize, ids: usize, position: usize, row: usize): usize {
  return drive + (ids == 0 ? position : <usize>load<u32>(ids + (position << 2))) * row;
}

/**
 * ids int32 `[batch, time]`, each below the rows of `drive`; out `[batch, time, units]`. Kept: `before`
 * `[time, batch, units]`, the states that steps start from, `gates` `[time, batch, 4 units]`, `cells`
 * `[time, batch, units]`.
 */
export function lstm(
  drive: usize, ids: usize, recurrent: usize, batch: i32, time: i32, units: i32,
  out: usize, before: usize, gates: usize, cells: usize, scratch: usize,
): void {
  const row = <usize>(4 * units) << 2;
  const stateBytes = <usize>units << 2;
  const step = <usize>batch * stateBytes;
  const edge = scratch + (<usize>panelNumbers(units, 4 * units) << 2);
  packPanels(recurrent, row, 4, units, 4 * units, scratch);
  memory.fill(before, 0, step);
  for (let t = 0; t < time; t++) {
    for (let b = 0; b < batch; b++) {
      memory.copy(gates + <usize>b * row, driveOf(drive, ids, <usize>(b * time + t), row), row);
    }
    // The first step starts from zeros.
    if (t > 0) multiplyPanels(before, stateBytes, scratch, units, gates, row, batch, 4 * units, units, true, edge);
    const after: usize = t + 1 < time ? before + step : 0;
    for (let b = 0; b < batch; b++, gates += row, cells += stateBytes) {
      const state = out + <usize>(b * time + t) * stateBytes;
      stepForward(gates, t == 0 ? 0 : cells - step, cells, state, units);
      if (after != 0) memory.copy(after + <usize>b * stateBytes, state, stateBytes);
    }
    before = after;
  }
}

/** One example, one step: sums in `z` become gates. `before`: the previous cell, or 0 for zeros. */
function stepForward(z: usize, before: usize, cell: usize, out: usize, units: i32): void {
  const quarter = <usize>units << 2;
  for (let j = 0; j < units; j += 4, z += 16, cell += 16, out += 16) {
    const count = units - j;
    const full = count >= 4;
    const i = sigmoid4(full ? v128.load(z) : loadSome(z, count));
    const f = sigmoid4(full ? v128.load(z + quarter) : loadSome(z + quarter, count));
    const g = tanh4(full ? v128.load(z + 2 * quarter) : loadSome(z + 2 * quarter, count));
    const o = sigmoid4(full ? v128.load(z + 3 * quarter) : loadSome(z + 3 * quarter, count));
    let c = f32x4.mul(i, g);
    if (before != 0) {
      c = multiplyAdd(f, full ? v128.load(before) : loadSome(before, count), c);
      before += 16;
    }
    const h = f32x4.mul(o, tanh4(c));
    if (full) {
      v128.store(z, i);
      v128.store(z + quarter, f);
      v128.store(z + 2 * quarter, g);
      v128.store(z + 3 * quarter, o);
      v128.store(cell, c);
      v128.store(out, h);
    } else {
      storeSome(z, i, count);
      storeSome(z + quarter, f, count);
      storeSome(z + 2 * quarter, g, count);
      storeSome(z + 3 * quarter, o, count);
      storeSome(cell, c, count);
      storeSome(out, h, count);
    }
  }
}

/**
 * Gradients from `dout`, with what the forward pass kept: `drecurrent`, and `ddrive` `[rows, 4 units]`, with `ids` the sum
 * over the positions of a token, in the order of time and example.
 */
export function lstmGradient(
  dout: usize, recurrent: usize, ids: usize, before: usize, gates: usize, cells: usize,
  batch: i32, time: i32, units: i32, rows: i32, ddrive: usize, drecurrent: usize, scratch: usize, gemmScratch: usize,
): void {
  const row = <usize>(4 * units) << 2;
  const stateBytes = <usize>units << 2;
  const step = <usize>batch * stateBytes;
  const turned = scratch;
  const dState = turned + (<usize>panelNumbers(4 * units, units) << 2);
  const dCell = dState + step;
  const edge = dCell + step;
  const dz = edge + EDGE_BYTES;
  packPanels(recurrent, 4, row, 4 * units, units, turned);
  memory.fill(dState, 0, step);
  memory.fill(dCell, 0, step);
  if (ids != 0) memory.fill(ddrive, 0, <usize>rows * row);
  for (let t = time - 1; t >= 0; t--) {
    const first = <usize>t * <usize>batch;
    for (let b = 0; b < batch; b++) {
      const place = first + <usize>b;
      const cell = cells + place * stateBytes;
      const own = dz + place * row;
      const state = <usize>b * stateBytes;
      const from = dout + <usize>(b * time + t) * stateBytes;
      stepBackward(from, dState + state, gates + place * row, cell, t == 0 ? 0 : cell - step, dCell + state, own, units);
      const to = driveOf(ddrive, ids, <usize>(b * time + t), row);
      if (ids == 0) memory.copy(to, own, row);
      else addRow(to, own, units);
    }
    if (t > 0) {
      const from = dz + first * row;
      multiplyPanels(from, row, turned, 4 * units, dState, stateBytes, batch, units, 4 * units, false, edge);
    }
  }
  if (time == 1) memory.fill(drecurrent, 0, <usize>units * row);
  else {
    // The first step starts from zeros: it adds nothing.
    multiply(
      before + step, stateBytes, dz + <usize>batch * row, row, 0, drecurrent, row,
      units, 4 * units, (time - 1) * batch, true, false, false, gemmScratch,
    );
  }
}

/** Adds 4 n numbers. */
function addRow(to: usize, from: usize, n: i32): void {
  for (let i = 0; i < n; i++, to += 16, from += 16) v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
}

/** Of one example and step: what comes from above and from the step after, through the gates, into dz and dCell. */
function stepBackward(
  dout: usize, dState: usize, gates: usize, cell: usize, before: usize, dCell: usize, dz: usize, units: i32,
): void {
  const quarter = <usize>units << 2;
  for (let j = 0; j < units; j += 4, dout += 16, dState += 16, gates += 16, cell += 16, dCell += 16, dz += 16) {
    const count = units - j;
    const full = count >= 4;
    const i = full ? v128.load(gates) : loadSome(gates, count);
    const f = full ? v128.load(gates + quarter) : loadSome(gates + quarter, count);
    const g = full ? v128.load(gates + 2 * quarter) : loadSome(gates + 2 * quarter, count);
    const o = full ? v128.load(gates + 3 * quarter) : loadSome(gates + 3 * quarter, count);
    const bent = tanh4(full ? v128.load(cell) : loadSome(cell, count));
    const dh = full
      ? f32x4.add(v128.load(dout), v128.load(dState))
      : f32x4.add(loadSome(dout, count), loadSome(dState, count));
    let c = f32x4.splat(0);
    if (before != 0) {
      c = full ? v128.load(before) : loadSome(before, count);
      before += 16;
    }
    const dc = multiplyAdd(
      f32x4.mul(dh, o), subtractProduct(ONE, bent, bent), full ? v128.load(dCell) : loadSome(dCell, count),
    );
    const di = f32x4.mul(f32x4.mul(dc, g), f32x4.mul(i, f32x4.sub(ONE, i)));
    const df = f32x4.mul(f32x4.mul(dc, c), f32x4.mul(f, f32x4.sub(ONE, f)));
    const dg = f32x4.mul(f32x4.mul(dc, i), subtractProduct(ONE, g, g));
    const dO = f32x4.mul(f32x4.mul(dh, bent), f32x4.mul(o, f32x4.sub(ONE, o)));
    const dPrevious = f32x4.mul(dc, f);
    if (full) {
      v128.store(dz, di);
      v128.store(dz + quarter, df);
      v128.store(dz + 2 * quarter, dg);
      v128.store(dz + 3 * quarter, dO);
      v128.store(dCell, dPrevious);
    } else {
      storeSome(dz, di, count);
      storeSome(dz + quarter, df, count);
      storeSome(dz + 2 * quarter, dg, count);
      storeSome(dz + 3 * quarter, dO, count);
      storeSome(dCell, dPrevious, count);
    }
  }
}
