/** Cosines of rows in fixed point, from the Gram matrix. */
import { gramEntry, type InnerProducts } from '../gram.ts';
import { isqrt, least } from '../wholeNumbers.ts';

/** 1.0 of a cosine. */
export const COSINE_ONE = 2n ** 24n;

/**
 * trunc(2^24 cos(x_i, x_j)), exact: parallel rows have exactly 2^24. A row of zeros has cosine 0 to every row, and no
 * Gram matrix, however wrong, gives a cosine beyond +-1.
 */
export function fixedCosine(gram: InnerProducts, i: number, j: number): bigint {
  const product = gramEntry(gram, i, j);
  const squares = gramEntry(gram, i, i) * gramEntry(gram, j, j);
  if (squares <= 0n) return 0n;
  const size = least(COSINE_ONE, isqrt((COSINE_ONE * COSINE_ONE * product * product) / squares));
  return product < 0n ? -size : size;
}
