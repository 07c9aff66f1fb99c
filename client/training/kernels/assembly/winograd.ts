/**
 * Convolutions of stride 1 with 3x3 and 5x5 filters by the minimal filtering algorithms of Winograd, as Lavin and Gray
 * ("Fast Algorithms for Convolutional Neural Networks", 2016) nest them in two dimensions. A tile of n x n numbers of the
 * image gives 4 x 4 results, n = side + 3:
 *
 *     Y = A' [ (G F G') * (B' D B) ] A
 *
 * The products * are taken number by number, so over all channels they are n^2 matrix products: 36 multiplications
 * instead of 144 for a 3x3 filter, 64 instead of 400 for a 5x5. The transforms evaluate polynomials (winogradPoints.ts).
 *
 *     dF = G' [ (A dY A') * (B' D B) ] G        the transpose of the same algorithm
 *     dX                                        the convolution of dY with the filter turned by 180 degrees
 *
 * What it costs in accuracy is below 1e-5 of the largest result; tests measure it.
 *
 * Tiles are treated in blocks that stay in the second-level cache. Buffers, all of float32:
 *
 *     U [n^2, out/8, in, 8]    the filter, ready to be read as vectors
 *     V [n^2, tiles, in]       the images        M [n^2, tiles, out]    products, or the gradient of the output
 *
 * with a gap of one line of the cache after each of the n^2 parts: without it the parts of one tile would fall on few
 * sets of the first-level cache and drive each other out.
 */
import { multiplyPanel } from './tiles';
import { collect, gather, scatter, spread, weigh } from './winogradPoints';
import { Geometry } from './unfold';

/** Results of a tile in each direction. */
const M: i32 = 4;
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

/** Points of a tile. */
// @ts-ignore: decorator
@inline
function pointsOf(side: i32): i32 {
  return (side + 3) * (side + 3);
}

/** Tiles of a block, a multiple of 4. */
function blockTiles(side: i32, channels: i32, filters: i32): i32 {
  return max(16, min(256, (BLOCK / (pointsOf(side) * (channels + filters))) & ~3));
}

/** Bytes of one of the n^2 parts of a buffer, the gap included. */
// @ts-ignore: decorator
@inline
function partBytes(rows: i32, columns: i32): usize {
  return (<usize>(rows * columns) << 2) + 64;
}

/** Three tiles of 64 vectors to transform in, and what `multiplyPanel` needs at other times. */
const TEMPORARY: usize = 3 * 1024;

export function winogradScratchBytes(g: Geometry): usize {
  const tiles = blockTiles(g.filterHeight, g.channels, g.filters);
  const part = partBytes(g.channels, g.filters) + partBytes(tiles, g.channels) + partBytes(tiles, g.filters);
  return TEMPORARY + pointsOf(g.filterHeight) * part;
}

/** Y, with `bias` (0: none) and `relu`. */
export function winogradConvolve(
  x: usize, filter: usize, bias: usize, y: usize, g: Geometry, relu: bool, scratch: usize,
): void {
  const u = scratch + TEMPORARY;
  filterToPanels(filter, g.filterHeight, g.channels, g.filters, false, u, scratch);
  convolveTiles(
    x, g.batch, g.height, g.width, g.channels, g.padTop, g.padLeft, u, bias, y, g.outHeight, g.outWidth, g.filters,
    g.filterHeight, relu, scratch,
  );
}

/** dX. */
export function winogradInputGradient(filter: usize, dy: usize, dx: usize, g: Geometry, scratch: usize): void {
  const u = scratch + TEMPORARY;
  const side = g.filterHeight;
  filterToPanels(filter, side, g.channels, g.filters, true, u, scratch);
  convolveTiles(
    dy, g.batch, g.outHeight, g.outWidth, g.filters, side - 1 - g.padTop, side - 1 - g.padLeft, u, 0, dx, g.height,
    g.width, g.channels, side, false, scratch,
  );
}

