/**
 * The one-dimensional transforms of Winograd's filtering with 4 results: a filter of 3 numbers at the points 0, +-a, +-b
 * and infinity, one of 5 at 0, +-a, +-b, +-c and infinity (Toom and Cook; Blahut, "Fast Algorithms for Signal
 * Processing", 2010, chapter 5). With M(x) the product of (x - p) over the finite points:
 *
 *     G  a filter's polynomial at each point p, divided by M'(p)
 *     B' the image's numbers times the coefficients of M(x) / (x - p)
 *     A' the powers p^0 .. p^3
 *
 * and the highest coefficient for infinity. The points were chosen by trying: of all pairs and triples of small
 * fractions tried, these lose the fewest bits (a third of what the usual 1, 2 and 1/2 lose), and their powers are exact.
 * Pairs of opposite points share their even and odd parts. All work on vectors of four channels that lie `step` bytes
 * apart. The constants are variables, and exported, so that they are read where they are used: the compiler would make
 * each anew every time, which costs more than the product.
 */
/** Points of the short filter, their powers and the symmetric functions of their squares. */
export let A1: v128 = f32x4(0.75, 0.75, 0.75, 0.75);
export let A2: v128 = f32x4(0.5625, 0.5625, 0.5625, 0.5625);
export let A3: v128 = f32x4(0.421875, 0.421875, 0.421875, 0.421875);
export let B1: v128 = f32x4(1.5, 1.5, 1.5, 1.5);
export let B2: v128 = f32x4(2.25, 2.25, 2.25, 2.25);
export let B3: v128 = f32x4(3.375, 3.375, 3.375, 3.375);
export let AB_SUM: v128 = f32x4(2.8125, 2.8125, 2.8125, 2.8125);
export let AB_PRODUCT: v128 = f32x4(1.265625, 1.265625, 1.265625, 1.265625);
/** 1 / M'(p) of the short filter. */
export let BY_0: v128 = f32x4(0.790123462677002, 0.790123462677002, 0.790123462677002, 0.790123462677002);
export let BY_A: v128 = f32x4(-0.5267489552497864, -0.5267489552497864, -0.5267489552497864, -0.5267489552497864);
export let BY_B: v128 = f32x4(0.1316872388124466, 0.1316872388124466, 0.1316872388124466, 0.1316872388124466);

/** Points of the long filter (the second is 1), their powers and the symmetric functions of their squares. */
export let D1: v128 = f32x4(0.625, 0.625, 0.625, 0.625);
export let D2: v128 = f32x4(0.390625, 0.390625, 0.390625, 0.390625);
export let D3: v128 = f32x4(0.244140625, 0.244140625, 0.244140625, 0.244140625);
export let D4: v128 = f32x4(0.152587890625, 0.152587890625, 0.152587890625, 0.152587890625);
export let F1: v128 = f32x4(1.75, 1.75, 1.75, 1.75);
export let F2: v128 = f32x4(3.0625, 3.0625, 3.0625, 3.0625);
export let F3: v128 = f32x4(5.359375, 5.359375, 5.359375, 5.359375);
export let F4: v128 = f32x4(9.37890625, 9.37890625, 9.37890625, 9.37890625);
export let EF_SUM: v128 = f32x4(4.0625, 4.0625, 4.0625, 4.0625);
export let EF_PRODUCT: v128 = f32x4(3.0625, 3.0625, 3.0625, 3.0625);
export let DF_SUM: v128 = f32x4(3.453125, 3.453125, 3.453125, 3.453125);
export let DF_PRODUCT: v128 = f32x4(1.1962890625, 1.1962890625, 1.1962890625, 1.1962890625);
export let DE_SUM: v128 = f32x4(1.390625, 1.390625, 1.390625, 1.390625);
export let DE_PRODUCT: v128 = f32x4(0.390625, 0.390625, 0.390625, 0.390625);
export let SUM: v128 = f32x4(4.453125, 4.453125, 4.453125, 4.453125);
export let PAIRS: v128 = f32x4(4.6494140625, 4.6494140625, 4.6494140625, 4.6494140625);
export let PRODUCT: v128 = f32x4(1.1962890625, 1.1962890625, 1.1962890625, 1.1962890625);
/** 1 / M'(p) of the long filter. */
export let LONG_BY_0: v128 = f32x4(-0.8359183669090271, -0.8359183669090271, -0.8359183669090271, -0.8359183669090271);
export let BY_D: v128 = f32x4(0.7861568331718445, 0.7861568331718445, 0.7861568331718445, 0.7861568331718445);
export let BY_E: v128 = f32x4(-0.39782440662384033, -0.39782440662384033, -0.39782440662384033, -0.39782440662384033);
export let BY_F: v128 = f32x4(0.029626736417412758, 0.029626736417412758, 0.029626736417412758, 0.029626736417412758);

