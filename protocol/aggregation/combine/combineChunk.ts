/**
 * The coordinate-wise half of a rule over one chunk of rows: numerators over one common denominator. The plain
 * reference that faster kernels are held to.
 */
import type { CombinedRow, Mixing } from '../preAggregation/mixing.ts';
import type { Combine, Rule } from '../rule.ts';
import { mean } from './mean.ts';
import { median } from './median.ts';
import { bulyanCount, meaMedCount, nearestMedian } from './nearestMedian.ts';
import { trimmedMean } from './trimmedMean.ts';

interface CombineRule {
  denominator(m: number, f: number): number;
  /** `sorted`: the m values in ascending order. */
  numerator(sorted: Float64Array, f: number): number;
}

const COMBINE: Record<Combine, CombineRule> = {
  mean,
  median,
  trimmedMean,
  meaMed: {
    denominator: (m, f) => nearestMedian.denominator(meaMedCount(m, f)),
    numerator: (sorted, f) => nearestMedian.numerator(sorted, meaMedCount(sorted.length, f)),
  },
  bulyan: {
    denominator: (m, f) => nearestMedian.denominator(bulyanCount(m, f)),
    numerator: (sorted, f) => nearestMedian.numerator(sorted, bulyanCount(sorted.length, f)),
  },
};

/** What the numerators of `combineChunk` are divided by, besides the mixing's own denominator. */
export function combineDenominator(combine: Combine, m: number, f: number): number {
  return COMBINE[combine].denominator(m, f);
}

/** What the numerators of a rule over `n` rows are divided by in all: `combineDenominator`, and the mixing's own. */
export function ruleDenominator(
  { combine, byzantine }: Pick<Rule, 'combine' | 'byzantine'>,
  n: number,
  mixing: Mixing | null,
): number {
  return combineDenominator(combine, mixing?.rows ?? n, byzantine) * (mixing?.denominator ?? 1);
}

/** Shape of `rows`: m x K; result [K], exact integers. */
export function combineChunk(combine: Combine, f: number, rows: readonly CombinedRow[]): Float64Array {
  const m = rows.length;
  const width = rows[0]?.length ?? 0;
  const { numerator } = COMBINE[combine];
  const numerators = new Float64Array(width); // integers below 2^52: float64 holds them exactly
  const column = new Float64Array(m);
  for (let k = 0; k < width; k++) {
    for (let i = 0; i < m; i++) column[i] = rows[i]![k]!;
    if (combine !== 'mean') sortSmall(column);
    numerators[k] = numerator(column, f);
  }
  return numerators;
}

/** Insertion sort: m <= 100 values, most often about ten. */
function sortSmall(values: Float64Array): void {
  for (let i = 1; i < values.length; i++) {
    const value = values[i]!;
    let j = i - 1;
    while (j >= 0 && values[j]! > value) {
      values[j + 1] = values[j]!;
      j--;
    }
    values[j + 1] = value;
  }
}
