/**
 * Who counts: what mixing and the coordinate-wise combine leave of each update, 1 being an equal share. A coordinate-wise
 * rule keeps an update at a coordinate when the value is among those it averages; a mixed row stands for the updates in it
 * by their weights. Taken over evenly spaced coordinates.
 */
import type { Mixing } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { mixChunk } from '../../protocol/aggregation/preAggregation/mixing.ts';
import type { Rule } from '../../protocol/aggregation/rule.ts';

const SAMPLED_COORDINATES = 200;

/** An update is left out of a round when it has less than this part of an equal share. */
export const LEFT_OUT_BELOW = 0.5;

/**
 * @param rows the rows that were mixed or combined, with the history row last where there is one
 * @param n updates among them
 * @returns `[n]` shares whose mean is 1; all zero when nothing was kept
 */
export function keptShares(rule: Rule, rows: readonly Int16Array[], n: number, mixing: Mixing | null): number[] {
  const width = Math.min(SAMPLED_COORDINATES, rows[0]!.length);
  const stride = Math.floor(rows[0]!.length / width);
  const sampled = rows.map((row) => Int16Array.from({ length: width }, (_, i) => row[i * stride]!));
  const combined = mixing === null ? sampled : mixChunk(mixing, sampled);
  const used = rule.combine === 'mean' ? combined.map(() => 1) : usedCounts(rule, combined);
  const kept = Array.from({ length: n }, (_, i) =>
    used.reduce(
      (sum, count, r) =>
        sum + count * (mixing === null ? Number(r === i) : Math.max(0, mixing.weights[r * mixing.columns + i]!)),
      0,
    ),
  );
  const total = kept.reduce((sum, share) => sum + share, 0);
  return kept.map((share) => (total === 0 ? 0 : (share * n) / total));
}

/** At how many coordinates each row's value is averaged. Of equal values the lower row is lower. */
function usedCounts({ combine, byzantine: f }: Rule, rows: readonly ArrayLike<number>[]): number[] {
  const m = rows.length;
  const counts = new Array<number>(m).fill(0);
  const order = Array.from({ length: m }, (_, i) => i);
  for (let k = 0; k < rows[0]!.length; k++) {
    order.sort((a, b) => rows[a]![k]! - rows[b]![k]! || a - b);
    let low = 0;
    let high = m - 1;
    if (combine === 'median') {
      low = (m - 1) >> 1;
      high = m >> 1;
    } else if (combine === 'trimmedMean') {
      low = f;
      high = m - 1 - f;
    } else {
      // meaMed and Bulyan: the farther end goes first, of equally far ones the upper.
      const at = (i: number): number => rows[order[i]!]![k]!;
      const center = at((m - 1) >> 1) + at(m >> 1);
      for (let left = m; left > (combine === 'meaMed' ? m - f : m - 2 * f); left--) {
        if (center - 2 * at(low) > 2 * at(high) - center) low++;
        else high--;
      }
    }
    for (let i = low; i <= high; i++) counts[order[i]!]!++;
  }
  return counts;
}
