/**
 * The innermost loop of every product: a tile of results stays in registers while single numbers, each spread over a
 * vector, meet vectors of eight columns (a panel).
 *
 * Six rows of two vectors are twelve sums: with two vectors and one number they fill the registers there are, and enough
 * multiplications are under way to hide how long one takes. A loop that is not unrolled is the fastest: nothing is
 * spilled. Numbers may lie in rows, in columns or packed: that is a matter of two strides.
 */
import { multiplyAdd } from './fusedMultiplyAdd';

/** Rows of the tall and of the low tile. */
const TALL: i32 = 6;
const LOW: i32 = 4;
/** Columns of a panel. */
export const COLUMNS: i32 = 8;
/** What `multiplyPanel` works in: one tile, and its bias. */
export const EDGE_BYTES: usize = (<usize>(TALL * COLUMNS) << 2) + 32;

/** Rows of the next tile when `left` rows remain: two low ones are better than a tall one and a rest. */
// @ts-ignore: decorator
@inline
function tileRows(left: i32): i32 {
  return left <= LOW || left == 2 * LOW ? LOW : TALL;
}

/**
 * C `[m, columns]`, columns <= 8, = or, with `more`, += the numbers at `a` times one panel, over `inner` steps. Numbers
 * lie `rowStep` and `innerStep` bytes apart; `innerStep` 0: packed by tiles (`packNumbers`). `turned`: C is written as
 * its transpose. `bias` (0: none): one number per column or, turned, per row.
 */
export function multiplyPanel(
  a: usize, rowStep: usize, innerStep: usize, m: i32, columns: i32, panel: usize, panelStep: usize, inner: i32,
  bias: usize, c: usize, cRow: usize, turned: bool, more: bool, edge: usize,
): void {
  const edgeBias = edge + EDGE_BYTES - 32;
  for (let left = m; left > 0; ) {
    const height = tileRows(left);
    const rows = min(height, left);
    const whole = rows == height && columns == COLUMNS;
    const lines = turned ? columns : rows;
    const line = turned ? rows : columns;
    let start = bias;
    if (bias != 0 && !whole) {
      memory.copy(edgeBias, bias, <usize>line << 2);
      start = edgeBias;
    }
    const out = whole ? c : edge;
    const outRow: usize = whole ? cRow : turned ? <usize>height << 2 : 32;
    const step = innerStep == 0 ? <usize>height << 2 : innerStep;
    if (!whole && more) copyLines(c, cRow, edge, outRow, lines, line);
    if (height == TALL) tallTile(a, rowStep, rows, step, panel, panelStep, inner, start, out, outRow, turned, more);
    else lowTile(a, rowStep, rows, step, panel, panelStep, inner, start, out, outRow, turned, more);
    if (!whole) copyLines(edge, outRow, c, cRow, lines, line);
    a += innerStep == 0 ? <usize>inner * step : <usize>height * rowStep;
    c += turned ? <usize>height << 2 : <usize>height * cRow;
    if (turned && bias != 0) bias += <usize>height << 2;
    left -= height;
  }
}

/** Packs `m` rows of neighbouring numbers, steps `step` bytes apart, in the tiles that `multiplyPanel` reads. */
export function packNumbers(from: usize, step: usize, m: i32, inner: i32, to: usize): void {
  for (let left = m; left > 0; ) {
    const height = tileRows(left);
    let source = from;
    if (left >= TALL && height == TALL) {
      for (let i = 0; i < inner; i++, to += 24, source += step) {
        v128.store(to, v128.load(source));
        store<u64>(to, load<u64>(source, 16), 16);
      }
    } else if (left >= LOW && height == LOW) {
      for (let i = 0; i < inner; i++, to += 16, source += step) v128.store(to, v128.load(source));
    } else {
      // Rows that are not there are never read.
      for (let i = 0; i < inner; i++, to += <usize>height << 2, source += step) {
        for (let r = 0; r < left; r++) store<f32>(to + (<usize>r << 2), load<f32>(source + (<usize>r << 2)));
      }
    }
    from += <usize>height << 2;
    left -= height;
  }
}

/**
 * Adds 6 x 8 results over `inner` steps; of five rows the last is computed twice. `start`: eight first values (by column)
 * or, turned, six (by row); 0: none. `turned`: the transpose is written. `more`: adds to what is there.
 */
