/**
 * Roots of the subtrees over a block of leaves that lie in the kernels' memory, of updates and of models: the same hashes
 * as merkleSum.ts and merkle.ts, the plain reference, without an object for every leaf.
 */
import type { Kernels } from '../kernels/kernelModule.ts';
import { HASH_BYTES, HASH_SCRATCH_BYTES, HashKernel, SUM_BYTES } from '../kernels/sha256.ts';
import type { SumNode } from './merkleSum.ts';

export class SubtreeHasher {
  private readonly kernels: Kernels;
  private readonly kernel: HashKernel;
  private readonly maxLeaves: number;
  private readonly hashes: number;
  private readonly sums: number;

  /**
   * @param maxLeaves leaves of all the subtrees that are hashed together, missing ones included: at least one subtree's
   * @throws AssayError `KERNEL_MEMORY` when the arena is full
   */
  constructor(kernels: Kernels, maxLeaves: number) {
    this.kernels = kernels;
    this.kernel = new HashKernel(kernels);
    this.maxLeaves = maxLeaves;
    this.hashes = kernels.arena.allocate(HASH_BYTES * maxLeaves);
    this.sums = kernels.arena.allocate(SUM_BYTES * maxLeaves);
  }

  /** Memory that one of these takes, at most. */
  static byteLength(maxLeaves: number): number {
    return (HASH_BYTES + SUM_BYTES) * maxLeaves + HASH_SCRATCH_BYTES + 3 * 64;
  }

  /**
   * For each update the root of the subtree of `depth` levels over `leaves` of its leaves, missing ones being zero.
   * @param rows address of each update's first leaf
   * @param leafBytes bytes of a leaf: 2K
   */
  updateRoots(rows: readonly number[], leafBytes: number, leaves: number, depth: number): SumNode[] {
    const { arena, memory } = this.kernels;
    const width = 2 ** depth;
    const roots: SumNode[] = [];
    // As many rows at a time as there is room for: their nodes are joined together, so that no lane is idle.
    const together = Math.floor(this.maxLeaves / width);
    for (let first = 0; first < rows.length; first += together) {
      const count = Math.min(together, rows.length - first);
      for (let i = 0; i < count; i++) {
        const hashes = this.hashes + HASH_BYTES * width * i;
        const sums = this.sums + SUM_BYTES * width * i;
        this.kernel.updateLeaves(rows[first + i]!, leafBytes, leaves, hashes, sums);
        arena.bytes(hashes + HASH_BYTES * leaves, HASH_BYTES * (width - leaves)).fill(0);
        arena.bytes(sums + SUM_BYTES * leaves, SUM_BYTES * (width - leaves)).fill(0);
      }
      this.kernel.joinUpdateNodes(this.hashes, this.sums, count * width, depth);
      const values = new BigUint64Array(memory.buffer, this.sums, count);
      for (let i = 0; i < count; i++) roots.push({ hash: this.readHash(i), sum: values[i]! });
    }
    return roots;
  }

  /**
   * The root of the subtree of `depth` levels over `leaves` leaves of a model or a state, missing ones being zero.
   * @param leafBytes bytes of a leaf: 4K a plane
   */
  modelRoot(data: number, leafBytes: number, leaves: number, depth: number): Uint8Array {
    const width = 2 ** depth;
    this.kernel.modelLeaves(data, leafBytes, leaves, this.hashes);
    this.kernels.arena.bytes(this.hashes + HASH_BYTES * leaves, HASH_BYTES * (width - leaves)).fill(0);
    this.kernel.joinModelNodes(this.hashes, width, depth);
    return this.readHash(0);
  }

  private readHash(place: number): Uint8Array {
    return this.kernels.arena.bytes(this.hashes + HASH_BYTES * place, HASH_BYTES).slice();
  }
}
