/**
 * Mixing whose weights are zeros and ones, in int16 lanes: mixed row r is the sum of some rows, or all rows' sum without
 * some, whichever are fewer (a nearest-neighbour mixing leaves out f of n). Lanes may wrap on the way; they are exact
 * where the mixed rows themselves fit int16.
 *
 * `program` holds for each mixed row: u32 1 to start from the sum of all rows and subtract, 0 to start from zero and add;
 * u32 count; count times u32 byte offset into `rowsPtr`. `total` has room for `length` int16.
 */
export function rowSums(
  rowsPtr: usize,
  n: usize,
  total: usize,
  program: usize,
  outRowsPtr: usize,
  m: usize,
  length: usize,
): void {
  const bytes = length << 1;
  const lastRow = rowsPtr + (n << 2);
  if (total) {
    for (let at: usize = 0; at < bytes; at += 32) {
      let s0 = i16x8.splat(0);
      let s1 = i16x8.splat(0);
      for (let row = rowsPtr; row < lastRow; row += 4) {
        const from = <usize>load<u32>(row) + at;
        s0 = i16x8.add(s0, v128.load(from));
        s1 = i16x8.add(s1, v128.load(from, 16));
      }
      v128.store(total + at, s0);
      v128.store(total + at, s1, 16);
    }
  }
  for (const lastOut = outRowsPtr + (m << 2); outRowsPtr < lastOut; outRowsPtr += 4) {
    const out = <usize>load<u32>(outRowsPtr);
    const subtracts = load<u32>(program);
    const first = program + 8;
    const last = first + (<usize>load<u32>(program, 4) << 2);
    program = last;
    for (let at: usize = 0; at < bytes; at += 32) {
      let s0 = i16x8.splat(0);
      let s1 = i16x8.splat(0);
      for (let entry = first; entry < last; entry += 4) {
        const from = <usize>load<u32>(rowsPtr + load<u32>(entry)) + at;
        s0 = i16x8.add(s0, v128.load(from));
        s1 = i16x8.add(s1, v128.load(from, 16));
      }
      if (subtracts) {
        s0 = i16x8.sub(v128.load(total + at), s0);
        s1 = i16x8.sub(v128.load(total + at, 16), s1);
      }
      v128.store(out + at, s0);
      v128.store(out + at, s1, 16);
    }
  }
}
