/**
 * The floor of every kernel: reads `byteLength` bytes (a multiple of 32) of n rows once, side by side as the others do,
 * and folds them together. What a benchmark compares a kernel with: none can be faster than reading its input.
 */
export function readRows(rowsPtr: usize, n: usize, byteLength: usize): i32 {
  let a = i64x2.splat(0);
  let b = i64x2.splat(0);
  const lastRow = rowsPtr + (n << 2);
  for (let at: usize = 0; at < byteLength; at += 32) {
    for (let row = rowsPtr; row < lastRow; row += 4) {
      const from = <usize>load<u32>(row) + at;
      a = v128.xor(a, v128.load(from));
      b = v128.xor(b, v128.load(from, 16));
    }
  }
  const all = v128.xor(a, b);
  return i32x4.extract_lane(all, 0) ^ i32x4.extract_lane(all, 1) ^ i32x4.extract_lane(all, 2) ^ i32x4.extract_lane(all, 3);
}
