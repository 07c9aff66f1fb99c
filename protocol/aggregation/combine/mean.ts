/** FedAvg's combine: the plain mean of the rows (McMahan et al. 2017, algorithm 1, equal weights). */
export const mean = {
  denominator: (m: number): number => m,
  /** Numerator of one coordinate. `column` holds the m values; |sum| <= 100 * 2^44 < 2^51. */
  numerator(column: ArrayLike<number>): number {
    let sum = 0;
    for (let i = 0; i < column.length; i++) sum += column[i]!;
    return sum;
  },
};
