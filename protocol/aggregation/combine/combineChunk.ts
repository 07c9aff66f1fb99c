/**
 * The coordinate-wise half of a rule over one chunk of rows: numerators over one common denominator. The plain
 * reference that faster kernels are held to.
 */
import type { Combine } from '../rule.ts';
import { mean } from './mean.ts';
import { median } from './median.ts';
import { trimmedMean } from './trimmedMean.ts';

/** What the numerators of `combineChunk` are divided by, besides the mixing's own denominator. */
export function combineDenominator(combine: Combine, m: number, f: number): number {
  if (combine === 'mean') return mean.denominator(m);
  if (combine === 'median') return median.denominator(m);
  return trimmedMean.denominator(m, f);
}

/** Shape of `rows`: m x K; result [K], exact integers. */
export function combineChunk(combine: Combine, f: number, rows: readonly (Int16Array | Int32Array)[]): Float64Array {
  const m = rows.length;
  const width = rows[0]?.length ?? 0;
  const numerators = new Float64Array(width); // integers below 2^52: float64 holds them exactly
  const column = new Int32Array(m);
  for (let k = 0; k < width; k++) {
    for (let i = 0; i < m; i++) column[i] = rows[i]![k]!;
    if (combine === 'mean') {
      numerators[k] = mean.numerator(column);
    } else {
      sortSmall(column);
      numerators[k] = combine === 'median' ? median.numerator(column) : trimmedMean.numerator(column, f);
    }
  }
  return numerators;
}

/** Insertion sort: m <= 100 values, most often about ten. */
function sortSmall(values: Int32Array): void {
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
