/**
 * Depthwise convolution of NHWC images: every channel has filters of its own, [filterHeight, filterWidth, channels,
 * multiplier], and gives `multiplier` channels. `filters` of the geometry is the multiplier. Few products per number
 * read: plain loops over the windows, four neighbouring channels at once where the multiplier is 1.
 */
import { multiplyAdd } from './fusedMultiplyAdd';
import { Geometry } from './unfold';

const FORWARD: i32 = 0;
const TO_FILTER: i32 = 1;
const TO_INPUT: i32 = 2;

export function depthwise(x: usize, filter: usize, y: usize, geometry: usize): void {
  const g = changetype<Geometry>(geometry);
  memory.fill(y, 0, <usize>g.windows() * (g.channels * g.filters) << 2);
  visit(x, filter, y, g, FORWARD);
}

export function depthwiseFilterGradient(x: usize, dy: usize, dFilter: usize, geometry: usize): void {
  const g = changetype<Geometry>(geometry);
  memory.fill(dFilter, 0, <usize>g.window() * g.filters << 2);
  visit(x, dFilter, dy, g, TO_FILTER);
}

export function depthwiseInputGradient(filter: usize, dy: usize, dx: usize, geometry: usize): void {
  const g = changetype<Geometry>(geometry);
  memory.fill(dx, 0, <usize>(g.batch * g.height) * (g.width * g.channels) << 2);
  visit(dx, filter, dy, g, TO_INPUT);
}

// @ts-ignore: decorator
@inline
function visit(x: usize, filter: usize, y: usize, g: Geometry, what: i32): void {
  const pixel = <usize>g.channels << 2;
  const outPixel = pixel * g.filters;
  const row = <usize>g.width * pixel;
  for (let image = 0; image < g.batch; image++, x += row * g.height) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      for (let ox = 0; ox < g.outWidth; ox++, y += outPixel) {
        let weights = filter;
        for (let ky = 0; ky < g.filterHeight; ky++) {
          const iy = oy * g.strideY - g.padTop + ky * g.dilationY;
          for (let kx = 0; kx < g.filterWidth; kx++, weights += outPixel) {
            const ix = ox * g.strideX - g.padLeft + kx * g.dilationX;
            if (iy < 0 || iy >= g.height || ix < 0 || ix >= g.width) continue;
            const at = x + <usize>iy * row + <usize>ix * pixel;
            if (what == FORWARD) productsTo(y, at, weights, g.channels, g.filters);
            else if (what == TO_FILTER) productsTo(weights, at, y, g.channels, g.filters);
            else productsInto(at, y, weights, g.channels, g.filters);
          }
        }
      }
    }
  }
}

/** to[c, q] += narrow[c] * wide[c, q] */
function productsTo(to: usize, narrow: usize, wide: usize, channels: i32, multiplier: i32): void {
  let c = 0;
  if (multiplier == 1) {
    for (; c + 4 <= channels; c += 4, to += 16, narrow += 16, wide += 16) {
      v128.store(to, multiplyAdd(v128.load(narrow), v128.load(wide), v128.load(to)));
    }
  }
  for (; c < channels; c++, narrow += 4) {
    for (let q = 0; q < multiplier; q++, to += 4, wide += 4) {
      store<f32>(to, load<f32>(to) + load<f32>(narrow) * load<f32>(wide));
    }
  }
}

/** to[c] += sum over q of a[c, q] * b[c, q] */
function productsInto(to: usize, a: usize, b: usize, channels: i32, multiplier: i32): void {
  let c = 0;
  if (multiplier == 1) {
    for (; c + 4 <= channels; c += 4, to += 16, a += 16, b += 16) {
      v128.store(to, multiplyAdd(v128.load(a), v128.load(b), v128.load(to)));
    }
  }
  for (; c < channels; c++, to += 4) {
    let sum = load<f32>(to);
    for (let q = 0; q < multiplier; q++, a += 4, b += 4) sum += load<f32>(a) * load<f32>(b);
    store<f32>(to, sum);
  }
}
