/**
 * Centred clipping (Karimireddy, He, Jaggi 2021, "Learning from History for Byzantine Robust Optimization", section 4),
 * in fixed point on the Gram matrix of n + 1 rows. The last row is v_0, the step the model took in the round before;
 * so what a participant says once is forgotten slowly, and what it says against everybody's habit counts at most tau:
 *
 *     lambda_i = min(1, tau / |x_i - v|)        in 2^-24, rounded down: a clipped difference never exceeds tau
 *     v        = v + (1/n) sum_i lambda_i (x_i - v)
 *
 * L times. v is kept as weights over the n + 1 rows that sum to 2^24; a rounding remainder stays with the history row,
 * so that v is always an affine combination of rows.
 *
 * Needs n > 2f. One step moves v by at most tau, of which Byzantine rows decide f tau / n; the paper bounds the error
 * for f < n/10 with a proven constant, and centred clipping is used up to f < n/2. It is only as good as tau: about the
 * distance of honest updates from their mean. Cost: O(L n^2).
 */
import type { InnerProducts } from '../gram.ts';
import type { Rule } from '../rule.ts';
import { isqrt, total } from '../wholeNumbers.ts';
import type { Mixing } from './mixing.ts';
import type { MixingContext } from './stage.ts';
import { squaredDistancesToCentre } from './weightedCentre.ts';

/** 1.0 of lambda, and the denominator of v: a weight's rounding error moves a coordinate by less than 2^-9 units. */
const ONE = 2n ** 24n;

/**
 * `gram` of the n updates and, last, the history row; L = `rule.iterations` >= 1, tau = `rule.radius` in the updates'
 * units. Result: [1, n + 1] weights >= 0 whose sum is the denominator 2^24.
 */
export function centeredClipping(gram: InnerProducts, rule: Rule, context: MixingContext): Mixing {
  const updates = gram.n - 1;
  const radius = rule.radius * context.scale * ONE;
  const whole = BigInt(updates) * ONE;
  let weights: bigint[] = Array.from({ length: gram.n }, (_, i) => (i === updates ? ONE : 0n));
  for (let step = 0; step < rule.iterations; step++) {
    const pulls = squaredDistancesToCentre(gram, weights, ONE)
      .slice(0, updates)
      .map((square) => clippingFactor(square, radius));
    const kept = whole - total(pulls);
    const moved = pulls.map((pull, i) => (weights[i]! * kept + ONE * pull) / whole);
    weights = [...moved, ONE - total(moved)];
  }
  return { rows: 1, columns: gram.n, weights: Int32Array.from(weights, Number), denominator: Number(ONE) };
}

/** min(1, radius / sqrt(square)) in 2^-24, rounded down. */
function clippingFactor(square: bigint, radius: bigint): bigint {
  return square <= radius * radius ? ONE : isqrt((ONE * ONE * radius * radius) / square);
}
