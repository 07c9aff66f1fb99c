/**
 * Convolution straight from the image, for filters of few numbers: no windows are written out. In an NHWC image with its
 * zeros around it, each row of a window is one run of `filterWidth * channels` numbers, so a tile of 4 pixels x 8 filters
 * stays in registers while it runs along the rows of four neighbouring windows. Back, four numbers of the filter x 8
 * filters stay in registers while all pixels of an image go by.
 */
import { multiplyAdd } from './fusedMultiplyAdd';
import { Geometry } from './unfold';

/** Longest window: the filters of a panel (16 KiB) and rows of the image share the first-level cache. */
const LONGEST: i32 = 512;

/** Whether these kernels take a convolution. */
export function isDirect(g: Geometry): bool {
  return g.dilationX == 1 && g.dilationY == 1 && g.outWidth >= 4 && g.window() <= LONGEST && g.filters <= 64;
}

// @ts-ignore: decorator
@inline
function paddedWidth(g: Geometry): i32 {
  return max(g.padLeft + g.width, (g.outWidth - 1) * g.strideX + g.filterWidth);
}

// @ts-ignore: decorator
@inline
function paddedHeight(g: Geometry): i32 {
  return max(g.padTop + g.height, (g.outHeight - 1) * g.strideY + g.filterHeight);
}

// @ts-ignore: decorator
@inline
function paddedBytes(g: Geometry): usize {
  return <usize>(paddedHeight(g) * paddedWidth(g) * g.channels) << 2;
}

// @ts-ignore: decorator
@inline
function panels(g: Geometry): i32 {
  return (g.filters + 7) >> 3;
}

/** An image with zeros around it, the filters (or their gradient) and the bias in panels of eight, one output row. */
export function directScratchBytes(g: Geometry): usize {
  const wide = <usize>panels(g) << 5;
  return paddedBytes(g) + wide * (g.window() + 1) + wide * g.outHeight * g.outWidth + 256;
}

export function directConvolve(
  x: usize, filter: usize, bias: usize, y: usize, g: Geometry, relu: bool, scratch: usize,
): void {
  const window = g.window();
  const wide = <usize>panels(g) << 5;
  const padded = scratch;
  const weights = padded + paddedBytes(g);
  const starts = weights + wide * window;
  const tile = starts + wide;
  const whole = <usize>g.filters << 2;
  toPanels(filter, window, g.filters, weights);
  if (bias == 0) memory.fill(starts, 0, wide);
  else toPanels(bias, 1, g.filters, starts);
  memory.fill(padded, 0, paddedBytes(g));
  const imageBytes = <usize>(g.height * g.width * g.channels) << 2;
  const rowBytes = <usize>(paddedWidth(g) * g.channels) << 2;
  const step = <usize>(g.strideX * g.channels) << 2;
  const run = g.filterWidth * g.channels;
  for (let image = 0; image < g.batch; image++, x += imageBytes) {
    padImage(x, g, padded);
    for (let oy = 0; oy < g.outHeight; oy++, y += whole * g.outWidth) {
      const line = padded + <usize>(oy * g.strideY) * rowBytes;
      for (let x0 = 0; x0 < g.outWidth; x0 += 4) {
        // The last tile of a row begins early: what it computes twice is the same.
        const ox = min(x0, g.outWidth - 4);
        const from = line + <usize>ox * step;
        const to = y + <usize>ox * whole;
        for (let o = 0; o < g.filters; o += 8) {
          const panel = weights + <usize>(o >> 3) * (<usize>window << 5);
          const start = starts + (<usize>o << 2);
          const columns = min(8, g.filters - o);
          if (columns == 8) {
            imageTile(from, step, rowBytes, g.filterHeight, run, panel, start, to + (<usize>o << 2), whole, relu);
            continue;
          }
          imageTile(from, step, rowBytes, g.filterHeight, run, panel, start, tile, 32, relu);
          copyColumns(tile, 32, to + (<usize>o << 2), whole, 4, columns);
        }
      }
    }
  }
}