/** dF. */
export function winogradFilterGradient(x: usize, dy: usize, dFilter: usize, g: Geometry, scratch: usize): void {
  const side = g.filterHeight;
  const points = pointsOf(side);
  const tilesX = (g.outWidth + M - 1) / M;
  const perImage = ((g.outHeight + M - 1) / M) * tilesX;
  const all = g.batch * perImage;
  const most = blockTiles(side, g.channels, g.filters);
  const u = scratch + TEMPORARY;
  const uPart = partBytes(g.channels, g.filters);
  const v = u + points * uPart;
  const channelBytes = <usize>g.channels << 2;
  const filterBytes = <usize>g.filters << 2;
  for (let first = 0; first < all; first += most) {
    const count = min(most, all - first);
    const vPart = partBytes(count, g.channels);
    const mPart = partBytes(count, g.filters);
    const expanded = v + points * vPart;
    imageToPoints(
      x, g.height, g.width, g.channels, g.padTop, g.padLeft, tilesX, perImage, side, first, count, v, scratch,
    );
    gradientToPoints(dy, g.outHeight, g.outWidth, g.filters, tilesX, perImage, side, first, count, expanded, scratch);
    for (let p = 0; p < points; p++) {
      const numbers = v + p * vPart;
      const vectors = expanded + p * mPart;
      const target = u + p * uPart;
      for (let o: usize = 0; o < filterBytes; o += 32) {
        multiplyPanel(
          numbers, 4, channelBytes, g.channels, 8, vectors + o, filterBytes, count, 0, target + o, filterBytes, false,
          first > 0, scratch,
        );
      }
    }
  }
  pointsToFilter(u, side, g.channels, g.filters, dFilter, scratch);
}

function convolveTiles(
  x: usize, batch: i32, height: i32, width: i32, channels: i32, padTop: i32, padLeft: i32, u: usize, bias: usize,
  y: usize, outHeight: i32, outWidth: i32, filters: i32, side: i32, relu: bool, temporary: usize,
): void {
  const points = pointsOf(side);
  const tilesX = (outWidth + M - 1) / M;
  const perImage = ((outHeight + M - 1) / M) * tilesX;
  const all = batch * perImage;
  const most = blockTiles(side, channels, filters);
  const uPart = partBytes(channels, filters);
  const v = u + points * uPart;
  const channelBytes = <usize>channels << 2;
  const filterBytes = <usize>filters << 2;
  const panelBytes = <usize>channels << 5;
  for (let first = 0; first < all; first += most) {
    const count = min(most, all - first);
    const vPart = partBytes(count, channels);
    const mPart = partBytes(count, filters);
    const products = v + points * vPart;
    imageToPoints(x, height, width, channels, padTop, padLeft, tilesX, perImage, side, first, count, v, temporary);
    for (let p = 0; p < points; p++) {
      const rows = v + p * vPart;
      const target = products + p * mPart;
      let panel = u + p * uPart;
      for (let o: usize = 0; o < filterBytes; o += 32, panel += panelBytes) {
        multiplyPanel(
          rows, channelBytes, 4, count, 8, panel, 32, channels, 0, target + o, filterBytes, false, false, temporary,
        );
      }
    }
    pointsToImage(products, bias, y, outHeight, outWidth, filters, tilesX, perImage, side, first, count, relu, temporary);
  }
}

/** V = B' D B for the tiles `first .. first + count - 1`. */
function imageToPoints(
  x: usize, height: i32, width: i32, channels: i32, padTop: i32, padLeft: i32, tilesX: i32, perImage: i32, side: i32,
  first: i32, count: i32, v: usize, temporary: usize,
): void {
  const n = side + 3;
  const pixel = <usize>channels << 2;
  const row = <usize>width * pixel;
  const part = partBytes(count, channels);
  const edge = temporary + 1024;
  for (let t = 0; t < count; t++) {
    const tile = (first + t) % perImage;
    const image = x + <usize>((first + t) / perImage) * row * height;
    const top = (tile / tilesX) * M - padTop;
    const left = (tile % tilesX) * M - padLeft;
    const inside = top >= 0 && left >= 0 && top + n <= height && left + n <= width;
    for (let c: usize = 0; c < pixel; c += 16) {
      let from = image + <usize>top * row + <usize>left * pixel + c;
      let step = row;
      let across = pixel;
      if (!inside) {
        readEdge(image + c, height, width, row, pixel, top, left, n, edge);
        from = edge;
        step = 128;
        across = 16;
      }
      for (let j = 0; j < n; j++, from += across) spread(side, from, step, temporary + (<usize>j << 4), 128);
      let to = v + <usize>t * pixel + c;
      for (let i = 0; i < n; i++, to += n * part) spread(side, temporary + (<usize>i << 7), 16, to, part);
    }
  }
}

/** A tile of `size` x `size` vectors that hangs over the edge, zeros beyond it; its rows are 128 bytes apart. */
function readEdge(
  image: usize, height: i32, width: i32, row: usize, pixel: usize, top: i32, left: i32, size: i32, to: usize,
): void {
  for (let iy = top; iy < top + size; iy++, to += 128) {
    const line = image + <usize>iy * row;
    const empty = iy < 0 || iy >= height;
    let at = to;
    for (let ix = left; ix < left + size; ix++, at += 16) {
      v128.store(at, empty || ix < 0 || ix >= width ? f32x4.splat(0) : v128.load(line + <usize>ix * pixel));
    }
  }
}

