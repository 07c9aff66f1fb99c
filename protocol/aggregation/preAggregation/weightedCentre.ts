/**
 * Distances from a weighted centre of the rows, from the Gram matrix alone. With v = (sum_j w_j x_j) / B,
 *
 *     B^2 |x_i - v|^2 = B^2 G[i][i] - 2 B (G w)_i + w^T G w
 *
 * is an integer: no coordinate is ever looked at, so a step costs O(n^2) whatever d is.
 */
import { gramEntry, type InnerProducts } from '../gram.ts';
import { greatest, total } from '../wholeNumbers.ts';

/**
 * B^2 |x_i - v|^2 of every row i. A Gram matrix of real rows never gives less than zero; one that somebody made up is
 * read as zero there.
 *
 * @param weights w, one per row of `gram`; their sum need not be B
 * @param denominator B > 0
 */
export function squaredDistancesToCentre(
  gram: InnerProducts,
  weights: readonly bigint[],
  denominator: bigint,
): bigint[] {
  const products = weightedProducts(gram, weights);
  const centre = total(products.map((product, i) => weights[i]! * product));
  return products.map((product, i) =>
    greatest(0n, denominator * (denominator * gramEntry(gram, i, i) - 2n * product) + centre),
  );
}

/** G w. */
export function weightedProducts(gram: InnerProducts, weights: readonly bigint[]): bigint[] {
  return Array.from({ length: gram.n }, (_, i) =>
    weights.reduce((sum, weight, j) => (weight === 0n ? sum : sum + weight * gramEntry(gram, i, j)), 0n),
  );
}
