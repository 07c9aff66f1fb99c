/**
 * Who was trimmed, for people who watch a federation: for every row the number of coordinates at which its value lay
 * among the f lowest or the f highest. A statistic, no part of the model, taken over every s-th chunk so that its cost does
 * not grow with the model.
 */

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
export function countTrimmed(counts: number[], rows: readonly (Int16Array | Int32Array)[], f: number): void {
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
