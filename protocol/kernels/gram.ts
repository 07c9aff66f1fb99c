/**
 * Exact inner products of int16 rows by the kernel `gramSpan` (assembly/gram.ts): the same integers as
 * protocol/aggregation/gram.ts, the plain reference.
 */
import type { Kernels } from './kernelModule.ts';

/** Coordinates that the kernel shifts down at a time, when rows are too large for their norms to bound a product. */
const SHORT_STRIP = 256;

/** Bytes that `gramSpan` works in: norms, two packed triangles, a table of n addresses and n short strips. */
export function gramScratchBytes(n: number): number {
  return 8 * n + 2 * 8 * pairCount(n) + 4 * n + 16 + n * SHORT_STRIP * 2;
}

/** Inner products of n rows, span by span, in memory of its own. */
export class GramKernel {
  private readonly kernels: Kernels;
  private readonly n: number;
  private readonly out: number;
  private readonly scratch: number;

  /** @throws AssayError `KERNEL_MEMORY` when the arena is full. */
  constructor(kernels: Kernels, n: number) {
    this.kernels = kernels;
    this.n = n;
    this.out = kernels.arena.allocate(8 * pairCount(n));
    this.scratch = kernels.arena.allocate(gramScratchBytes(n));
  }

  /**
   * The packed upper triangle, row-major, of the inner products of `length` coordinates (a multiple of 16) that start
   * `byteOffset` bytes into every row. `rowsPtr`: address of the n rows' addresses. Exact for length < 2^33: an int16
   * product is at most 2^30.
   */
  span(rowsPtr: number, byteOffset: number, length: number): BigInt64Array {
    this.kernels.exports.gramSpan(rowsPtr, this.n, byteOffset, length, this.out, this.scratch);
    return new BigInt64Array(this.kernels.memory.buffer, this.out, pairCount(this.n)).slice();
  }
}

function pairCount(n: number): number {
  return (n * (n + 1)) / 2;
}
