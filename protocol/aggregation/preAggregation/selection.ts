/** Mixing matrices that take rows as they are. */
import type { Mixing } from './mixing.ts';

/** The rows at `positions` of n, by ascending position. Shape [positions.length, n], denominator 1. */
export function selectRows(n: number, positions: readonly number[]): Mixing {
  const weights = new Int32Array(positions.length * n);
  [...positions]
    .sort((a, b) => a - b)
    .forEach((position, r) => {
      weights[r * n + position] = 1;
    });
  return { rows: positions.length, columns: n, weights, denominator: 1 };
}

/** Nothing to go by: one row of zeros, so that the aggregate is zero and the model stays where it is. */
export function noRow(n: number): Mixing {
  return { rows: 1, columns: n, weights: new Int32Array(n), denominator: 1 };
}
