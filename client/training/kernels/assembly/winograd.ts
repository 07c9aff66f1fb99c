/**
 * Convolutions of stride 1 with 3x3 and 5x5 filters by the minimal filtering algorithms of Winograd, as Lavin and Gray
 * ("Fast Algorithms for Convolutional Neural Networks", 2016) nest them in two dimensions. A tile of 6 x 6 numbers of the
 * image gives m x m results, m = 7 - r for a filter of side r:
 *
 *     Y = A' [ (G F G') * (B' D B) ] A
 *
 * with the points 0, +-a, +-b and infinity, a = 3/4 and b = 3/2: of the usual pairs these lose the fewest bits, a third of
 * what 1 and 2 lose, and their powers are exact. The products * are taken number by number, so over all channels they are
 * 36 matrix products: 36 multiplications instead of 144 for 4 x 4 results of a 3x3 filter, and instead of 100 for 2 x 2
 * of a 5x5. The error is about 2e-6 of the largest result (tests ask for 5e-6).
 *
 *     dF = G' [ (A dY A') * (B' D B) ] G        the transpose of the same algorithm
 *     dX                                        the convolution of dY with the filter turned by 180 degrees
 *
 * Tiles are treated in blocks that stay in the second-level cache. Buffers, all of float32:
 *
 *     U [36, out/8, in, 8]     the filter, ready to be read as vectors
 *     V [36, tiles, in]        the images        M [36, tiles, out]     products, or the gradient of the output
 */
import { panelTile, rowTile } from './gemm';
import { Geometry } from './unfold';

const POINTS: i32 = 36;
/** a and b, their powers, (a b)^2 and a^2 + b^2. */
const A: f32 = 0.75;
const A2: f32 = 0.5625;
const A3: f32 = 0.421875;
const A4: f32 = 0.31640625;
const B: f32 = 1.5;
const B2: f32 = 2.25;
const B3: f32 = 3.375;
const B4: f32 = 5.0625;
const PRODUCT: f32 = 1.265625;
const SUM: f32 = 2.8125;
/** What the rows of G are divided by: the products of a point's differences from all others. */
const BY_ZERO: f32 = 1.0 / 1.265625;
const BY_A: f32 = -1.0 / 1.8984375;
const BY_B: f32 = 1.0 / 7.59375;
/** Numbers of V and M together: under a megabyte. */
const BLOCK: i32 = 229376;

/** Whether these kernels take a convolution: side 3 or 5, stride and dilation 1, channels that fill vectors. */
export function isWinograd(g: Geometry): bool {
  const side = g.filterHeight;
  return (
    (side == 3 || side == 5) && g.filterWidth == side &&
    g.strideY == 1 && g.strideX == 1 && g.dilationY == 1 && g.dilationX == 1 &&
    (g.channels & 7) == 0 && (g.filters & 7) == 0
  );
}

/** Tiles of a block, a multiple of 4. */
function blockTiles(channels: i32, filters: i32): i32 {
  return max(16, min(256, (BLOCK / (POINTS * (channels + filters))) & ~3));
}

export function winogradScratchBytes(g: Geometry): usize {
  const tiles = blockTiles(g.channels, g.filters);
  return <usize>(POINTS * (g.channels * g.filters + tiles * (g.channels + g.filters)) + 2 * 4 * POINTS) << 2;
}

/** Y, with `bias` (0: none) and `relu`. */
export function winogradConvolve(
  x: usize, filter: usize, bias: usize, y: usize, g: Geometry, relu: bool, scratch: usize,
): void {
  const u = scratch;
  filterToPanels(filter, g.filterHeight, g.channels, g.filters, false, u, tileBuffer(g, scratch));
  convolveTiles(
    x, g.batch, g.height, g.width, g.channels, g.padTop, g.padLeft, u, bias, y, g.outHeight, g.outWidth, g.filters,
    7 - g.filterHeight, relu, g, scratch,
  );
}

/** dX. */
export function winogradInputGradient(filter: usize, dy: usize, dx: usize, g: Geometry, scratch: usize): void {
  const u = scratch;
  const side = g.filterHeight;
  filterToPanels(filter, side, g.channels, g.filters, true, u, tileBuffer(g, scratch));
  convolveTiles(
    dy, g.batch, g.outHeight, g.outWidth, g.filters, side - 1 - g.padTop, side - 1 - g.padLeft, u, 0, dx, g.height,
    g.width, g.channels, 7 - side, false, g, scratch,
  );
}

