/**
 * One layer of long short-term memory over a whole sequence (Hochreiter and Schmidhuber 1997, with the forget gate of
 * Gers et al. 2000), and back through time, one call each. Gates lie in Keras' order: input, forget, candidate, output.
 *
 *     z_t = [x_t, h_(t-1)] W + bias            W: kernel `[inputs, 4 units]` above recurrent `[units, 4 units]`
 *     c_t = f c_(t-1) + i g,  h_t = o tanh c_t     i, f, o = sigmoid z, g = tanh z
 *
 * Both matrices stand above each other, so a step is one product. What the gradient needs is kept with time in front:
 * what one step reads is then one stretch of memory, and the gradient of W one product over all steps.
 */
import { multiply } from './gemm';
import { columnSums } from './sums';
import { loadSome, sigmoid4, storeSome, tanh4 } from './vectorMath';

/** Bytes of `scratch` of both kernels, before that of the matrix product. */
export function lstmScratchBytes(batch: i32, time: i32, inputs: i32, units: i32): usize {
  const weights = (inputs + units) * 4 * units;
  const step = batch * (4 * units + inputs + 3 * units);
  return (<usize>weights + <usize>step + <usize>(batch * 4 * units) * <usize>time) << 2;
}

/**
 * x `[batch, time, inputs]`, out `[batch, time, units]`. Kept: `read` `[time, batch, inputs + units]`, `gates`
 * `[time, batch, 4 units]`, `cells` `[time, batch, units]`.
 */
export function lstm(
  x: usize, kernel: usize, recurrent: usize, bias: usize, batch: i32, time: i32, inputs: i32, units: i32,
  out: usize, read: usize, gates: usize, cells: usize, scratch: usize, gemmScratch: usize,
): void {
  const row = <usize>(4 * units) << 2;
  const stateBytes = <usize>units << 2;
  const readBytes = <usize>(inputs + units) << 2;
  const inputBytes = <usize>inputs << 2;
  const weights = scratch;
  memory.copy(weights, kernel, <usize>inputs * row);
  memory.copy(weights + <usize>inputs * row, recurrent, <usize>units * row);
  const outStep = <usize>time * stateBytes;
  const inStep = <usize>time * inputBytes;
  for (let t = 0; t < time; t++) {
    for (let b = 0; b < batch; b++) {
      const to = read + <usize>b * readBytes;
      memory.copy(to, x + <usize>b * inStep + <usize>t * inputBytes, inputBytes);
      if (t == 0) memory.fill(to + inputBytes, 0, stateBytes);
      else memory.copy(to + inputBytes, out + <usize>b * outStep + <usize>(t - 1) * stateBytes, stateBytes);
    }
    multiply(
      read, readBytes, weights, row, bias, gates, row,
      batch, 4 * units, inputs + units, false, false, false, gemmScratch,
    );
    const previous: usize = t == 0 ? 0 : cells - <usize>batch * stateBytes;
    for (let b = 0; b < batch; b++) {
      const before: usize = previous == 0 ? 0 : previous + <usize>b * stateBytes;
      stepForward(gates, before, cells, out + <usize>b * outStep + <usize>t * stateBytes, units);
      gates += row;
      cells += stateBytes;
    }
    read += <usize>batch * readBytes;
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
      c = f32x4.add(f32x4.mul(f, full ? v128.load(before) : loadSome(before, count)), c);
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

/** dx, dkernel, drecurrent and dbias from `dout`, with what the forward pass kept. */
export function lstmGradient(
  dout: usize, kernel: usize, recurrent: usize, read: usize, gates: usize, cells: usize,
  batch: i32, time: i32, inputs: i32, units: i32,
  dx: usize, dkernel: usize, drecurrent: usize, dbias: usize, scratch: usize, gemmScratch: usize,
): void {
  const row = <usize>(4 * units) << 2;
  const stateBytes = <usize>units << 2;
  const readBytes = <usize>(inputs + units) << 2;
  const inputBytes = <usize>inputs << 2;
  const turned = scratch;
  const dRead = turned + <usize>(inputs + units) * row;
  const dCell = dRead + <usize>batch * readBytes;
  const dz = dCell + <usize>batch * stateBytes;
  transposeInto(kernel, inputs, 4 * units, turned, readBytes);
  transposeInto(recurrent, units, 4 * units, turned + inputBytes, readBytes);
  memory.fill(dRead, 0, <usize>batch * readBytes);
  memory.fill(dCell, 0, <usize>batch * stateBytes);
  const outStep = <usize>time * stateBytes;
  const inStep = <usize>time * inputBytes;
  for (let t = time - 1; t >= 0; t--) {
    const at = <usize>t * <usize>batch;
    for (let b = 0; b < batch; b++) {
      const place = at + <usize>b;
      stepBackward(
        dout + <usize>b * outStep + <usize>t * stateBytes, dRead + <usize>b * readBytes + inputBytes,
        gates + place * row, cells + place * stateBytes, t == 0 ? 0 : cells + (place - <usize>batch) * stateBytes,
        dCell + <usize>b * stateBytes, dz + place * row, units,
      );
    }
    multiply(
      dz + at * row, row, turned, readBytes, 0, dRead, readBytes,
      batch, inputs + units, 4 * units, false, false, false, gemmScratch,
    );
    for (let b = 0; b < batch; b++) {
      memory.copy(dx + <usize>b * inStep + <usize>t * inputBytes, dRead + <usize>b * readBytes, inputBytes);
    }
  }
  const steps = time * batch;
  multiply(
    read, readBytes, dz, row, 0, dkernel, row,
    inputs, 4 * units, steps, true, false, false, gemmScratch,
  );
  multiply(
    read + inputBytes, readBytes, dz, row, 0, drecurrent, row,
    units, 4 * units, steps, true, false, false, gemmScratch,
  );
  columnSums(dz, steps, 4 * units, 4 * units, dbias);
}

/** Of one example and step: what comes from above and from the step after, through the gates, into dz and dCell. */
function stepBackward(
  dout: usize, dState: usize, gates: usize, cell: usize, before: usize, dCell: usize, dz: usize, units: i32,
): void {
  const quarter = <usize>units << 2;
  const one = f32x4.splat(1);
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
    const dc = f32x4.add(
      full ? v128.load(dCell) : loadSome(dCell, count),
      f32x4.mul(f32x4.mul(dh, o), f32x4.sub(one, f32x4.mul(bent, bent))),
    );
    const di = f32x4.mul(f32x4.mul(dc, g), f32x4.mul(i, f32x4.sub(one, i)));
    const df = f32x4.mul(f32x4.mul(dc, c), f32x4.mul(f, f32x4.sub(one, f)));
    const dg = f32x4.mul(f32x4.mul(dc, i), f32x4.sub(one, f32x4.mul(g, g)));
    const dO = f32x4.mul(f32x4.mul(dh, bent), f32x4.mul(o, f32x4.sub(one, o)));
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

/** from `[rows, columns]` as columns of a matrix whose rows are `toRow` bytes apart. */
function transposeInto(from: usize, rows: i32, columns: i32, to: usize, toRow: usize): void {
  for (let i = 0; i < rows; i++, to += 4) {
    let at = to;
    for (let j = 0; j < columns; j++, from += 4, at += toRow) store<f32>(at, load<f32>(from));
  }
}
