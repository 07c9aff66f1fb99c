/**
 * Roots of the subtrees over a block of leaves that lie in the kernels' memory, for updates and for models: the same
 * hashes as merkleSum.ts and merkle.ts, the plain reference, without a call and an object for every leaf.
 *
 * Leaves are hashed four at a time by SIMD kernels, except where they are so long that Node's own SHA-256, which uses
 * the processor's SHA instructions but costs about a microsecond a call, is faster (docs/decisions/0017).
 */
import { ONE_SHOT_LEAF_BYTES, sha256 } from '#sha256';
import type { Kernels } from '../kernels/kernelModule.ts';
import { HASH_BYTES, HashKernel } from '../kernels/sha256.ts';

const SUM_BYTES = 8;
/** 0x00 and the sum. */
const UPDATE_HEADER_BYTES = 9;
const UPDATE_TAG = 0x00;
const MODEL_TAG = 0x02;

/** A node of an update's tree (`SumNode` of merkleSum.ts). */
export interface HashedSum {
  readonly hash: Uint8Array;
  readonly sum: bigint;
}

export class SubtreeHasher {
  private readonly kernels: Kernels;
  private readonly kernel: HashKernel;
  private readonly maxLeaves: number;
  private readonly oneShotBytes: number;
  private readonly hashes: number;
  private readonly sums: number;

  /**
   * @param maxLeaves leaves of all the subtrees that are hashed together, missing ones included
   * @param oneShotBytes leaves from this size on are hashed one by one; for tests
   * @throws AssayError `KERNEL_MEMORY` when the arena is full
   */
  constructor(kernels: Kernels, maxLeaves: number, oneShotBytes: number = ONE_SHOT_LEAF_BYTES) {
    this.kernels = kernels;
    this.kernel = new HashKernel(kernels);
    this.maxLeaves = maxLeaves;
    this.oneShotBytes = oneShotBytes;
    this.hashes = kernels.arena.allocate(HASH_BYTES * maxLeaves);
    this.sums = kernels.arena.allocate(SUM_BYTES * maxLeaves);
  }

  /** Memory that one of these takes. */
  static byteLength(maxLeaves: number): number {
    return (HASH_BYTES + SUM_BYTES) * maxLeaves + 2048;
  }

  /**
   * For each update the root of the subtree of `depth` levels over `leaves` of its leaves, missing ones being zero.
   * @param rows address of each update's first leaf
   * @param leafBytes bytes of a leaf: 2K
   */
  updateRoots(rows: readonly number[], leafBytes: number, leaves: number, depth: number): HashedSum[] {
    const width = 2 ** depth;
    const roots: HashedSum[] = [];
    // As many rows at a time as there is room for: their nodes are joined together, so that no lane is idle.
    const together = Math.max(1, Math.floor(this.maxLeaves / width));
    for (let first = 0; first < rows.length; first += together) {
      const count = Math.min(together, rows.length - first);
      for (let i = 0; i < count; i++) this.updateLeaves(rows[first + i]!, leafBytes, leaves, i * width, width);
      this.kernel.joinUpdateNodes(this.hashes, this.sums, count * width, depth);
      roots.push(...this.readSumNodes(count));
    }
    return roots;
  }

  /**
   * The nodes `depth` levels above consecutive leaves of one update; `leaves` is a multiple of 2^depth.
   */
  updateNodes(data: number, leafBytes: number, leaves: number, depth: number): HashedSum[] {
    this.updateLeaves(data, leafBytes, leaves, 0, leaves);
    this.kernel.joinUpdateNodes(this.hashes, this.sums, leaves, depth);
    return this.readSumNodes(leaves / 2 ** depth);
  }

  /** The root of the subtree of `depth` levels over `leaves` leaves of a model, missing ones being zero. */
  modelRoot(data: number, leafBytes: number, leaves: number, depth: number): Uint8Array {
    const width = 2 ** depth;
    this.modelLeaves(data, leafBytes, leaves);
    this.kernels.arena.bytes(this.hashes + HASH_BYTES * leaves, HASH_BYTES * (width - leaves)).fill(0);
    this.kernel.joinModelNodes(this.hashes, width, depth);
    return this.readHash(0);
  }

  /** As `updateNodes`, of a model. */
  modelNodes(data: number, leafBytes: number, leaves: number, depth: number): Uint8Array[] {
    this.modelLeaves(data, leafBytes, leaves);
    this.kernel.joinModelNodes(this.hashes, leaves, depth);
    return Array.from({ length: leaves / 2 ** depth }, (_, i) => this.readHash(i));
  }

  /** Leaves into the nodes from `place` on, zero leaves up to `width` of them. */
  private updateLeaves(data: number, leafBytes: number, leaves: number, place: number, width: number): void {
    const { arena, exports, memory } = this.kernels;
    const hashes = this.hashes + HASH_BYTES * place;
    const sums = this.sums + SUM_BYTES * place;
    if (leafBytes < this.oneShotBytes) this.kernel.updateLeaves(data, leafBytes, leaves, hashes, sums);
    else {
      exports.sumSquaresOfLeaves(data, leafBytes, leaves, sums);
      const values = new BigUint64Array(memory.buffer, sums, leaves);
      const preimage = new Uint8Array(UPDATE_HEADER_BYTES + leafBytes);
      const view = new DataView(preimage.buffer);
      preimage[0] = UPDATE_TAG;
      for (let leaf = 0; leaf < leaves; leaf++) {
        view.setBigUint64(1, values[leaf]!);
        preimage.set(arena.bytes(data + leaf * leafBytes, leafBytes), UPDATE_HEADER_BYTES);
        arena.bytes(hashes + HASH_BYTES * leaf, HASH_BYTES).set(sha256(preimage));
      }
    }
    if (leaves === width) return;
    arena.bytes(hashes + HASH_BYTES * leaves, HASH_BYTES * (width - leaves)).fill(0);
    arena.bytes(sums + SUM_BYTES * leaves, SUM_BYTES * (width - leaves)).fill(0);
  }

  private modelLeaves(data: number, leafBytes: number, leaves: number): void {
    const { arena } = this.kernels;
    if (leafBytes < this.oneShotBytes) {
      this.kernel.modelLeaves(data, leafBytes, leaves, this.hashes);
      return;
    }
    const preimage = new Uint8Array(1 + leafBytes);
    preimage[0] = MODEL_TAG;
    for (let leaf = 0; leaf < leaves; leaf++) {
      preimage.set(arena.bytes(data + leaf * leafBytes, leafBytes), 1);
      arena.bytes(this.hashes + HASH_BYTES * leaf, HASH_BYTES).set(sha256(preimage));
    }
  }

  private readSumNodes(count: number): HashedSum[] {
    const sums = new BigUint64Array(this.kernels.memory.buffer, this.sums, count);
    return Array.from({ length: count }, (_, i) => ({ hash: this.readHash(i), sum: sums[i]! }));
  }

  private readHash(place: number): Uint8Array {
    return this.kernels.arena.bytes(this.hashes + HASH_BYTES * place, HASH_BYTES).slice();
  }
}
