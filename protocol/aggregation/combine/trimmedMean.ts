/**
 * Coordinate-wise trimmed mean (Yin et al. 2018, definition 2): drop the f lowest and the f highest of the m values,
 * take the mean of the other m - 2f. f is a count, never a rounded fraction.
 */
export const trimmedMean = {
  denominator: (m: number, f: number): number => m - 2 * f,
  /** Numerator of one coordinate. `sorted` holds the m > 2f values in ascending order; |sum| <= 100 * 2^44 < 2^51. */
  numerator(sorted: ArrayLike<number>, f: number): number {
    let sum = 0;
    for (let i = f; i < sorted.length - f; i++) sum += sorted[i]!;
    return sum;
  },
};