/** dF: the sum over images and pixels of the numbers of a window times the output's gradient. */
export function directFilterGradient(x: usize, dy: usize, dFilter: usize, g: Geometry, scratch: usize): void {
  const window = g.window();
  const wide = <usize>panels(g) << 5;
  const padded = scratch;
  const sums = padded + paddedBytes(g);
  const tile = sums + wide * window;
  const gradients = tile + 128;
  const whole = <usize>g.filters << 2;
  memory.fill(padded, 0, paddedBytes(g));
  memory.fill(sums, 0, wide * window);
  const imageBytes = <usize>(g.height * g.width * g.channels) << 2;
  const rowBytes = <usize>(paddedWidth(g) * g.channels) << 2;
  const step = <usize>(g.strideX * g.channels) << 2;
  const run = g.filterWidth * g.channels;
  const pixels = g.outHeight * g.outWidth;
  for (let image = 0; image < g.batch; image++, x += imageBytes, dy += whole * pixels) {
    padImage(x, g, padded);
    for (let o = 0; o < g.filters; o += 8) {
      let panel = dy + (<usize>o << 2);
      let panelStep = whole;
      if (g.filters - o < 8) {
        toPanels(panel, pixels, g.filters - o, gradients, whole);
        panel = gradients;
        panelStep = 32;
      }
      const target = sums + <usize>(o >> 3) * (<usize>window << 5);
      for (let k = 0; k < window; k += 4) {
        // The last four may begin early: they go to a tile of their own, of which only the new ones are added.
        const at = min(k, max(0, window - 4));
        const out = at == k && at + 4 <= window ? target + (<usize>k << 5) : tile;
        if (out == tile) memory.fill(tile, 0, 128);
        const second = min(at + 1, window - 1);
        const third = min(at + 2, window - 1);
        const fourth = min(at + 3, window - 1);
        gradientTile(
          padded + place(at, run, rowBytes), padded + place(second, run, rowBytes), padded + place(third, run, rowBytes),
          padded + place(fourth, run, rowBytes), step, rowBytes * g.strideY, g.outHeight, g.outWidth, panel, panelStep, out,
        );
        if (out == tile) {
          for (let i = k; i < window; i++) {
            const from = tile + (<usize>(i - at) << 5);
            const to = target + (<usize>i << 5);
            v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
            v128.store(to, f32x4.add(v128.load(to, 16), v128.load(from, 16)), 16);
          }
        }
      }
    }
  }
  for (let o = 0; o < g.filters; o += 8) {
    const from = sums + <usize>(o >> 3) * (<usize>window << 5);
    copyColumns(from, 32, dFilter + (<usize>o << 2), whole, window, min(8, g.filters - o));
  }
}

/** Byte offset of the k-th number of a window. */
// @ts-ignore: decorator
@inline
function place(k: i32, run: i32, rowBytes: usize): usize {
  return <usize>(k / run) * rowBytes + (<usize>(k % run) << 2);
}

function padImage(x: usize, g: Geometry, padded: usize): void {
  const bytes = <usize>(g.width * g.channels) << 2;
  const rowBytes = <usize>(paddedWidth(g) * g.channels) << 2;
  let to = padded + <usize>g.padTop * rowBytes + (<usize>(g.padLeft * g.channels) << 2);
  for (let row = 0; row < g.height; row++, x += bytes, to += rowBytes) memory.copy(to, x, bytes);
}

/** Rows of `columns` numbers, `step` bytes apart (0: one after the other), as panels of eight, zeros behind the last. */
function toPanels(from: usize, rows: i32, columns: i32, to: usize, step: usize = 0): void {
  if (step == 0) step = <usize>columns << 2;
  for (let o = 0; o < columns; o += 8, from += 32) {
    const count = min(8, columns - o);
    let line = from;
    for (let i = 0; i < rows; i++, line += step, to += 32) {
      if (count == 8) {
        v128.store(to, v128.load(line));
        v128.store(to, v128.load(line, 16), 16);
        continue;
      }
      v128.store(to, f32x4.splat(0));
      v128.store(to, f32x4.splat(0), 16);
      for (let x: usize = 0; x < <usize>count << 2; x += 4) store<f32>(to + x, load<f32>(line + x));
    }
  }
}

function copyColumns(from: usize, fromStep: usize, to: usize, toStep: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++, from += fromStep, to += toStep) {
    let x: usize = 0;
    if (columns >= 4) {
      v128.store(to, v128.load(from));
      x = 16;
    }
    if (columns == 8) v128.store(to, v128.load(from, 16), 16);
    else for (; x < <usize>columns << 2; x += 4) store<f32>(to + x, load<f32>(from + x));
  }
}