/** dF. */
export function winogradFilterGradient(x: usize, dy: usize, dFilter: usize, g: Geometry, scratch: usize): void {
  const side = g.filterHeight;
  const m = 7 - side;
  const tilesX = (g.outWidth + m - 1) / m;
  const perImage = ((g.outHeight + m - 1) / m) * tilesX;
  const all = g.batch * perImage;
  const most = blockTiles(g.channels, g.filters);
  const temporary = tileBuffer(g, scratch);
  const u = scratch;
  const v = u + (<usize>(POINTS * g.channels * g.filters) << 2);
  const channelBytes = <usize>g.channels << 2;
  const filterBytes = <usize>g.filters << 2;
  for (let first = 0; first < all; first += most) {
    const count = min(most, all - first);
    const expanded = v + (<usize>POINTS * count * channelBytes);
    imageToPoints(x, g.height, g.width, g.channels, g.padTop, g.padLeft, tilesX, perImage, m, first, count, v, temporary);
    gradientToPoints(dy, g.outHeight, g.outWidth, g.filters, tilesX, perImage, m, first, count, expanded, temporary);
    for (let p = 0; p < POINTS; p++) {
      const numbers = v + <usize>(p * count) * channelBytes;
      const vectors = expanded + <usize>(p * count) * filterBytes;
      const target = u + <usize>(p * g.channels) * filterBytes;
      for (let o: usize = 0; o < filterBytes; o += 32) {
        for (let c: usize = 0; c < channelBytes; c += 16) {
          panelTile(
            numbers + c, channelBytes, vectors + o, filterBytes, count, 0, target + (c >> 2) * filterBytes + o,
            filterBytes, false, first > 0,
          );
        }
      }
    }
  }
  pointsToFilter(u, side, g.channels, g.filters, dFilter, temporary);
}

/** Two tiles of 36 vectors at the end of the scratch. */
function tileBuffer(g: Geometry, scratch: usize): usize {
  return scratch + winogradScratchBytes(g) - ((2 * 4 * POINTS) << 2);
}

function convolveTiles(
  x: usize, batch: i32, height: i32, width: i32, channels: i32, padTop: i32, padLeft: i32, u: usize, bias: usize,
  y: usize, outHeight: i32, outWidth: i32, filters: i32, m: i32, relu: bool, g: Geometry, scratch: usize,
): void {
  const tilesX = (outWidth + m - 1) / m;
  const perImage = ((outHeight + m - 1) / m) * tilesX;
  const all = batch * perImage;
  const most = blockTiles(channels, filters);
  const temporary = tileBuffer(g, scratch);
  const v = u + (<usize>(POINTS * channels * filters) << 2);
  const channelBytes = <usize>channels << 2;
  const filterBytes = <usize>filters << 2;
  const panelBytes = <usize>channels << 5;
  for (let first = 0; first < all; first += most) {
    const count = min(most, all - first);
    const products = v + <usize>(POINTS * count) * channelBytes;
    imageToPoints(x, height, width, channels, padTop, padLeft, tilesX, perImage, m, first, count, v, temporary);
    for (let p = 0; p < POINTS; p++) {
      const rows = v + <usize>(p * count) * channelBytes;
      const target = products + <usize>(p * count) * filterBytes;
      let panel = u + <usize>(p * channels) * filterBytes;
      for (let o: usize = 0; o < filterBytes; o += 32, panel += panelBytes) {
        let t = 0;
        for (; t + 4 <= count; t += 4) {
          const a = rows + <usize>t * channelBytes;
          const b = a + channelBytes;
          const c = b + channelBytes;
          const out = target + <usize>t * filterBytes + o;
          rowTile(a, b, c, c + channelBytes, panel, 32, channels, 0, out, filterBytes, false, false);
        }
        if (t < count) lastRows(rows, channelBytes, panel, channels, target + o, filterBytes, t, count);
      }
    }
    pointsToImage(products, bias, y, outHeight, outWidth, filters, tilesX, perImage, m, first, count, relu, temporary);
  }
}

