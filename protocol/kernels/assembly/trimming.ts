/**
 * Who is trimmed (`aggregation/trimming.ts`): adds to counts[i] (i32) the coordinates at which row i is among the f lowest
 * or the f highest of m. How many values lie below one is counted, lane by lane; of equal values the lower index is lower.
 */
export function countTrimmedInt16(rowsPtr: usize, m: usize, f: i32, length: usize, counts: usize): void {
  const least = i16x8.splat(<i16>f);
  const end = i16x8.splat(<i16>(<i32>m - f));
  const lastRow = rowsPtr + (m << 2);
  for (let row = rowsPtr; row < lastRow; row += 4, counts += 4) {
    const own = <usize>load<u32>(row);
    let total: i32 = 0;
    for (let at: usize = 0, bytes = length << 1; at < bytes; at += 16) {
      const value = v128.load(own + at);
      let below = i16x8.splat(0); // minus the values below
      let other = rowsPtr;
      for (; other < row; other += 4) below = i16x8.add(below, i16x8.le_s(v128.load(<usize>load<u32>(other) + at), value));
      for (; other < lastRow; other += 4) below = i16x8.add(below, i16x8.lt_s(v128.load(<usize>load<u32>(other) + at), value));
      below = i16x8.neg(below);
      total += popcnt(i16x8.bitmask(v128.or(i16x8.lt_s(below, least), i16x8.ge_s(below, end))));
    }
    store<i32>(counts, load<i32>(counts) + total);
  }
}

export function countTrimmedInt32(rowsPtr: usize, m: usize, f: i32, length: usize, counts: usize): void {
  const least = i32x4.splat(f);
  const end = i32x4.splat(<i32>m - f);
  const lastRow = rowsPtr + (m << 2);
  for (let row = rowsPtr; row < lastRow; row += 4, counts += 4) {
    const own = <usize>load<u32>(row);
    let total: i32 = 0;
    for (let at: usize = 0, bytes = length << 2; at < bytes; at += 16) {
      const value = v128.load(own + at);
      let below = i32x4.splat(0);
      let other = rowsPtr;
      for (; other < row; other += 4) below = i32x4.add(below, i32x4.le_s(v128.load(<usize>load<u32>(other) + at), value));
      for (; other < lastRow; other += 4) below = i32x4.add(below, i32x4.lt_s(v128.load(<usize>load<u32>(other) + at), value));
      below = i32x4.neg(below);
      total += popcnt(i32x4.bitmask(v128.or(i32x4.lt_s(below, least), i32x4.ge_s(below, end))));
    }
    store<i32>(counts, load<i32>(counts) + total);
  }
}

export function countTrimmedFloat64(rowsPtr: usize, m: usize, f: i32, length: usize, counts: usize): void {
  const least = i64x2.splat(f);
  const end = i64x2.splat(<i32>m - f);
  const lastRow = rowsPtr + (m << 2);
  for (let row = rowsPtr; row < lastRow; row += 4, counts += 4) {
    const own = <usize>load<u32>(row);
    let total: i32 = 0;
    for (let at: usize = 0, bytes = length << 3; at < bytes; at += 16) {
      const value = v128.load(own + at);
      let below = i64x2.splat(0);
      let other = rowsPtr;
      for (; other < row; other += 4) below = i64x2.add(below, f64x2.le(v128.load(<usize>load<u32>(other) + at), value));
      for (; other < lastRow; other += 4) below = i64x2.add(below, f64x2.lt(v128.load(<usize>load<u32>(other) + at), value));
      below = i64x2.neg(below);
      total += popcnt(i64x2.bitmask(v128.or(i64x2.lt_s(below, least), i64x2.ge_s(below, end))));
    }
    store<i32>(counts, load<i32>(counts) + total);
  }
}
