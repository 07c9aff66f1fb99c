/**
 * The geometric median, by the smoothed Weiszfeld algorithm (RFA: Pillutla, Kakade, Harchaoui 2022, "Robust Aggregation
 * for Federated Learning", algorithm 2), in integers and on the Gram matrix alone. From the mean, T times:
 *
 *     D_i    = |x_i - v|                        floor of the exact root, in units of 1/B
 *     beta_i = floor(2^14 min_j E_j / E_i)      E_i = max(D_i, nu)
 *     v      = (sum_i beta_i x_i) / B           B = sum_i beta_i
 *
 * nu is a sixteenth of the median distance of that step, and at least one unit of the updates. A constant nu near zero,
 * as published, is not safe with a fixed T: a few Byzantine rows can place the first mean exactly on one of them, whose
 * weight 1/nu then holds the centre for about log_n(distance / nu) steps. With this nu a row weighs at most sixteen
 * times the median row, so such a start is left at once; and the result does not depend on the scale of the updates.
 *
 * Needs n > 2f. Breakdown point 1/2 (Lopuhaa, Rousseeuw 1991): with fewer than half of the rows Byzantine the geometric
 * median stays within a multiple of the honest rows' spread. Cost: O(T n^2).
 */
import type { InnerProducts } from '../gram.ts';
import type { Rule } from '../rule.ts';
import { ascending, greatest, isqrt, least, total } from '../wholeNumbers.ts';
import { type Mixing, WEIGHT_ONE } from './mixing.ts';
import type { MixingContext } from './stage.ts';
import { squaredDistancesToCentre } from './weightedCentre.ts';

/** nu is the median distance over this. */
const SMOOTHING = 16n;

/** T = `rule.iterations` >= 1. Result: [1, n] weights 0 <= W <= 2^14 whose sum is the denominator. */
export function geometricMedian(gram: InnerProducts, rule: Rule, context: MixingContext): Mixing {
  const { n } = gram;
  let weights: bigint[] = Array.from({ length: n }, () => 1n);
  let denominator = BigInt(n);
  for (let step = 0; step < rule.iterations; step++) {
    const distances = squaredDistancesToCentre(gram, weights, denominator).map(isqrt);
    const unit = denominator * context.scale;
    const smoothing = greatest(unit, median(distances) / SMOOTHING);
    const smoothed = distances.map((distance) => greatest(distance, smoothing));
    const nearest = least(...smoothed);
    weights = smoothed.map((distance) => (BigInt(WEIGHT_ONE) * nearest) / distance);
    denominator = total(weights); // at least 2^14: the nearest row's own weight
  }
  return { rows: 1, columns: n, weights: Int32Array.from(weights, Number), denominator: Number(denominator) };
}

/** Of an even number the upper of the two in the middle. */
function median(values: readonly bigint[]): bigint {
  return [...values].sort(ascending)[values.length >> 1]!;
}
