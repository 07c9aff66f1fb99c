/**
 * NNM(f): every row becomes the mean of its n - f nearest rows, itself included (Allouah et al. 2023, "Fixing by
 * Mixing", algorithm 2). Distances are exact; ties go to the lower index.
 */
import { type InnerProducts, squaredDistance } from '../gram.ts';
import type { Mixing } from './mixing.ts';

/** `gram` of n > 2f rows. Result: [n, n] of zeros and ones with denominator n - f. */
export function nearestNeighborMixing(gram: InnerProducts, f: number): Mixing {
  const { n } = gram;
  const weights = new Int32Array(n * n);
  for (let i = 0; i < n; i++) {
    weights[i * n + i] = 1;
    for (const j of nearestOthers(gram, i).slice(0, n - f - 1)) weights[i * n + j] = 1;
  }
  return { rows: n, columns: n, weights, denominator: n - f };
}

/** The other rows from nearest to farthest; of equally near ones the lower index first. */
export function nearestOthers(gram: InnerProducts, i: number): number[] {
  const others: { readonly j: number; readonly distance: bigint }[] = [];
  for (let j = 0; j < gram.n; j++) if (j !== i) others.push({ j, distance: squaredDistance(gram, i, j) });
  others.sort((a, b) => (a.distance < b.distance ? -1 : a.distance > b.distance ? 1 : a.j - b.j));
  return others.map(({ j }) => j);
}
