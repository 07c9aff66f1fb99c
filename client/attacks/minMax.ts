/**
 * Min-Max and Min-Sum (Shejwalkar and Houmansadr 2021, "Manipulating the Byzantine", section IV-C and IV-D): the honest mean
 * moved against the honest spread, `mean - gamma * deviation`, as far as distances do not give it away. The paper finds the
 * largest gamma by halving; distances are quadratics in gamma, so here it is their root.
 *
 *     Min-Max:  max_i |m - x_i|   <= max_ij |x_i - x_j|
 *     Min-Sum:  sum_i |m - x_i|^2 <= max_i sum_j |x_i - x_j|^2
 *
 * Lone: the same from what it knows, its own update and the last published step.
 */
import type { Attack } from './attack.ts';
import { deviationOf, innerProduct, knownUpdates, meanOf, squaredDistance, stepAlong } from './statistics.ts';

export const minMax: Attack = spreadAttack(
  'minMax',
  'moves the mean as far as the largest distance between two honest updates hides it',
  (distances, sizes, against, length) => {
    const allowed = Math.max(...distances.flat());
    // |m - x_i|^2 = size_i - 2 gamma against_i + gamma^2 length, with against_i = <deviation, mean - x_i>.
    return Math.min(
      ...sizes.map((size, i) => {
        const b = against[i]!;
        return (b + Math.sqrt(Math.max(0, b * b + length * (allowed - size)))) / length;
      }),
    );
  },
);

export const minSum: Attack = spreadAttack(
  'minSum',
  'moves the mean as far as the largest sum of distances among honest updates hides it',
  (distances, sizes, _, length) => {
    const sums = distances.map((row) => row.reduce((sum, distance) => sum + distance, 0));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    // The terms of first order cancel: the sum over i of mean - x_i is zero.
    return Math.sqrt(Math.max(0, Math.max(...sums) - total) / (sizes.length * length));
  },
);

/** @returns the largest gamma; squared distances throughout, `length` is |deviation|^2 > 0 */
type LargestGamma = (
  distances: readonly (readonly number[])[],
  sizes: readonly number[],
  against: readonly number[],
  length: number,
) => number;

function spreadAttack(name: string, summary: string, largestGamma: LargestGamma): Attack {
  const craft = (rows: readonly Float32Array[]): Float32Array => {
    const mean = meanOf(rows);
    const deviation = deviationOf(rows, mean);
    const length = innerProduct(deviation, deviation);
    if (length === 0) return mean;
    const distances = rows.map((row) => rows.map((other) => squaredDistance(row, other)));
    const sizes = rows.map((row) => squaredDistance(row, mean));
    const against = rows.map((row) => innerProduct(deviation, mean) - innerProduct(deviation, row));
    return stepAlong(mean, -largestGamma(distances, sizes, against, length), deviation);
  };
  return {
    name,
    summary,
    corruptUpdate: ({ update, lastStep }) => craft(knownUpdates(update, lastStep)),
    conspire: ({ honest }) => craft(honest),
  };
}
