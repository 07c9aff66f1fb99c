/** max(x, 0) in place over any number of float32. */
export function reluInPlace(values: usize, length: i32): void {
  const end = values + (<usize>length << 2);
  const zero = f32x4.splat(0);
  for (const whole = values + (<usize>(length & ~3) << 2); values < whole; values += 16) {
    v128.store(values, f32x4.max(v128.load(values), zero));
  }
  for (; values < end; values += 4) store<f32>(values, max<f32>(load<f32>(values), 0));
}
