/** `countTrimmed` of `aggregation/trimming.ts` over rows in the kernels' memory. */
import type { Kernels } from './kernelModule.ts';
import type { Lanes } from './orderStatistics.ts';

/**
 * Adds to the m int32 at `counts`. `rows`: address of m row addresses; `length`: a multiple of 8; f <= m / 2.
 */
export function countTrimmedRows(
  { exports }: Kernels,
  lanes: Lanes,
  rows: number,
  m: number,
  f: number,
  length: number,
  counts: number,
): void {
  if (f === 0) return;
  if (lanes === 'int16') exports.countTrimmedInt16(rows, m, f, length, counts);
  else if (lanes === 'int32') exports.countTrimmedInt32(rows, m, f, length, counts);
  else exports.countTrimmedFloat64(rows, m, f, length, counts);
}
