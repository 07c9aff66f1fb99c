/**
 * The mean of the values nearest the median. MeaMed (Xie et al. 2018, "Generalized Byzantine-tolerant SGD",
 * definition 4): the m - f nearest of m. Bulyan's second half (El Mhamdi et al. 2018, section 4): the m - 2f nearest of
 * the m = n - 2f rows that iterated Krum picked.
 *
 * The nearest of sorted values lie side by side: drop from the ends, farther one first. For even m the median is the
 * midpoint (a + b) / 2 of the two middles, so distances are compared as |2x - (a + b)|. Of two values equally far on
 * either side the LOWER VALUE stays: values, not participants, so the order of rows decides nothing
 * (docs/decisions/0016).
 */

/** How many values MeaMed keeps. */
export const meaMedCount = (m: number, f: number): number => m - f;
/** How many values Bulyan keeps. */
export const bulyanCount = (m: number, f: number): number => m - 2 * f;

export const nearestMedian = {
  denominator: (count: number): number => count,
  /**
   * Numerator of one coordinate: the sum of the `count` values nearest the median. `sorted` holds the m >= count values
   * in ascending order, |value| <= 2^44: the sum of 100 stays below 2^51, twice a difference below 2^47.
   */
  numerator(sorted: ArrayLike<number>, count: number): number {
    let low = 0;
    let high = sorted.length - 1;
    const center = sorted[high >> 1]! + sorted[sorted.length >> 1]!; // twice the median
    for (let left = sorted.length; left > count; left--) {
      if (center - 2 * sorted[low]! > 2 * sorted[high]! - center) low++;
      else high--;
    }
    let sum = 0;
    for (let i = low; i <= high; i++) sum += sorted[i]!;
    return sum;
  },
};