// @ts-ignore: decorator
@inline
function times(value: v128, factor: v128): v128 {
  return f32x4.mul(value, factor);
}

/** x - s y + t z */
// @ts-ignore: decorator
@inline
function blend(x: v128, s: v128, y: v128, t: v128, z: v128): v128 {
  return f32x4.add(f32x4.sub(x, times(y, s)), times(z, t));
}

/** Stores the values at a point and at its opposite. */
// @ts-ignore: decorator
@inline
function pair(to: usize, step: usize, even: v128, odd: v128): void {
  v128.store(to, f32x4.add(even, odd));
  v128.store(to + step, f32x4.sub(even, odd));
}

/** B' d: side + 3 numbers each way. */
// @ts-ignore: decorator
@inline
export function spread(side: i32, from: usize, fromStep: usize, to: usize, step: usize): void {
  const d0 = v128.load(from);
  const d1 = v128.load(from + fromStep);
  const d2 = v128.load(from + 2 * fromStep);
  const d3 = v128.load(from + 3 * fromStep);
  const d4 = v128.load(from + 4 * fromStep);
  const d5 = v128.load(from + 5 * fromStep);
  if (side == 3) {
    v128.store(to, blend(d4, AB_SUM, d2, AB_PRODUCT, d0));
    pair(to + step, step, f32x4.sub(d4, times(d2, B2)), times(f32x4.sub(d3, times(d1, B2)), A1));
    pair(to + 3 * step, step, f32x4.sub(d4, times(d2, A2)), times(f32x4.sub(d3, times(d1, A2)), B1));
    v128.store(to + 5 * step, blend(d5, AB_SUM, d3, AB_PRODUCT, d1));
    return;
  }
  const d6 = v128.load(from + 6 * fromStep);
  const d7 = v128.load(from + 7 * fromStep);
  v128.store(to, f32x4.sub(blend(d6, SUM, d4, PAIRS, d2), times(d0, PRODUCT)));
  pair(to + step, step, blend(d6, EF_SUM, d4, EF_PRODUCT, d2), times(blend(d5, EF_SUM, d3, EF_PRODUCT, d1), D1));
  pair(to + 3 * step, step, blend(d6, DF_SUM, d4, DF_PRODUCT, d2), blend(d5, DF_SUM, d3, DF_PRODUCT, d1));
  pair(to + 5 * step, step, blend(d6, DE_SUM, d4, DE_PRODUCT, d2), times(blend(d5, DE_SUM, d3, DE_PRODUCT, d1), F1));
  v128.store(to + 7 * step, f32x4.sub(blend(d7, SUM, d5, PAIRS, d3), times(d1, PRODUCT)));
}

/** A' d: side + 3 numbers become 4. */
// @ts-ignore: decorator
@inline
export function gather(side: i32, from: usize, fromStep: usize, to: usize, step: usize): void {
  const d0 = v128.load(from);
  const d1 = v128.load(from + fromStep);
  const d2 = v128.load(from + 2 * fromStep);
  const d3 = v128.load(from + 3 * fromStep);
  const d4 = v128.load(from + 4 * fromStep);
  const d5 = v128.load(from + 5 * fromStep);
  const even = f32x4.add(d1, d2);
  const odd = f32x4.sub(d1, d2);
  const second = f32x4.add(d3, d4);
  const secondOdd = f32x4.sub(d3, d4);
  if (side == 3) {
    v128.store(to, f32x4.add(f32x4.add(d0, even), second));
    v128.store(to + step, f32x4.add(times(odd, A1), times(secondOdd, B1)));
    v128.store(to + 2 * step, f32x4.add(times(even, A2), times(second, B2)));
    v128.store(to + 3 * step, f32x4.add(f32x4.add(times(odd, A3), times(secondOdd, B3)), d5));
    return;
  }
  const d6 = v128.load(from + 6 * fromStep);
  const third = f32x4.add(d5, d6);
  const thirdOdd = f32x4.sub(d5, d6);
  v128.store(to, f32x4.add(f32x4.add(f32x4.add(d0, even), second), third));
  v128.store(to + step, f32x4.add(f32x4.add(times(odd, D1), secondOdd), times(thirdOdd, F1)));
  v128.store(to + 2 * step, f32x4.add(f32x4.add(times(even, D2), second), times(third, F2)));
  const last = f32x4.add(f32x4.add(times(odd, D3), secondOdd), times(thirdOdd, F3));
  v128.store(to + 3 * step, f32x4.add(last, v128.load(from + 7 * fromStep)));
}