/** The one to three rows that remain, with rows that are computed a second time to the same result. */
function lastRows(
  rows: usize, rowBytes: usize, panel: usize, inner: i32, target: usize, targetBytes: usize, t: i32, count: i32,
): void {
  if (count >= 4) {
    const a = rows + <usize>(count - 4) * rowBytes;
    const b = a + rowBytes;
    const c = b + rowBytes;
    const out = target + <usize>(count - 4) * targetBytes;
    rowTile(a, b, c, c + rowBytes, panel, 32, inner, 0, out, targetBytes, false, false);
    return;
  }
  for (; t < count; t++) {
    const row = rows + <usize>t * rowBytes;
    const out = target + <usize>t * targetBytes;
    rowTile(row, row, row, row, panel, 32, inner, 0, out, 0, false, false);
  }
}

/** V = B' D B for the tiles `first .. first + count - 1`. */
function imageToPoints(
  x: usize, height: i32, width: i32, channels: i32, padTop: i32, padLeft: i32, tilesX: i32, perImage: i32, m: i32,
  first: i32, count: i32, v: usize, temporary: usize,
): void {
  const pixel = <usize>channels << 2;
  const row = <usize>width * pixel;
  const pointBytes = <usize>count * pixel;
  const edge = temporary + ((4 * POINTS) << 2);
  for (let t = 0; t < count; t++) {
    const tile = (first + t) % perImage;
    const image = x + <usize>((first + t) / perImage) * row * height;
    const top = (tile / tilesX) * m - padTop;
    const left = (tile % tilesX) * m - padLeft;
    const inside = top >= 0 && left >= 0 && top + 6 <= height && left + 6 <= width;
    for (let c: usize = 0; c < pixel; c += 16) {
      let from = image + <usize>top * row + <usize>left * pixel + c;
      let step = row;
      let across = pixel;
      if (!inside) {
        readEdge(image + c, height, width, row, pixel, top, left, 6, edge);
        from = edge;
        step = 96;
        across = 16;
      }
      for (let j: usize = 0; j < 96; j += 16, from += across) {
        const d0 = v128.load(from);
        const d1 = v128.load(from + step);
        const d2 = v128.load(from + 2 * step);
        const d3 = v128.load(from + 3 * step);
        const d4 = v128.load(from + 4 * step);
        const d5 = v128.load(from + 5 * step);
        spread(d0, d1, d2, d3, d4, d5, temporary + j, 96);
      }
      let to = v + <usize>t * pixel + c;
      for (let line = temporary; line < temporary + 576; line += 96, to += 6 * pointBytes) {
        const d0 = v128.load(line);
        const d1 = v128.load(line, 16);
        const d2 = v128.load(line, 32);
        const d3 = v128.load(line, 48);
        const d4 = v128.load(line, 64);
        const d5 = v128.load(line, 80);
        spread(d0, d1, d2, d3, d4, d5, to, pointBytes);
      }
    }
  }
}

/** B' d, six vectors `step` bytes apart. */
// @ts-ignore: decorator
@inline
function spread(d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128, to: usize, step: usize): void {
  const even = f32x4.sub(d4, times(d2, B2));
  const odd = times(f32x4.sub(d3, times(d1, B2)), A);
  const evenFar = f32x4.sub(d4, times(d2, A2));
  const oddFar = times(f32x4.sub(d3, times(d1, A2)), B);
  v128.store(to, f32x4.add(f32x4.sub(times(d0, PRODUCT), times(d2, SUM)), d4));
  v128.store(to + step, f32x4.add(even, odd));
  v128.store(to + 2 * step, f32x4.sub(even, odd));
  v128.store(to + 3 * step, f32x4.add(evenFar, oddFar));
  v128.store(to + 4 * step, f32x4.sub(evenFar, oddFar));
  v128.store(to + 5 * step, f32x4.add(f32x4.sub(times(d1, PRODUCT), times(d3, SUM)), d5));
}

// @ts-ignore: decorator
@inline
function times(value: v128, factor: f32): v128 {
  return f32x4.mul(value, f32x4.splat(factor));
}

