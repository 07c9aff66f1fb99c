/**
 * Multi-Krum(f, m): the m rows with the lowest Krum scores, where a row's score is the sum of its squared distances to
 * its n - f - 2 nearest others (Blanchard et al. 2017, section 4 and 5). Krum is m = 1. Ties go to the lower index.
 */
import { type InnerProducts, squaredDistance } from '../gram.ts';
import type { Mixing } from './mixing.ts';
import { nearestOthers } from './nearestNeighborMixing.ts';

/** `gram` of n >= 2f + 3 rows; `selected` 0 stands for m = n - f. Result: [m, n] selection rows, index ascending. */
export function multiKrum(gram: InnerProducts, f: number, selected: number): Mixing {
  const { n } = gram;
  const m = selected === 0 ? n - f : selected;
  const chosen = krumScores(gram, f)
    .map((score, i) => ({ score, i }))
    .sort((a, b) => (a.score < b.score ? -1 : a.score > b.score ? 1 : a.i - b.i))
    .slice(0, m)
    .map(({ i }) => i)
    .sort((a, b) => a - b);
  const weights = new Int32Array(m * n);
  chosen.forEach((i, r) => {
    weights[r * n + i] = 1;
  });
  return { rows: m, columns: n, weights, denominator: 1 };
}

/** Krum's score of every row. */
export function krumScores(gram: InnerProducts, f: number): bigint[] {
  return Array.from({ length: gram.n }, (_, i) =>
    nearestOthers(gram, i)
      .slice(0, gram.n - f - 2)
      .reduce((sum, j) => sum + squaredDistance(gram, i, j), 0n),
  );
}
