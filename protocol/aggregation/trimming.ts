/**
 * Who was trimmed, for people who watch a federation: for every row the number of coordinates at which its value lay
 * among the f lowest or the f highest. A statistic, no part of the model, taken over every s-th chunk so that its cost
 * does not grow with the model.
 */
import type { CombinedRow, Mixing } from './preAggregation/mixing.ts';
import type { Rule } from './rule.ts';

const SAMPLED_CHUNKS = 256;

/** s: chunks 0, s, 2s, ... are counted; 1 for models of up to 256 chunks. */
export function trimSampleStride(chunkCount: number): number {
  return Math.max(1, Math.ceil(chunkCount / SAMPLED_CHUNKS));
}

/** Coordinates in the counted chunks, padding included. */
export function trimSampleSize(chunkCount: number, chunkSize: number): number {
  return Math.ceil(chunkCount / trimSampleStride(chunkCount)) * chunkSize;
}

/** Adds one chunk's counts to `counts` (length m). Shape of `rows`: m x K. Of equal values the lower index is lower. */
export function countTrimmed(counts: number[], rows: readonly CombinedRow[], f: number): void {
  const m = rows.length;
  if (f === 0) return;
  const width = rows[0]?.length ?? 0;
  for (let k = 0; k < width; k++) {
    for (let i = 0; i < m; i++) {
      const value = rows[i]![k]!;
      let below = 0;
      for (let j = 0; j < m; j++) {
        const other = rows[j]![k]!;
        if (other < value || (other === value && j < i)) below++;
      }
      if (below < f || below >= m - f) counts[i] = counts[i]! + 1;
    }
  }
}

/**
 * Counts of `countTrimmed` by update: null where rows were combined that stand for no update (buckets, which are in the
 * order that the seed gave them even when each holds one row), as where none was trimmed.
 */
export function trimmedByUpdate(
  trimmed: readonly number[] | null,
  { preAggregations }: Pick<Rule, 'preAggregations'>,
): readonly number[] | null {
  return preAggregations.includes('bucketing') ? null : trimmed;
}

/** 1.0 of `keptWeightsQ16`: an equal share in the aggregate. */
export const EQUAL_SHARE_Q16 = 65_536;

/**
 * What mixing and trimming leave of each update: its weight in the aggregate, 65536 being an equal share. A row's own
 * count would mislead after mixing: rows that mixing made equal are trimmed by index, yet stand for the same updates.
 *
 * @param trimmed counts of `countTrimmed` for the m combined rows
 * @param sampled coordinates counted (`trimSampleSize`), at most 2^20
 * @param mixing null when the rows are the updates
 * @param n updates
 */
export function keptWeightsQ16(
  trimmed: readonly number[],
  sampled: number,
  mixing: Mixing | null,
  n: number,
): number[] {
  const weightOf = (r: number, i: number) =>
    BigInt(mixing === null ? Number(r === i) : mixing.weights[r * mixing.columns + i]!);
  const kept = Array.from({ length: n }, (_, i) =>
    trimmed.reduce((sum, count, r) => sum + BigInt(sampled - count) * weightOf(r, i), 0n),
  );
  const total = kept.reduce((sum, weight) => sum + weight, 0n);
  return kept.map((weight) => (total === 0n ? 0 : Number((BigInt(EQUAL_SHARE_Q16 * n) * weight) / total)));
}