/** Y = A' M A + bias. */
function pointsToImage(
  products: usize, bias: usize, y: usize, outHeight: i32, outWidth: i32, filters: i32, tilesX: i32, perImage: i32,
  side: i32, first: i32, count: i32, relu: bool, temporary: usize,
): void {
  const n = side + 3;
  const pixel = <usize>filters << 2;
  const row = <usize>outWidth * pixel;
  const part = partBytes(count, filters);
  const line = temporary + 1024;
  for (let t = 0; t < count; t++) {
    const tile = (first + t) % perImage;
    const top = (tile / tilesX) * M;
    const left = (tile % tilesX) * M;
    const corner = y + <usize>((first + t) / perImage) * row * outHeight + <usize>top * row + <usize>left * pixel;
    const rows = min(M, outHeight - top);
    const columns = min(M, outWidth - left);
    for (let c: usize = 0; c < pixel; c += 16) {
      const start = bias == 0 ? f32x4.splat(0) : v128.load(bias + c);
      let from = products + <usize>t * pixel + c;
      for (let j = 0; j < n; j++, from += part) gather(side, from, n * part, temporary + (<usize>j << 4), 128);
      for (let i = 0; i < rows; i++) {
        gather(side, temporary + (<usize>i << 7), 16, line, 16);
        let to = corner + <usize>i * row + c;
        for (let j = 0; j < columns; j++, to += pixel) {
          const sum = f32x4.add(v128.load(line + (<usize>j << 4)), start);
          v128.store(to, relu ? f32x4.max(sum, f32x4.splat(0)) : sum);
        }
      }
    }
  }
}

/** A dY A', the transpose of `pointsToImage`. */
function gradientToPoints(
  dy: usize, outHeight: i32, outWidth: i32, filters: i32, tilesX: i32, perImage: i32, side: i32, first: i32, count: i32,
  to: usize, temporary: usize,
): void {
  const n = side + 3;
  const pixel = <usize>filters << 2;
  const row = <usize>outWidth * pixel;
  const part = partBytes(count, filters);
  const edge = temporary + 1024;
  for (let t = 0; t < count; t++) {
    const tile = (first + t) % perImage;
    const image = dy + <usize>((first + t) / perImage) * row * outHeight;
    const top = (tile / tilesX) * M;
    const left = (tile % tilesX) * M;
    const inside = top + M <= outHeight && left + M <= outWidth;
    for (let c: usize = 0; c < pixel; c += 16) {
      let from = image + <usize>top * row + <usize>left * pixel + c;
      let step = row;
      let across = pixel;
      if (!inside) {
        readEdge(image + c, outHeight, outWidth, row, pixel, top, left, M, edge);
        from = edge;
        step = 128;
        across = 16;
      }
      for (let j = 0; j < M; j++, from += across) scatter(side, from, step, temporary + (<usize>j << 4), 128);
      let point = to + <usize>t * pixel + c;
      for (let i = 0; i < n; i++, point += n * part) {
        scatter(side, temporary + (<usize>i << 7), 16, point, part);
      }
    }
  }
}

/**
 * U = G F G' as panels. `turned`: the filter that dX needs, turned by 180 degrees, its in- and out-channels exchanged.
 */
function filterToPanels(
  filter: usize, side: i32, channels: i32, filters: i32, turned: bool, u: usize, temporary: usize,
): void {
  const n = side + 3;
  const taps = side * side;
  const tap = <usize>(channels * filters) << 2;
  const part = partBytes(channels, filters);
  const row = <usize>filters << 2;
  const inner = turned ? filters : channels;
  const outer = turned ? channels : filters;
  const numbers = temporary + 1024;
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
        weigh(side, numbers + (<usize>j << 4), <usize>side << 4, temporary + (<usize>j << 4), 128);
      }
      let to = u + ((<usize>(o >> 3) * inner + i) << 5) + (<usize>(o & 4) << 2);
      for (let k = 0; k < n; k++, to += n * part) weigh(side, temporary + (<usize>k << 7), 16, to, part);
    }
  }
}

/** dF = G' dU G, dU as [n^2, channels, filters]. */
function pointsToFilter(u: usize, side: i32, channels: i32, filters: i32, dFilter: usize, temporary: usize): void {
  const n = side + 3;
  const tap = <usize>(channels * filters) << 2;
  const part = partBytes(channels, filters);
  for (let at: usize = 0; at < tap; at += 16) {
    let from = u + at;
    for (let j = 0; j < n; j++, from += part) collect(side, from, n * part, temporary + (<usize>j << 4), 128);
    let to = dFilter + at;
    for (let i = 0; i < side; i++, to += side * tap) collect(side, temporary + (<usize>i << 7), 16, to, tap);
  }
}
