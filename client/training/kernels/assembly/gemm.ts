/**
 * Matrix products of float32, C = A B (+ bias by column), each operand as it lies or transposed.
 *
 * The idea is that of Goto and van de Geijn ("Anatomy of High-Performance Matrix Multiplication", 2008), cut down to
 * 128-bit vectors: a tile of 6 x 8 results stays in registers (tiles.ts) while it runs along the inner dimension. One
 * operand gives vectors (its panel of 8 columns is packed so that it is read in one stream from the first-level cache), the
 * other gives single numbers, each spread over a vector. A transposed operand is a matter of strides for the second and
 * of packing for the first, so all four products run at the same speed.
 *
 * Every result is the sum over k in ascending order, each product added with one rounding, in blocks whose length follows
 * from the sizes: the order depends on nothing else.
 */
import { COLUMNS, EDGE_BYTES, multiplyPanel, packNumbers } from './tiles';

/** Longest inner block: a panel of 8 columns (16 KiB) and 6 rows (12 KiB) stay in the first-level cache. */
const DEEPEST: i32 = 512;
/** Rows of a block: with 512 columns half a megabyte, which stays in the second-level cache. */
const TALLEST: i32 = 256;
/** For up to this many rows and from this many columns on inner blocks are short: they fit the second-level cache. */
const FEW_ROWS: i32 = 64;
const WIDE: i32 = 256;
const SHALLOW: i32 = 64;
/** From this many columns on numbers that lie apart are packed, too. */
const PACK_FROM: i32 = 16;
/** Up to this many rows vectors are read where they lie. */
const UNPACKED_ROWS: i32 = 8;

const VECTORS_BYTES: usize = <usize>(DEEPEST * COLUMNS) << 2;
const NUMBERS_BYTES: usize = <usize>(DEEPEST * TALLEST) << 2;
/** Bytes of `scratch` that `gemm` works in: packed vectors, packed numbers, what `multiplyPanel` needs. */
export function gemmScratchBytes(): usize {
  return VECTORS_BYTES + NUMBERS_BYTES + EDGE_BYTES;
}

/** The inner dimension is cut into equal blocks, rounded up to 4, none above `DEEPEST`. */
function blockLength(k: i32): i32 {
  const blocks = (k + DEEPEST - 1) / DEEPEST;
  return ((k + blocks - 1) / blocks + 3) & ~3;
}

/**
 * `count` products C[m,n] = A[m,k] B[k,n] of row-major matrices, `a`, `b` and `c` advancing by their strides in bytes
 * (0: one matrix for all). `transposeA`: A lies as [k,m]; `transposeB`: B lies as [n,k]. `bias` [n] or 0.
 */
export function gemm(
  a: usize, b: usize, bias: usize, c: usize, m: i32, n: i32, k: i32, transposeA: bool, transposeB: bool,
  count: i32, aStride: usize, bStride: usize, cStride: usize, scratch: usize,
): void {
  const aRow = <usize>(transposeA ? m : k) << 2;
  const bRow = <usize>(transposeB ? k : n) << 2;
  for (let i = 0; i < count; i++, a += aStride, b += bStride, c += cStride) {
    multiply(a, aRow, b, bRow, bias, c, <usize>n << 2, m, n, k, transposeA, transposeB, false, scratch);
  }
}

/**
 * For other kernels: C[m,n] = A B, or C += A B with `add`, of matrices whose rows, as they lie, are `aRow`, `bRow` and
 * `cRow` bytes apart. `bias` is not for `add`.
 */
export function multiply(
  a: usize, aRow: usize, b: usize, bRow: usize, bias: usize, c: usize, cRow: usize, m: i32, n: i32, k: i32,
  transposeA: bool, transposeB: bool, add: bool, scratch: usize,
): void {
  const aStep: usize = transposeA ? 4 : aRow;
  const aInner: usize = transposeA ? aRow : 4;
  const bStep: usize = transposeB ? bRow : 4;
  const bInner: usize = transposeB ? 4 : bRow;
  // Packing B transposed costs shuffles: where A is the smaller one the product of the transposes is computed.
  if (transposeB && m < n) product(b, bStep, bInner, n, a, aInner, aStep, m, k, bias, c, cRow, true, add, scratch);
  else product(a, aStep, aInner, m, b, bInner, bStep, n, k, bias, c, cRow, false, add, scratch);
}

/**
 * One product of `m` rows of single numbers with `n` columns of vectors, k > 0; one of the two strides of each operand
 * is 4. `turned`: what is written is the transpose, `c` still being row-major with rows of `cRow` bytes, and the bias
 * belongs to the rows of numbers. `add`: to what is in C.
 */
