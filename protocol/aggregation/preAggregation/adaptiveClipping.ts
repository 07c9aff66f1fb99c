/**
 * ARC(f), adaptive robust clipping (Allouah, Guerraoui, Gupta, Jellouli, Rizk, Stephan 2025, "Adaptive Gradient
 * Clipping for Robust Federated Learning"): the k = floor(2 (f/n) (n - f)) rows of largest norm are clipped to the norm
 * c of the next largest one.
 *
 *     W[i][i] = floor(2^14 c / |x_i|) where |x_i| > c, else 2^14          W[i][j] = 0          denominator 2^14
 *
 * computed as the exact root of floor(2^28 c^2 / |x_i|^2), so a clipped row is never longer than c. Which of several
 * rows of norm c are among the k does not matter: clipping leaves them as they are.
 *
 * Needs n > 2f. It has no breakdown point of its own: it keeps the robustness of the rule behind it, as the paper
 * proves, and bounds what an attack can gain by length. Cost: O(n log n).
 */
import { gramEntry, type InnerProducts } from '../gram.ts';
import type { Rule } from '../rule.ts';
import { ascending, isqrt } from '../wholeNumbers.ts';
import { type Mixing, WEIGHT_ONE } from './mixing.ts';

/** `gram` of n rows, n > f. Result: [n, n], diagonal, entries 0 <= W <= 2^14, denominator 2^14. */
export function adaptiveClipping(gram: InnerProducts, rule: Rule): Mixing {
  const { n } = gram;
  const squares = Array.from({ length: n }, (_, i) => gramEntry(gram, i, i));
  const clipped = Math.floor((2 * rule.byzantine * (n - rule.byzantine)) / n); // <= n/2 < n
  const threshold = [...squares].sort(ascending).at(-1 - clipped)!;
  const bound = threshold > 0n ? threshold : 0n;
  const weights = new Int32Array(n * n);
  squares.forEach((square, i) => {
    weights[i * n + i] = square > bound ? clippingWeight(bound, square) : WEIGHT_ONE;
  });
  return { rows: n, columns: n, weights, denominator: WEIGHT_ONE };
}

/**
 * floor(2^14 sqrt(bound / square)) for 0 <= bound < square: what shortens a row to the norm sqrt(bound), or just below.
 */
export function clippingWeight(bound: bigint, square: bigint): number {
  return Number(isqrt((BigInt(WEIGHT_ONE) ** 2n * bound) / square));
}
