/** Exact statistics of int16 rows. Lengths are multiples of 16. */

/** Steps after which 16-bit counters must be emptied. */
const STEPS: usize = 16384;

/** Writes how many coordinates are positive, zero and negative to `out`: three uint32. */
export function countSigns(data: usize, length: i32, out: usize): void {
  const zero = i16x8.splat(0);
  let positives: u32 = 0;
  let zeros: u32 = 0;
  const end = data + (<usize>length << 1);
  while (data < end) {
    let above = zero;
    let equal = zero;
    for (const stop = min(end, data + (STEPS << 4)); data < stop; data += 16) {
      const x = v128.load(data);
      above = i16x8.sub(above, i16x8.gt_s(x, zero)); // a true lane is -1
      equal = i16x8.sub(equal, i16x8.eq(x, zero));
    }
    positives += total(above);
    zeros += total(equal);
  }
  store<u32>(out, positives);
  store<u32>(out, zeros, 4);
  store<u32>(out, <u32>length - positives - zeros, 8);
}

// @ts-ignore: decorator
@inline
function total(counters: v128): u32 {
  const pairs = i32x4.extadd_pairwise_i16x8_s(counters);
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1) + i32x4.extract_lane(pairs, 2) + i32x4.extract_lane(pairs, 3);
}

/** max |q|, 0 to 32768. */
export function largestMagnitude(data: usize, length: i32): i32 {
  let most = i16x8.splat(0);
  for (const end = data + (<usize>length << 1); data < end; data += 16) {
    most = i16x8.max_u(most, i16x8.abs(v128.load(data))); // |-32768| wraps to 32768 unsigned
  }
  let largest = 0;
  for (let bit = 32768; bit > 0; bit >>= 1) {
    if (v128.any_true(i16x8.ge_u(most, i16x8.splat(<i16>(largest | bit))))) largest |= bit;
  }
  return largest;
}
