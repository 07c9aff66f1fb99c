/** out[segment[i], :] += x[i, :] in the order of i; negative segments and those beyond the last are left out. */
export function segmentSum(x: usize, segmentIds: usize, rows: i32, length: i32, segments: i32, out: usize): void {
  const bytes = <usize>length << 2;
  memory.fill(out, 0, bytes * segments);
  for (let i = 0; i < rows; i++, x += bytes) {
    const segment = load<i32>(segmentIds + (<usize>i << 2));
    if (segment < 0 || segment >= segments) continue;
    let from = x;
    let to = out + bytes * segment;
    const end = to + bytes;
    for (const whole = to + (bytes & ~15); to < whole; to += 16, from += 16) {
      v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
    }
    for (; to < end; to += 4, from += 4) store<f32>(to, load<f32>(to) + load<f32>(from));
  }
}
