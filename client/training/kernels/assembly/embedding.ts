/**
 * Rows of a table by their number, and back: the gradient of a row is the sum of what its uses got, added in the order of
 * the uses.
 */
import { loadSome, storeSome } from './vectorMath';

/** out `[n, width]` = rows of table `[rows, width]`. Returns -1, or the place of the first id that is no row. */
export function gatherRows(table: usize, rows: i32, width: i32, ids: usize, n: i32, out: usize): i32 {
  const bytes = <usize>width << 2;
  for (let i = 0; i < n; i++, out += bytes) {
    const id = load<i32>(ids + (<usize>i << 2));
    if (<u32>id >= <u32>rows) return i;
    memory.copy(out, table + <usize>id * bytes, bytes);
  }
  return -1;
}

/** table `[rows, width]` = for each row the sum of the rows of dy `[n, width]` whose id it is. */
export function sumRowsById(dy: usize, ids: usize, n: i32, rows: i32, width: i32, table: usize): void {
  const bytes = <usize>width << 2;
  const whole = width & ~3;
  const rest = width - whole;
  memory.fill(table, 0, <usize>rows * bytes);
  for (let i = 0; i < n; i++) {
    const id = load<i32>(ids + (<usize>i << 2));
    if (<u32>id >= <u32>rows) {
      dy += bytes;
      continue;
    }
    let at = table + <usize>id * bytes;
    for (let j = 0; j < whole; j += 4, at += 16, dy += 16) {
      v128.store(at, f32x4.add(v128.load(at), v128.load(dy)));
    }
    if (rest > 0) {
      storeSome(at, f32x4.add(loadSome(at, rest), loadSome(dy, rest)), rest);
      dy += <usize>rest << 2;
    }
  }
}
