/**
 * The windows of an image batch as rows of a matrix (im2col; Chellapilla, Puri and Simard 2006) and back: what turns a
 * convolution into matrix products. Images are NHWC, so the numbers of one row of a window lie side by side.
 */

/** Sizes of a convolution: 32-bit integers in this order, at the address that the kernels are given. */
// @ts-ignore: decorator
@unmanaged
export class Geometry {
  batch: i32;
  height: i32;
  width: i32;
  channels: i32;
  filterHeight: i32;
  filterWidth: i32;
  filters: i32;
  strideY: i32;
  strideX: i32;
  dilationY: i32;
  dilationX: i32;
  padTop: i32;
  padLeft: i32;
  outHeight: i32;
  outWidth: i32;

  /** Numbers of a window. */
  // @ts-ignore: decorator
  @inline
  window(): i32 {
    return this.filterHeight * this.filterWidth * this.channels;
  }

  /** Windows of the whole batch. */
  // @ts-ignore: decorator
  @inline
  windows(): i32 {
    return this.batch * this.outHeight * this.outWidth;
  }
}

/** Copies the windows `first .. first + count - 1`, each a row of `window()` numbers, zeros where it hangs over the edge. */
export function unfold(x: usize, g: Geometry, first: i32, count: i32, to: usize): void {
  const channelBytes = <usize>g.channels << 2;
  const rowBytes = <usize>g.width * channelBytes;
  const runBytes = <usize>g.filterWidth * channelBytes;
  const perImage = g.outHeight * g.outWidth;
  let image = x + <usize>(first / perImage) * rowBytes * g.height;
  let oy = (first % perImage) / g.outWidth;
  let ox = first % g.outWidth;
  for (; count > 0; count--) {
    const left = ox * g.strideX - g.padLeft;
    // Columns of the window that are in the image, where they lie side by side.
    const before = <usize>min(g.filterWidth, max(0, -left)) * channelBytes;
    const after = max(before, <usize>min(g.filterWidth, max(0, g.width - left)) * channelBytes);
    for (let ky = 0; ky < g.filterHeight; ky++) {
      const iy = oy * g.strideY - g.padTop + ky * g.dilationY;
      const row = image + <usize>iy * rowBytes;
      if (iy < 0 || iy >= g.height) {
        zeroRun(to, runBytes);
        to += runBytes;
      } else if (g.dilationX == 1) {
        if (before > 0) zeroRun(to, before);
        copyRun(row + <usize>left * channelBytes + before, to + before, after - before);
        if (after < runBytes) zeroRun(to + after, runBytes - after);
        to += runBytes;
      } else {
        for (let kx = 0, ix = left; kx < g.filterWidth; kx++, ix += g.dilationX, to += channelBytes) {
          if (ix < 0 || ix >= g.width) zeroRun(to, channelBytes);
          else copyRun(row + <usize>ix * channelBytes, to, channelBytes);
        }
      }
    }
    if (++ox == g.outWidth) {
      ox = 0;
      if (++oy == g.outHeight) {
        oy = 0;
        image += rowBytes * g.height;
      }
    }
  }
}

/** Adds rows of windows to the image they were taken from: the transpose of `unfold`, window after window. */
export function fold(from: usize, g: Geometry, first: i32, count: i32, x: usize): void {
  const channelBytes = <usize>g.channels << 2;
  const rowBytes = <usize>g.width * channelBytes;
  const runBytes = <usize>g.filterWidth * channelBytes;
  const perImage = g.outHeight * g.outWidth;
  let image = x + <usize>(first / perImage) * rowBytes * g.height;
  let oy = (first % perImage) / g.outWidth;
  let ox = first % g.outWidth;
  for (; count > 0; count--) {
    const left = ox * g.strideX - g.padLeft;
    // Columns of the window that are in the image, where they lie side by side.
    const before = <usize>min(g.filterWidth, max(0, -left)) * channelBytes;
    const after = max(before, <usize>min(g.filterWidth, max(0, g.width - left)) * channelBytes);
    for (let ky = 0; ky < g.filterHeight; ky++) {
      const iy = oy * g.strideY - g.padTop + ky * g.dilationY;
      const row = image + <usize>iy * rowBytes;
      if (iy < 0 || iy >= g.height) from += runBytes;
      else if (g.dilationX == 1) {
        addRun(from + before, row + <usize>left * channelBytes + before, after - before);
        from += runBytes;
      } else {
        for (let kx = 0, ix = left; kx < g.filterWidth; kx++, ix += g.dilationX, from += channelBytes) {
          if (ix >= 0 && ix < g.width) addRun(from, row + <usize>ix * channelBytes, channelBytes);
        }
      }
    }
    if (++ox == g.outWidth) {
      ox = 0;
      if (++oy == g.outHeight) {
        oy = 0;
        image += rowBytes * g.height;
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function copyRun(from: usize, to: usize, bytes: usize): void {
  if (bytes >= 16) {
    const last = to + bytes - 16;
    const lastFrom = from + bytes - 16;
    for (; to < last; to += 16, from += 16) v128.store(to, v128.load(from));
    v128.store(last, v128.load(lastFrom));
    return;
  }
  for (const end = to + bytes; to < end; to += 4, from += 4) store<f32>(to, load<f32>(from));
}

// @ts-ignore: decorator
@inline
function zeroRun(to: usize, bytes: usize): void {
  const end = to + bytes;
  for (const whole = to + (bytes & ~15); to < whole; to += 16) v128.store(to, f32x4.splat(0));
  for (; to < end; to += 4) store<f32>(to, 0);
}

// @ts-ignore: decorator
@inline
function addRun(from: usize, to: usize, bytes: usize): void {
  const end = to + bytes;
  for (const whole = to + (bytes & ~15); to < whole; to += 16, from += 16) {
    v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
  }
  for (; to < end; to += 4, from += 4) store<f32>(to, load<f32>(to) + load<f32>(from));
}