/** A tile of `side` x `side` vectors that hangs over the edge, zeros beyond it. */
function readEdge(
  image: usize, height: i32, width: i32, row: usize, pixel: usize, top: i32, left: i32, side: i32, to: usize,
): void {
  for (let iy = top; iy < top + side; iy++) {
    const line = image + <usize>iy * row;
    const empty = iy < 0 || iy >= height;
    for (let ix = left; ix < left + side; ix++, to += 16) {
      v128.store(to, empty || ix < 0 || ix >= width ? f32x4.splat(0) : v128.load(line + <usize>ix * pixel));
    }
  }
}

/** Y = A' M A + bias. */
function pointsToImage(
  products: usize, bias: usize, y: usize, outHeight: i32, outWidth: i32, filters: i32, tilesX: i32, perImage: i32,
  m: i32, first: i32, count: i32, relu: bool, temporary: usize,
): void {
  const pixel = <usize>filters << 2;
  const row = <usize>outWidth * pixel;
  const pointBytes = <usize>count * pixel;
  for (let t = 0; t < count; t++) {
    const tile = (first + t) % perImage;
    const top = (tile / tilesX) * m;
    const left = (tile % tilesX) * m;
    const corner =
      y + <usize>((first + t) / perImage) * row * outHeight + <usize>top * row + <usize>left * pixel;
    const rows = min(m, outHeight - top);
    const columns = min(m, outWidth - left);
    for (let c: usize = 0; c < pixel; c += 16) {
      const start = bias == 0 ? f32x4.splat(0) : v128.load(bias + c);
      let from = products + <usize>t * pixel + c;
      for (let j: usize = 0; j < 96; j += 16, from += pointBytes) {
        const step = 6 * pointBytes;
        const d0 = v128.load(from);
        const d1 = v128.load(from + step);
        const d2 = v128.load(from + 2 * step);
        const d3 = v128.load(from + 3 * step);
        const d4 = v128.load(from + 4 * step);
        const d5 = v128.load(from + 5 * step);
        if (m == 2) gatherTwo(d0, d1, d2, d3, d4, d5, temporary + j);
        else gatherFour(d0, d1, d2, d3, d4, d5, temporary + j, 96);
      }
      const line = temporary + 576;
      for (let i = 0; i < rows; i++) {
        const source = temporary + <usize>i * 96;
        const d0 = v128.load(source);
        const d1 = v128.load(source, 16);
        const d2 = v128.load(source, 32);
        const d3 = v128.load(source, 48);
        const d4 = v128.load(source, 64);
        const d5 = v128.load(source, 80);
        if (m == 2) gatherTwo(d0, d1, d2, d3, d4, d5, line);
        else gatherFour(d0, d1, d2, d3, d4, d5, line, 96);
        let to = corner + <usize>i * row + c;
        for (let j = 0; j < columns; j++, to += pixel) {
          const sum = f32x4.add(v128.load(line + <usize>j * 96), start);
          v128.store(to, relu ? f32x4.max(sum, f32x4.splat(0)) : sum);
        }
      }
    }
  }
}

/** A' d for m = 2, vectors 96 bytes apart. */
// @ts-ignore: decorator
@inline
function gatherTwo(d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128, to: usize): void {
  v128.store(to, f32x4.add(f32x4.add(d0, f32x4.add(d1, d2)), f32x4.add(d3, d4)));
  v128.store(to + 96, f32x4.add(f32x4.add(times(f32x4.sub(d1, d2), A), times(f32x4.sub(d3, d4), B)), d5));
}

/** A' d for m = 4. */
// @ts-ignore: decorator
@inline
function gatherFour(d0: v128, d1: v128, d2: v128, d3: v128, d4: v128, d5: v128, to: usize, step: usize): void {
  const even = f32x4.add(d1, d2);
  const odd = f32x4.sub(d1, d2);
  const evenFar = f32x4.add(d3, d4);
  const oddFar = f32x4.sub(d3, d4);
  v128.store(to, f32x4.add(f32x4.add(d0, even), evenFar));
  v128.store(to + step, f32x4.add(times(odd, A), times(oddFar, B)));
  v128.store(to + 2 * step, f32x4.add(times(even, A2), times(evenFar, B2)));
  v128.store(to + 3 * step, f32x4.add(f32x4.add(times(odd, A3), times(oddFar, B3)), d5));
}

