/**
 * Exact inner products of int16 rows by the kernel `gramSpan` (assembly/gram.ts): the same integers as
 * protocol/aggregation/gram.ts, the plain reference.
 */
import type { Kernels } from './kernelModule.ts';
import type { SpanTotals } from './rowTotals.ts';

/** Coordinates that the kernel shifts down at a time, when rows are too large for their norms to bound a product. */
const SHORT_STRIP = 256;

const NO_TOTALS: SpanTotals = { sums: 0, largest: 0 };

/** Bytes that `gramSpan` works in: norms, two packed triangles, two tables of n addresses and n short strips. */
export function gramScratchBytes(n: number): number {
  return 8 * n + 2 * 8 * pairCount(n) + 2 * (4 * n + 20) + n * SHORT_STRIP * 2;
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
   * product is at most 2^30. `totals`: where to leave the sums of the rows that come on the way.
   */
  span(rowsPtr: number, byteOffset: number, length: number, totals: SpanTotals = NO_TOTALS): BigInt64Array {
    this.begin();
    this.add(rowsPtr, byteOffset, length, totals);
    return this.matrix();
  }

  /** What `span` does at once, for a matrix over several ranges: `add` after `begin`. */
  begin(): void {
    this.kernels.arena.bytes(this.out, 8 * pairCount(this.n)).fill(0);
  }

  add(rowsPtr: number, byteOffset: number, length: number, { sums, largest }: SpanTotals = NO_TOTALS): void {
    const { n, out, scratch } = this;
    this.kernels.exports.gramSpan(rowsPtr, n, byteOffset, length, out, scratch, sums, largest);
  }

  matrix(): BigInt64Array {
    return new BigInt64Array(this.kernels.memory.buffer, this.out, pairCount(this.n)).slice();
  }
}

function pairCount(n: number): number {
  return (n * (n + 1)) / 2;
}
