/**
 * Coordinate-wise median (Yin et al. 2018, definition 1). For an even number of rows the midpoint of the two middle
 * values, which is their sum over 2: never the lower one.
 */
export const median = {
  denominator: (m: number): number => (m % 2 === 0 ? 2 : 1),
  /** Numerator of one coordinate. `sorted` holds the m values in ascending order. */
  numerator(sorted: ArrayLike<number>): number {
    const m = sorted.length;
    return m % 2 === 0 ? sorted[m / 2 - 1]! + sorted[m / 2]! : sorted[(m - 1) / 2]!;
  },
};