function product(
  s: usize, sRow: usize, sInner: usize, m: i32, v: usize, vInner: usize, vColumn: usize, n: i32, k: i32,
  bias: usize, c: usize, cRow: usize, turned: bool, add: bool, scratch: usize,
): void {
  const vectors = scratch;
  const numbers = scratch + VECTORS_BYTES;
  const edge = numbers + NUMBERS_BYTES;
  // Few rows use a big matrix of vectors but once: it is read in the order in which it lies.
  const depth = vColumn == 4 && m <= FEW_ROWS && n >= WIDE ? min(SHALLOW, blockLength(k)) : blockLength(k);
  const packed = sInner != 4 && n >= PACK_FROM;
  for (let k0 = 0; k0 < k; k0 += depth) {
    const inner = min(depth, k - k0);
    const more = add || k0 > 0;
    for (let i0 = 0; i0 < m; i0 += TALLEST) {
      const rows = min(TALLEST, m - i0);
      const at = s + <usize>i0 * sRow + <usize>k0 * sInner;
      if (packed) packNumbers(at, sInner, rows, inner, numbers);
      const from = packed ? numbers : at;
      const rowStep: usize = packed ? 4 : sRow;
      const innerStep: usize = packed ? 0 : sInner;
      for (let j = 0; j < n; j += COLUMNS) {
        const columns = min(COLUMNS, n - j);
        let panel = v + <usize>k0 * vInner + <usize>j * vColumn;
        let panelStep = vInner;
        if (vColumn != 4 || columns < COLUMNS || rows > UNPACKED_ROWS) {
          packVectorPanel(panel, vInner, vColumn, columns, inner, vectors);
          panel = vectors;
          panelStep = 32;
        }
        const start = bias == 0 || more ? 0 : bias + (<usize>(turned ? i0 : j) << 2);
        const target = turned ? c + <usize>j * cRow + (<usize>i0 << 2) : c + <usize>i0 * cRow + (<usize>j << 2);
        multiplyPanel(from, rowStep, innerStep, rows, columns, panel, panelStep, inner, start, target, cRow, turned, more, edge);
      }
    }
  }
}

/** Eight numbers for each of `inner` steps, side by side; columns that are not there become zero. */
export function packVectorPanel(from: usize, innerStep: usize, columnStep: usize, columns: i32, inner: i32, to: usize): void {
  const end = to + (<usize>inner << 5);
  if (columns < COLUMNS) {
    for (; to < end; to += 32, from += innerStep) {
      v128.store(to, f32x4.splat(0));
      v128.store(to, f32x4.splat(0), 16);
      let source = from;
      for (let x = 0; x < columns; x++, source += columnStep) store<f32>(to + (<usize>x << 2), load<f32>(source));
    }
  } else if (columnStep == 4) {
    for (; to < end; to += 32, from += innerStep) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
    }
  } else {
    const far = from + (columnStep << 2);
    packFourColumns(from, columnStep, inner, to);
    packFourColumns(far, columnStep, inner, to + 16);
  }
}

/** Four columns that each lie in one stream become every second vector from `to` on. */
function packFourColumns(from: usize, columnStep: usize, inner: i32, to: usize): void {
  let a = from;
  let b = a + columnStep;
  let c = b + columnStep;
  let d = c + columnStep;
  const end = from + (<usize>inner << 2);
  for (const whole = from + (<usize>(inner & ~3) << 2); a < whole; a += 16, b += 16, c += 16, d += 16, to += 128) {
    const w = v128.load(a);
    const x = v128.load(b);
    const y = v128.load(c);
    const z = v128.load(d);
    const wx = v128.shuffle<f32>(w, x, 0, 4, 1, 5);
    const yz = v128.shuffle<f32>(y, z, 0, 4, 1, 5);
    const wxHigh = v128.shuffle<f32>(w, x, 2, 6, 3, 7);
    const yzHigh = v128.shuffle<f32>(y, z, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f64>(wx, yz, 0, 2));
    v128.store(to, v128.shuffle<f64>(wx, yz, 1, 3), 32);
    v128.store(to, v128.shuffle<f64>(wxHigh, yzHigh, 0, 2), 64);
    v128.store(to, v128.shuffle<f64>(wxHigh, yzHigh, 1, 3), 96);
  }
  for (; a < end; a += 4, b += 4, c += 4, d += 4, to += 32) {
    store<f32>(to, load<f32>(a));
    store<f32>(to, load<f32>(b), 4);
    store<f32>(to, load<f32>(c), 8);
    store<f32>(to, load<f32>(d), 12);
  }
}