/** A d: 4 numbers become side + 3. */
// @ts-ignore: decorator
@inline
export function scatter(side: i32, from: usize, fromStep: usize, to: usize, step: usize): void {
  const d0 = v128.load(from);
  const d1 = v128.load(from + fromStep);
  const d2 = v128.load(from + 2 * fromStep);
  const d3 = v128.load(from + 3 * fromStep);
  v128.store(to, d0);
  if (side == 3) {
    pair(to + step, step, f32x4.add(d0, times(d2, A2)), f32x4.add(times(d1, A1), times(d3, A3)));
    pair(to + 3 * step, step, f32x4.add(d0, times(d2, B2)), f32x4.add(times(d1, B1), times(d3, B3)));
    v128.store(to + 5 * step, d3);
    return;
  }
  pair(to + step, step, f32x4.add(d0, times(d2, D2)), f32x4.add(times(d1, D1), times(d3, D3)));
  pair(to + 3 * step, step, f32x4.add(d0, d2), f32x4.add(d1, d3));
  pair(to + 5 * step, step, f32x4.add(d0, times(d2, F2)), f32x4.add(times(d1, F1), times(d3, F3)));
  v128.store(to + 7 * step, d3);
}

/** G g: side numbers become side + 3. */
// @ts-ignore: decorator
@inline
export function weigh(side: i32, from: usize, fromStep: usize, to: usize, step: usize): void {
  const g0 = v128.load(from);
  const g1 = v128.load(from + fromStep);
  const g2 = v128.load(from + 2 * fromStep);
  if (side == 3) {
    v128.store(to, times(g0, BY_0));
    pair(to + step, step, times(f32x4.add(g0, times(g2, A2)), BY_A), times(times(g1, A1), BY_A));
    pair(to + 3 * step, step, times(f32x4.add(g0, times(g2, B2)), BY_B), times(times(g1, B1), BY_B));
    v128.store(to + 5 * step, g2);
    return;
  }
  const g3 = v128.load(from + 3 * fromStep);
  const g4 = v128.load(from + 4 * fromStep);
  v128.store(to, times(g0, LONG_BY_0));
  const even = f32x4.add(f32x4.add(g0, times(g2, D2)), times(g4, D4));
  pair(to + step, step, times(even, BY_D), times(f32x4.add(times(g1, D1), times(g3, D3)), BY_D));
  pair(to + 3 * step, step, times(f32x4.add(f32x4.add(g0, g2), g4), BY_E), times(f32x4.add(g1, g3), BY_E));
  const far = f32x4.add(f32x4.add(g0, times(g2, F2)), times(g4, F4));
  pair(to + 5 * step, step, times(far, BY_F), times(f32x4.add(times(g1, F1), times(g3, F3)), BY_F));
  v128.store(to + 7 * step, g4);
}

/** G' u: side + 3 numbers become side. */
// @ts-ignore: decorator
@inline
export function collect(side: i32, from: usize, fromStep: usize, to: usize, step: usize): void {
  const u0 = v128.load(from);
  const u1 = v128.load(from + fromStep);
  const u2 = v128.load(from + 2 * fromStep);
  const u3 = v128.load(from + 3 * fromStep);
  const u4 = v128.load(from + 4 * fromStep);
  const u5 = v128.load(from + 5 * fromStep);
  if (side == 3) {
    const even = times(f32x4.add(u1, u2), BY_A);
    const odd = times(f32x4.sub(u1, u2), BY_A);
    const far = times(f32x4.add(u3, u4), BY_B);
    const farOdd = times(f32x4.sub(u3, u4), BY_B);
    v128.store(to, f32x4.add(f32x4.add(times(u0, BY_0), even), far));
    v128.store(to + step, f32x4.add(times(odd, A1), times(farOdd, B1)));
    v128.store(to + 2 * step, f32x4.add(f32x4.add(times(even, A2), times(far, B2)), u5));
    return;
  }
  const u6 = v128.load(from + 6 * fromStep);
  const even = times(f32x4.add(u1, u2), BY_D);
  const odd = times(f32x4.sub(u1, u2), BY_D);
  const middle = times(f32x4.add(u3, u4), BY_E);
  const middleOdd = times(f32x4.sub(u3, u4), BY_E);
  const far = times(f32x4.add(u5, u6), BY_F);
  const farOdd = times(f32x4.sub(u5, u6), BY_F);
  v128.store(to, f32x4.add(f32x4.add(f32x4.add(times(u0, LONG_BY_0), even), middle), far));
  v128.store(to + step, f32x4.add(f32x4.add(times(odd, D1), middleOdd), times(farOdd, F1)));
  v128.store(to + 2 * step, f32x4.add(f32x4.add(times(even, D2), middle), times(far, F2)));
  v128.store(to + 3 * step, f32x4.add(f32x4.add(times(odd, D3), middleOdd), times(farOdd, F3)));
  const last = f32x4.add(f32x4.add(times(even, D4), middle), times(far, F4));
  v128.store(to + 4 * step, f32x4.add(last, v128.load(from + 7 * fromStep)));
}