/** A dY A', the transpose of `pointsToImage`. */
function gradientToPoints(
  dy: usize, outHeight: i32, outWidth: i32, filters: i32, tilesX: i32, perImage: i32, m: i32, first: i32, count: i32,
  to: usize, temporary: usize,
): void {
  const pixel = <usize>filters << 2;
  const row = <usize>outWidth * pixel;
  const pointBytes = <usize>count * pixel;
  const edge = temporary + ((4 * POINTS) << 2);
  for (let t = 0; t < count; t++) {
    const tile = (first + t) % perImage;
    const image = dy + <usize>((first + t) / perImage) * row * outHeight;
    const top = (tile / tilesX) * m;
    const left = (tile % tilesX) * m;
    const inside = top + m <= outHeight && left + m <= outWidth;
    for (let c: usize = 0; c < pixel; c += 16) {
      let from = image + <usize>top * row + <usize>left * pixel + c;
      let step = row;
      let across = pixel;
      if (!inside) {
        readEdge(image + c, outHeight, outWidth, row, pixel, top, left, m, edge);
        from = edge;
        step = <usize>m << 4;
        across = 16;
      }
      let point = to + <usize>t * pixel + c;
      for (let j = 0; j < m; j++, from += across) {
        // Columns first: six numbers for each of the m columns of the tile.
        const at = temporary + (<usize>j << 4);
        if (m == 2) scatterTwo(v128.load(from), v128.load(from + step), at, 96);
        else scatterFour(v128.load(from), v128.load(from + step), v128.load(from + 2 * step), v128.load(from + 3 * step), at, 96);
      }
      for (let line = temporary; line < temporary + 576; line += 96, point += 6 * pointBytes) {
        if (m == 2) scatterTwo(v128.load(line), v128.load(line, 16), point, pointBytes);
        else scatterFour(v128.load(line), v128.load(line, 16), v128.load(line, 32), v128.load(line, 48), point, pointBytes);
      }
    }
  }
}

/** A d for m = 2. */
// @ts-ignore: decorator
@inline
function scatterTwo(d0: v128, d1: v128, to: usize, step: usize): void {
  const near = times(d1, A);
  const far = times(d1, B);
  v128.store(to, d0);
  v128.store(to + step, f32x4.add(d0, near));
  v128.store(to + 2 * step, f32x4.sub(d0, near));
  v128.store(to + 3 * step, f32x4.add(d0, far));
  v128.store(to + 4 * step, f32x4.sub(d0, far));
  v128.store(to + 5 * step, d1);
}

/** A d for m = 4. */
// @ts-ignore: decorator
@inline
function scatterFour(d0: v128, d1: v128, d2: v128, d3: v128, to: usize, step: usize): void {
  const even = f32x4.add(d0, times(d2, A2));
  const odd = f32x4.add(times(d1, A), times(d3, A3));
  const evenFar = f32x4.add(d0, times(d2, B2));
  const oddFar = f32x4.add(times(d1, B), times(d3, B3));
  v128.store(to, d0);
  v128.store(to + step, f32x4.add(even, odd));
  v128.store(to + 2 * step, f32x4.sub(even, odd));
  v128.store(to + 3 * step, f32x4.add(evenFar, oddFar));
  v128.store(to + 4 * step, f32x4.sub(evenFar, oddFar));
  v128.store(to + 5 * step, d3);
}

/**
 * U = G F G' as panels. `turned`: the filter that dX needs, turned by 180 degrees, its in- and out-channels exchanged.
 */
function filterToPanels(
  filter: usize, side: i32, channels: i32, filters: i32, turned: bool, u: usize, temporary: usize,
): void {
  const taps = side * side;
  const tap = <usize>(channels * filters) << 2;
  const row = <usize>filters << 2;
  const inner = turned ? filters : channels;
  const outer = turned ? channels : filters;
  const pointBytes = <usize>(channels * filters) << 2;
  const numbers = temporary + 576;
  for (let i = 0; i < inner; i++) {
    for (let o = 0; o < outer; o += 4) {
      if (turned) {
        let from = filter + <usize>o * row + (<usize>i << 2) + <usize>(taps - 1) * tap;
        for (let k = 0; k < taps; k++, from -= tap) {
          let four = v128.load_splat<f32>(from);
          four = v128.load_lane<f32>(from + row, four, 1);
          four = v128.load_lane<f32>(from + 2 * row, four, 2);
          v128.store(numbers + (<usize>k << 4), v128.load_lane<f32>(from + 3 * row, four, 3));
        }
      } else {
        const from = filter + <usize>i * row + (<usize>o << 2);
        for (let k = 0; k < taps; k++) v128.store(numbers + (<usize>k << 4), v128.load(from + <usize>k * tap));
      }
      for (let j = 0; j < side; j++) {
        weigh(numbers + (<usize>j << 4), <usize>side << 4, side, temporary + (<usize>j << 4), 96);
      }
      let to = u + (<usize>(o >> 3) * inner + i << 5) + (<usize>(o & 4) << 2);
      for (let line = temporary; line < temporary + 576; line += 96, to += 6 * pointBytes) {
        weigh(line, 16, side, to, pointBytes);
      }
    }
  }
}

