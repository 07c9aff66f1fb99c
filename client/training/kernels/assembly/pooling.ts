/**
 * Pooling over NHWC images and its gradients. `Geometry` says the windows; their filters are the image's own channels.
 * Numbers beyond the edge take no part: neither in a maximum nor in the count of a mean. All channels of a pixel lie
 * side by side, so four are treated at once.
 */
import { multiplyAdd } from './fusedMultiplyAdd';
import { Geometry } from './unfold';

/** Largest value of each window. */
export function maxPool(x: usize, y: usize, geometry: usize): void {
  pool(x, y, changetype<Geometry>(geometry), true);
}

/** Mean of the numbers of each window that are in the image. */
export function avgPool(x: usize, y: usize, geometry: usize): void {
  pool(x, y, changetype<Geometry>(geometry), false);
}

function pool(x: usize, y: usize, g: Geometry, largest: bool): void {
  const pixel = <usize>g.channels << 2;
  const row = <usize>g.width * pixel;
  for (let image = 0; image < g.batch; image++, x += row * g.height) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      const top = oy * g.strideY - g.padTop;
      const y0 = max(0, top);
      const y1 = min(g.height, top + g.filterHeight);
      for (let ox = 0; ox < g.outWidth; ox++, y += pixel) {
        const left = ox * g.strideX - g.padLeft;
        const x0 = max(0, left);
        const x1 = min(g.width, left + g.filterWidth);
        const corner = x + <usize>y0 * row + <usize>x0 * pixel;
        const scale: f32 = largest ? 1 : <f32>1 / <f32>((y1 - y0) * (x1 - x0));
        poolWindow(corner, row, pixel, y1 - y0, x1 - x0, y, scale, largest);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function poolWindow(
  corner: usize, row: usize, pixel: usize, height: i32, width: i32, to: usize, scale: f32, largest: bool,
): void {
  let at: usize = 0;
  for (const whole = pixel & ~15; at < whole; at += 16) {
    let result = largest ? v128.load(corner + at) : f32x4.splat(0);
    let line = corner + at;
    for (let ky = 0; ky < height; ky++, line += row) {
      let from = line;
      for (let kx = 0; kx < width; kx++, from += pixel) {
        const value = v128.load(from);
        result = largest ? f32x4.max(result, value) : f32x4.add(result, value);
      }
    }
    v128.store(to + at, largest ? result : f32x4.mul(result, f32x4.splat(scale)));
  }
  for (; at < pixel; at += 4) {
    let result: f32 = largest ? load<f32>(corner + at) : 0;
    let line = corner + at;
    for (let ky = 0; ky < height; ky++, line += row) {
      let from = line;
      for (let kx = 0; kx < width; kx++, from += pixel) {
        const value = load<f32>(from);
        result = largest ? max(result, value) : result + value;
      }
    }
    store<f32>(to + at, largest ? result : result * scale);
  }
}

/** Each window's gradient goes to its first largest number, row by row; `y` are the maxima. */
export function maxPoolGradient(x: usize, y: usize, dy: usize, dx: usize, geometry: usize): void {
  const g = changetype<Geometry>(geometry);
  const pixel = <usize>g.channels << 2;
  const row = <usize>g.width * pixel;
  memory.fill(dx, 0, <usize>g.batch * g.height * row);
  for (let image = 0; image < g.batch; image++, x += row * g.height, dx += row * g.height) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      const top = oy * g.strideY - g.padTop;
      const y0 = max(0, top);
      const y1 = min(g.height, top + g.filterHeight);
      for (let ox = 0; ox < g.outWidth; ox++, y += pixel, dy += pixel) {
        const left = ox * g.strideX - g.padLeft;
        const x0 = max(0, left);
        const x1 = min(g.width, left + g.filterWidth);
        const corner = <usize>y0 * row + <usize>x0 * pixel;
        giveToLargest(x + corner, dx + corner, row, pixel, y1 - y0, x1 - x0, y, dy);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function giveToLargest(
  x: usize, dx: usize, row: usize, pixel: usize, height: i32, width: i32, y: usize, dy: usize,
): void {
  let at: usize = 0;
  for (const whole = pixel & ~15; at < whole; at += 16) {
    const largest = v128.load(y + at);
    // What is still to be given away: a lane becomes zero when its first largest number is found.
    let left = v128.load(dy + at);
    let line = at;
    for (let ky = 0; ky < height; ky++, line += row) {
      let place = line;
      for (let kx = 0; kx < width; kx++, place += pixel) {
        const here = f32x4.eq(v128.load(x + place), largest);
        v128.store(dx + place, f32x4.add(v128.load(dx + place), v128.and(left, here)));
        left = v128.andnot(left, here);
      }
    }
  }
  for (; at < pixel; at += 4) {
    const largest = load<f32>(y + at);
    let line = at;
    let found = false;
    for (let ky = 0; ky < height && !found; ky++, line += row) {
      let place = line;
      for (let kx = 0; kx < width && !found; kx++, place += pixel) {
        if (load<f32>(x + place) != largest) continue;
        store<f32>(dx + place, load<f32>(dx + place) + load<f32>(dy + at));
        found = true;
      }
    }
  }
}

/** Each window's gradient in equal parts to its numbers that are in the image. */
export function avgPoolGradient(dy: usize, dx: usize, geometry: usize): void {
  const g = changetype<Geometry>(geometry);
  const pixel = <usize>g.channels << 2;
  const row = <usize>g.width * pixel;
  memory.fill(dx, 0, <usize>g.batch * g.height * row);
  for (let image = 0; image < g.batch; image++, dx += row * g.height) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      const top = oy * g.strideY - g.padTop;
      const y0 = max(0, top);
      const y1 = min(g.height, top + g.filterHeight);
      for (let ox = 0; ox < g.outWidth; ox++, dy += pixel) {
        const left = ox * g.strideX - g.padLeft;
        const x0 = max(0, left);
        const x1 = min(g.width, left + g.filterWidth);
        const scale: f32 = <f32>1 / <f32>((y1 - y0) * (x1 - x0));
        for (let iy = y0; iy < y1; iy++) {
          for (let ix = x0; ix < x1; ix++) addScaled(dy, dx + <usize>iy * row + <usize>ix * pixel, pixel, scale);
        }
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function addScaled(from: usize, to: usize, bytes: usize, scale: f32): void {
  const end = to + bytes;
  for (const whole = to + (bytes & ~15); to < whole; to += 16, from += 16) {
    v128.store(to, multiplyAdd(v128.load(from), f32x4.splat(scale), v128.load(to)));
  }
  for (; to < end; to += 4, from += 4) store<f32>(to, load<f32>(to) + load<f32>(from) * scale);
}
