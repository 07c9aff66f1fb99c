/**
 * The Gram tree over a block's spans by the kernels of assembly/gramTree.ts: what protocol/commitment/gramTree.ts, the
 * plain reference, makes of them one hash at a time.
 */
import type { Kernels } from './kernelModule.ts';
import { gramStageBytes, HASH_BYTES, HASH_SCRATCH_BYTES, placeHashScratch } from './sha256.ts';

/** The fields of `GramNode` (protocol/commitment/gramTree.ts). */
export interface GrownGramNode {
  readonly hash: Uint8Array;
  readonly matrixHash: Uint8Array;
  readonly matrix: BigInt64Array;
}

export interface GrownGramTree {
  /** The spans' matrices as they stand in the Gram payload. */
  readonly payload: Uint8Array;
  /** The root of each 2^level spans, in order. */
  readonly roots: readonly GrownGramNode[];
  readonly level: number;
}

/** Bytes that the kernel takes from the arena for `spans` spans of n rows. */
export function gramTreeBytes(n: number, spans: number): number {
  return spans * (20 * wordCount(n) + 2 * HASH_BYTES) + workBytes(n, spans) + HASH_SCRATCH_BYTES + 7 * 64;
}

export class GramTreeKernel {
  private readonly kernels: Kernels;
  private readonly n: number;
  private readonly matrices: number;
  private readonly encoded: number;
  private readonly sums: number;
  private readonly hashes: number;
  private readonly matrixHashes: number;
  private readonly work: number;
  private readonly scratch: number;

  /**
   * For up to `spans` spans of n rows.
   * @throws AssayError `KERNEL_MEMORY` when the arena is full.
   */
  constructor(kernels: Kernels, n: number, spans: number) {
    const { arena } = kernels;
    this.kernels = kernels;
    this.n = n;
    this.matrices = arena.allocate(8 * wordCount(n) * spans);
    this.encoded = arena.allocate(8 * wordCount(n) * spans);
    this.sums = arena.allocate(4 * wordCount(n) * spans);
    this.hashes = arena.allocate(HASH_BYTES * spans);
    this.matrixHashes = arena.allocate(HASH_BYTES * spans);
    this.work = arena.allocate(workBytes(n, spans));
    this.scratch = placeHashScratch(kernels);
  }

  /**
   * The tree over the spans of a block, as far up as they fill it: to one root where their number is a power of two.
   * Shape of a span: its packed upper triangle.
   */
  grow(spans: readonly BigInt64Array[]): GrownGramTree {
    const { n } = this;
    const { arena, exports, memory } = this.kernels;
    const count = spans.length;
    const words = wordCount(n);
    const level = (count & (count - 1)) === 0 ? 31 - Math.clz32(count) : 0;
    const matrices = new BigInt64Array(memory.buffer, this.matrices, words * count);
    for (const [i, span] of spans.entries()) matrices.set(span, words * i);
    const { encoded, sums, hashes, matrixHashes, work, scratch } = this;
    exports.growGramTree(this.matrices, n, count, level, encoded, sums, hashes, matrixHashes, work, scratch);
    const hash = (table: number, i: number) => Uint8Array.from(arena.bytes(table + HASH_BYTES * i, HASH_BYTES));
    return {
      payload: Uint8Array.from(arena.bytes(encoded, 8 * words * count)),
      roots: Array.from({ length: count / 2 ** level }, (_, i) => ({
        hash: hash(hashes, i),
        matrixHash: hash(matrixHashes, i),
        matrix: BigInt64Array.from(matrices.subarray(words * i, words * (i + 1))),
      })),
      level,
    };
  }
}

/** Rows of a matrix, staged; matrix preimages or the messages of leaves and nodes. */
function workBytes(n: number, spans: number): number {
  return gramStageBytes(n) + spans * Math.max(64 * Math.ceil((1 + 32 * n + 9) / 64), 96);
}

function wordCount(n: number): number {
  return (n * (n + 1)) / 2;
}