function tallTile(
  a: usize, rowStep: usize, rows: i32, innerStep: usize, panel: usize, panelStep: usize, inner: i32, start: usize,
  out: usize, outRow: usize, turned: bool, more: bool,
): void {
  let b = a + rowStep;
  let c = b + rowStep;
  let d = c + rowStep;
  let e = d + rowStep;
  let f = rows > 5 ? e + rowStep : e;
  let x0: v128, y0: v128;
  let x1: v128, y1: v128;
  let x2: v128, y2: v128;
  let x3: v128, y3: v128;
  let x4: v128, y4: v128;
  let x5: v128, y5: v128;
  if (start == 0) {
    x0 = x1 = x2 = x3 = x4 = x5 = y0 = y1 = y2 = y3 = y4 = y5 = f32x4.splat(0);
  } else if (turned) {
    x0 = y0 = v128.load_splat<f32>(start);
    x1 = y1 = v128.load_splat<f32>(start, 4);
    x2 = y2 = v128.load_splat<f32>(start, 8);
    x3 = y3 = v128.load_splat<f32>(start, 12);
    x4 = y4 = v128.load_splat<f32>(start, 16);
    x5 = y5 = v128.load_splat<f32>(start, 20);
  } else {
    x0 = x1 = x2 = x3 = x4 = x5 = v128.load(start);
    y0 = y1 = y2 = y3 = y4 = y5 = v128.load(start, 16);
  }
  for (; inner > 0; inner--) {
    const x = v128.load(panel);
    const y = v128.load(panel, 16);
    let value = v128.load_splat<f32>(a);
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
    value = v128.load_splat<f32>(e);
    x4 = multiplyAdd(value, x, x4);
    y4 = multiplyAdd(value, y, y4);
    value = v128.load_splat<f32>(f);
    x5 = multiplyAdd(value, x, x5);
    y5 = multiplyAdd(value, y, y5);
    panel += panelStep;
    a += innerStep;
    b += innerStep;
    c += innerStep;
    d += innerStep;
    e += innerStep;
    f += innerStep;
  }
  if (turned) {
    storeTurned(x0, x1, x2, x3, out, outRow, more);
    storePairTurned(x4, x5, out + 16, outRow, more);
    out += outRow << 2;
    storeTurned(y0, y1, y2, y3, out, outRow, more);
    storePairTurned(y4, y5, out + 16, outRow, more);
    return;
  }
  put(out, x0, more);
  put(out + 16, y0, more);
  out += outRow;
  put(out, x1, more);
  put(out + 16, y1, more);
  out += outRow;
  put(out, x2, more);
  put(out + 16, y2, more);
  out += outRow;
  put(out, x3, more);
  put(out + 16, y3, more);
  out += outRow;
  put(out, x4, more);
  put(out + 16, y4, more);
  out += outRow;
  put(out, x5, more);
  put(out + 16, y5, more);
}

/** As `tallTile`, 4 x 8 results: of fewer rows the last is computed again. */
function lowTile(
  a: usize, rowStep: usize, rows: i32, innerStep: usize, panel: usize, panelStep: usize, inner: i32, start: usize,
  out: usize, outRow: usize, turned: bool, more: bool,
): void {
  let b = rows > 1 ? a + rowStep : a;
  let c = rows > 2 ? b + rowStep : b;
  let d = rows > 3 ? c + rowStep : c;
  let x0: v128, y0: v128;
  let x1: v128, y1: v128;
  let x2: v128, y2: v128;
  let x3: v128, y3: v128;
  if (start == 0) {
    x0 = x1 = x2 = x3 = y0 = y1 = y2 = y3 = f32x4.splat(0);
  } else if (turned) {
    x0 = y0 = v128.load_splat<f32>(start);
    x1 = y1 = v128.load_splat<f32>(start, 4);
    x2 = y2 = v128.load_splat<f32>(start, 8);
    x3 = y3 = v128.load_splat<f32>(start, 12);
  } else {
    x0 = x1 = x2 = x3 = v128.load(start);
    y0 = y1 = y2 = y3 = v128.load(start, 16);
  }
  for (; inner > 0; inner--) {
    const x = v128.load(panel);
    const y = v128.load(panel, 16);
    let value = v128.load_splat<f32>(a);
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
    panel += panelStep;
    a += innerStep;
    b += innerStep;
    c += innerStep;
    d += innerStep;
  }
  if (turned) {
    storeTurned(x0, x1, x2, x3, out, outRow, more);
    out += outRow << 2;
    storeTurned(y0, y1, y2, y3, out, outRow, more);
    return;
  }
  put(out, x0, more);
  put(out + 16, y0, more);
  out += outRow;
  put(out, x1, more);
  put(out + 16, y1, more);
  out += outRow;
  put(out, x2, more);
  put(out + 16, y2, more);
  out += outRow;
  put(out, x3, more);
  put(out + 16, y3, more);
}

// @ts-ignore: decorator
@inline
function put(to: usize, value: v128, more: bool): void {
  v128.store(to, more ? f32x4.add(v128.load(to), value) : value);
}

/** Four rows become four columns. */
// @ts-ignore: decorator
@inline
function storeTurned(w: v128, x: v128, y: v128, z: v128, out: usize, outRow: usize, more: bool): void {
  const wx = v128.shuffle<f32>(w, x, 0, 4, 1, 5);
  const yz = v128.shuffle<f32>(y, z, 0, 4, 1, 5);
  const wxHigh = v128.shuffle<f32>(w, x, 2, 6, 3, 7);
  const yzHigh = v128.shuffle<f32>(y, z, 2, 6, 3, 7);
  put(out, v128.shuffle<f64>(wx, yz, 0, 2), more);
  put(out + outRow, v128.shuffle<f64>(wx, yz, 1, 3), more);
  put(out + (outRow << 1), v128.shuffle<f64>(wxHigh, yzHigh, 0, 2), more);
  put(out + outRow * 3, v128.shuffle<f64>(wxHigh, yzHigh, 1, 3), more);
}

/** Two rows become two columns. */
// @ts-ignore: decorator
@inline
function storePairTurned(x: v128, y: v128, out: usize, outRow: usize, more: bool): void {
  const low = v128.shuffle<f32>(x, y, 0, 4, 1, 5);
  const high = v128.shuffle<f32>(x, y, 2, 6, 3, 7);
  putPair(out, low, more);
  putPair(out + outRow, v128.shuffle<f64>(low, low, 1, 1), more);
  putPair(out + (outRow << 1), high, more);
  putPair(out + outRow * 3, v128.shuffle<f64>(high, high, 1, 1), more);
}

// @ts-ignore: decorator
@inline
function putPair(to: usize, value: v128, more: bool): void {
  v128.store_lane<u64>(to, more ? f32x4.add(v128.load_zero<u64>(to), value) : value, 0);
}

function copyLines(from: usize, fromStep: usize, to: usize, toStep: usize, lines: i32, numbers: i32): void {
  for (let i = 0; i < lines; i++, from += fromStep, to += toStep) memory.copy(to, from, <usize>numbers << 2);
}
