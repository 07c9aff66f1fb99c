/**
 * The floor of every kernel: reads `byteLength` bytes (a multiple of 64) once and folds them together. What a benchmark
 * compares a kernel with, since no kernel can be faster than reading its input.
 */
export function readAll(ptr: usize, byteLength: usize): i32 {
  let a = i64x2.splat(0);
  let b = i64x2.splat(0);
  let c = i64x2.splat(0);
  let d = i64x2.splat(0);
  for (const end = ptr + byteLength; ptr < end; ptr += 64) {
    a = v128.xor(a, v128.load(ptr));
    b = v128.xor(b, v128.load(ptr, 16));
    c = v128.xor(c, v128.load(ptr, 32));
    d = v128.xor(d, v128.load(ptr, 48));
  }
  const all = v128.xor(v128.xor(a, b), v128.xor(c, d));
  return i32x4.extract_lane(all, 0) ^ i32x4.extract_lane(all, 1) ^ i32x4.extract_lane(all, 2) ^ i32x4.extract_lane(all, 3);
}
