/**
 * Multi-Krum(f, m): the m rows with the lowest Krum scores, where a row's score is the sum of its squared distances to
 * its n - f - 2 nearest others (Blanchard et al. 2017, section 4 and 5). Krum is m = 1. Ties go to the lower index.
 */
import { type InnerProducts, squaredDistance } from '../gram.ts';
import { ascending, total } from '../wholeNumbers.ts';
import type { Mixing } from './mixing.ts';

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

/** Krum's score of every row: of equally far ones it does not matter which count. */
export function krumScores(gram: InnerProducts, f: number): bigint[] {
  const { n } = gram;
  const distances: bigint[][] = Array.from({ length: n }, () => []);
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const distance = squaredDistance(gram, i, j);
      distances[i]!.push(distance);
      distances[j]!.push(distance);
    }
  }
  return distances.map((others) => total(others.sort(ascending).slice(0, n - f - 2)));
}
