/** Exact statistics of int16 rows by the kernels of assembly/signs.ts. */
import type { Kernels } from './kernelModule.ts';

/** Coordinates of one row by sign; they add up to its length. */
export interface SignStatistics {
  readonly positive: number;
  readonly zero: number;
  readonly negative: number;
}

/** Counts the signs of `length` coordinates (a multiple of 16) at `data`; `scratch` is the address of 12 bytes. */
export function countSigns(kernels: Kernels, data: number, length: number, scratch: number): SignStatistics {
  kernels.exports.countSigns(data, length, scratch);
  const [positive = 0, zero = 0, negative = 0] = new Uint32Array(kernels.memory.buffer, scratch, 3);
  return { positive, zero, negative };
}
