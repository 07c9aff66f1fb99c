/**
 * Two-dimensional convolution of NHWC images with an HWIO filter and both of its gradients, for every size, stride,
 * padding and dilation, as matrix products over blocks of windows that stay in the second-level cache:
 *
 *     Y = X' F + bias          X' [windows, window]: the unfolded images, F [window, filters]
 *     dF = X'^T dY             summed block by block
 *     dX = fold(dY F^T)
 *
 * Where `isWinograd` says so, an algorithm with fewer multiplications takes over; where `isDirect` does, one that writes no
 * windows out.
 */
import { gemmScratchBytes, multiply } from './gemm';
import { reluInPlace } from './activations';
import { directConvolve, directFilterGradient, directScratchBytes, isDirect } from './directConvolution';
import { fold, Geometry, unfold } from './unfold';
import {
  isWinograd, winogradConvolve, winogradFilterGradient, winogradInputGradient, winogradScratchBytes,
} from './winograd';

/** Numbers of a block of unfolded windows: half a megabyte. */
const BLOCK: i32 = 131072;
const MOST_WINDOWS: i32 = 256;
const FEWEST_WINDOWS: i32 = 16;

function blockWindows(g: Geometry): i32 {
  return max(FEWEST_WINDOWS, min(MOST_WINDOWS, (BLOCK / g.window()) & ~3));
}

/** Bytes of `scratch` for the three kernels below. */
export function convolutionScratchBytes(geometry: usize): usize {
  const g = changetype<Geometry>(geometry);
  if (isWinograd(g)) return winogradScratchBytes(g);
  const bytes = gemmScratchBytes() + ((<usize>blockWindows(g) * g.window()) << 2);
  return isDirect(g) ? max(bytes, directScratchBytes(g)) : bytes;
}

/** `bias` [filters] or 0; `relu`: writes max(y, 0). */
export function convolve(x: usize, filter: usize, bias: usize, y: usize, geometry: usize, relu: bool, scratch: usize): void {
  const g = changetype<Geometry>(geometry);
  if (isWinograd(g)) {
    winogradConvolve(x, filter, bias, y, g, relu, scratch);
    return;
  }
  if (isDirect(g)) {
    directConvolve(x, filter, bias, y, g, relu, scratch);
    return;
  }
  const window = g.window();
  const filterRow = <usize>g.filters << 2;
  const block = scratch + gemmScratchBytes();
  const all = g.windows();
  const most = blockWindows(g);
  for (let first = 0; first < all; first += most) {
    const count = min(most, all - first);
    const out = y + <usize>first * filterRow;
    unfold(x, g, first, count, block);
    multiply(
      block, <usize>window << 2, filter, filterRow, bias, out, filterRow, count, g.filters, window, false, false, false, scratch,
    );
    if (relu) reluInPlace(out, count * g.filters);
  }
}

/** dF for the gradient `dy` of the output. */
export function convolveFilterGradient(x: usize, dy: usize, dFilter: usize, geometry: usize, scratch: usize): void {
  const g = changetype<Geometry>(geometry);
  if (isWinograd(g)) {
    winogradFilterGradient(x, dy, dFilter, g, scratch);
    return;
  }
  if (isDirect(g)) {
    directFilterGradient(x, dy, dFilter, g, scratch);
    return;
  }
  const window = g.window();
  const filterRow = <usize>g.filters << 2;
  const block = scratch + gemmScratchBytes();
  const all = g.windows();
  const most = blockWindows(g);
  for (let first = 0; first < all; first += most) {
    const count = min(most, all - first);
    unfold(x, g, first, count, block);
    multiply(
      block, <usize>window << 2, dy + <usize>first * filterRow, filterRow, 0, dFilter, filterRow,
      window, g.filters, count, true, false, first > 0, scratch,
    );
  }
}

/** dX for the gradient `dy` of the output. */
export function convolveInputGradient(filter: usize, dy: usize, dx: usize, geometry: usize, scratch: usize): void {
  const g = changetype<Geometry>(geometry);
  if (isWinograd(g)) {
    winogradInputGradient(filter, dy, dx, g, scratch);
    return;
  }
  const window = g.window();
  const filterRow = <usize>g.filters << 2;
  const block = scratch + gemmScratchBytes();
  const all = g.windows();
  const most = blockWindows(g);
  memory.fill(dx, 0, (<usize>(g.batch * g.height) * (g.width * g.channels)) << 2);
  for (let first = 0; first < all; first += most) {
    const count = min(most, all - first);
    multiply(
      dy + <usize>first * filterRow, filterRow, filter, filterRow, 0, block, <usize>window << 2,
      count, window, g.filters, false, true, false, scratch,
    );
    fold(block, g, first, count, dx);
  }
}