/** Four pixels `step` bytes apart, eight filters: all rows of the window. */
function imageTile(
  a: usize, step: usize, rowBytes: usize, rows: i32, run: i32, panel: usize, start: usize, out: usize, outStep: usize,
  relu: bool,
): void {
  const first = v128.load(start);
  const second = v128.load(start, 16);
  let x0 = first;
  let y0 = second;
  let x1 = first;
  let y1 = second;
  let x2 = first;
  let y2 = second;
  let x3 = first;
  let y3 = second;
  let x: v128, y: v128, value: v128;
  const next = rowBytes - (<usize>run << 2);
  let b = a + step;
  let c = b + step;
  let d = c + step;
  for (; rows > 0; rows--, a += next, b += next, c += next, d += next) {
    for (const end = a + (<usize>run << 2); a < end; a += 4, b += 4, c += 4, d += 4, panel += 32) {
      x = v128.load(panel);
      y = v128.load(panel, 16);
      value = v128.load_splat<f32>(a);
      x0 = multiplyAdd(value, x, x0);
      y0 = multiplyAdd(value, y, y0);
      value = v128.load_splat<f32>(b);
      x1 = multiplyAdd(value, x, x1);
      y1 = multiplyAdd(value, y, y1);
      value = v128.load_splat<f32>(c);
      x2 = multiplyAdd(value, x, x2);
      y2 = multiplyAdd(value, y, y2);
      value = v128.load_splat<f32>(d);
      x3 = multiplyAdd(value, x, x3);
      y3 = multiplyAdd(value, y, y3);
    }
  }
  put(out, x0, y0, relu);
  put(out + outStep, x1, y1, relu);
  put(out + 2 * outStep, x2, y2, relu);
  put(out + 3 * outStep, x3, y3, relu);
}

// @ts-ignore: decorator
@inline
function put(out: usize, x: v128, y: v128, relu: bool): void {
  const zero = f32x4.splat(0);
  v128.store(out, relu ? f32x4.max(x, zero) : x);
  v128.store(out, relu ? f32x4.max(y, zero) : y, 16);
}

/** Adds to `out` [4, 8]: numbers of four streams, one per pixel, times the eight gradients of that pixel. */
function gradientTile(
  a: usize, b: usize, c: usize, d: usize, step: usize, rowBytes: usize, rows: i32, pixels: i32, panel: usize,
  panelStep: usize, out: usize,
): void {
  let x0 = v128.load(out, 0);
  let y0 = v128.load(out, 16);
  let x1 = v128.load(out, 32);
  let y1 = v128.load(out, 48);
  let x2 = v128.load(out, 64);
  let y2 = v128.load(out, 80);
  let x3 = v128.load(out, 96);
  let y3 = v128.load(out, 112);
  let x: v128, y: v128, value: v128;
  const next = rowBytes - step * pixels;
  for (; rows > 0; rows--, a += next, b += next, c += next, d += next) {
    for (let i = pixels; i > 0; i--, a += step, b += step, c += step, d += step, panel += panelStep) {
      x = v128.load(panel);
      y = v128.load(panel, 16);
      value = v128.load_splat<f32>(a);
      x0 = multiplyAdd(value, x, x0);
      y0 = multiplyAdd(value, y, y0);
      value = v128.load_splat<f32>(b);
      x1 = multiplyAdd(value, x, x1);
      y1 = multiplyAdd(value, y, y1);
      value = v128.load_splat<f32>(c);
      x2 = multiplyAdd(value, x, x2);
      y2 = multiplyAdd(value, y, y2);
      value = v128.load_splat<f32>(d);
      x3 = multiplyAdd(value, x, x3);
      y3 = multiplyAdd(value, y, y3);
    }
  }
  v128.store(out, x0, 0);
  v128.store(out, y0, 16);
  v128.store(out, x1, 32);
  v128.store(out, y1, 48);
  v128.store(out, x2, 64);
  v128.store(out, y2, 80);
  v128.store(out, x3, 96);
  v128.store(out, y3, 112);
}