/** G g: 3 or 5 vectors `step` bytes apart become 6. */
// @ts-ignore: decorator
@inline
function weigh(from: usize, step: usize, side: i32, to: usize, toStep: usize): void {
  const g0 = v128.load(from);
  const g1 = v128.load(from + step);
  const g2 = v128.load(from + 2 * step);
  let even = f32x4.add(g0, times(g2, A2));
  let odd = times(g1, A);
  let evenFar = f32x4.add(g0, times(g2, B2));
  let oddFar = times(g1, B);
  let last = g2;
  if (side == 5) {
    const g3 = v128.load(from + 3 * step);
    last = v128.load(from + 4 * step);
    even = f32x4.add(even, times(last, A4));
    odd = f32x4.add(odd, times(g3, A3));
    evenFar = f32x4.add(evenFar, times(last, B4));
    oddFar = f32x4.add(oddFar, times(g3, B3));
  }
  v128.store(to, times(g0, BY_ZERO));
  v128.store(to + toStep, times(f32x4.add(even, odd), BY_A));
  v128.store(to + 2 * toStep, times(f32x4.sub(even, odd), BY_A));
  v128.store(to + 3 * toStep, times(f32x4.add(evenFar, oddFar), BY_B));
  v128.store(to + 4 * toStep, times(f32x4.sub(evenFar, oddFar), BY_B));
  v128.store(to + 5 * toStep, last);
}

/** dF = G' dU G, dU as [36, channels, filters]. */
function pointsToFilter(u: usize, side: i32, channels: i32, filters: i32, dFilter: usize, temporary: usize): void {
  const tap = <usize>(channels * filters) << 2;
  const line = temporary + 576;
  for (let at: usize = 0; at < tap; at += 16) {
    let from = u + at;
    for (let j: usize = 0; j < 96; j += 16, from += tap) collect(from, 6 * tap, side, temporary + j);
    let to = dFilter + at;
    for (let i = 0; i < side; i++) {
      collect(temporary + <usize>i * 96, 16, side, line);
      for (let j = 0; j < side; j++, to += tap) v128.store(to, v128.load(line + <usize>j * 96));
    }
  }
}

/** G' u: 6 vectors `step` bytes apart become 3 or 5, 96 bytes apart. */
// @ts-ignore: decorator
@inline
function collect(from: usize, step: usize, side: i32, to: usize): void {
  const u1 = v128.load(from + step);
  const u2 = v128.load(from + 2 * step);
  const u3 = v128.load(from + 3 * step);
  const u4 = v128.load(from + 4 * step);
  const last = v128.load(from + 5 * step);
  const even = times(f32x4.add(u1, u2), BY_A);
  const odd = times(f32x4.sub(u1, u2), BY_A);
  const evenFar = times(f32x4.add(u3, u4), BY_B);
  const oddFar = times(f32x4.sub(u3, u4), BY_B);
  const third = f32x4.add(times(even, A2), times(evenFar, B2));
  v128.store(to, f32x4.add(f32x4.add(times(v128.load(from), BY_ZERO), even), evenFar));
  v128.store(to + 96, f32x4.add(times(odd, A), times(oddFar, B)));
  v128.store(to + 192, side == 3 ? f32x4.add(third, last) : third);
  if (side == 5) {
    v128.store(to + 288, f32x4.add(times(odd, A3), times(oddFar, B3)));
    v128.store(to + 384, f32x4.add(f32x4.add(times(even, A4), times(evenFar, B4)), last));
  }
}
