/**
 * Hashes leaves that arrive in any portions, many at a time, by the kernels: what `UpdateCommitter` and `ModelCommitter`
 * use when they are given one. The kernels' memory holds a portion of the leaves, whatever the vector's length.
 */
import type { Kernels } from '../kernels/kernelModule.ts';
import { gramStageBytes, HASH_BYTES, HashKernel, LANES, SUM_BYTES } from '../kernels/sha256.ts';

/** Leaves are copied into the kernels' memory in portions of this size: they stay in the caches until hashed. */
const PORTION_BYTES = 2 ** 18;
const MAX_LEAVES = 2 ** 10;

/** The root of a perfect subtree over 2^level leaves. */
export interface Subtree {
  readonly level: number;
  readonly hash: Uint8Array;
}

export interface SumSubtree extends Subtree {
  /** Sum of squares of its leaves. */
  readonly sum: bigint;
}

export class BulkHasher {
  private readonly kernels: Kernels;
  private readonly kernel: HashKernel;
  private readonly portion: number;
  private readonly hashes: number;
  private readonly sums: number;

  /** @throws AssayError `KERNEL_MEMORY` when the arena is full. */
  constructor(kernels: Kernels) {
    this.kernels = kernels;
    this.kernel = new HashKernel(kernels);
    this.portion = kernels.arena.allocate(PORTION_BYTES);
    this.hashes = kernels.arena.allocate(HASH_BYTES * MAX_LEAVES);
    this.sums = kernels.arena.allocate(SUM_BYTES * MAX_LEAVES);
  }

  /**
   * The largest perfect subtrees over whole leaves of an update, in order.
   * @param leafBytes bytes of a leaf: 2K
   * @param firstLeaf position of the first one in its tree
   */
  *updateSubtrees(bytes: Uint8Array, leafBytes: number, firstLeaf: number): Generator<SumSubtree> {
    for (const level of this.loadSubtrees(bytes, leafBytes, firstLeaf)) {
      this.kernel.updateLeaves(this.portion, leafBytes, 2 ** level, this.hashes, this.sums);
      this.kernel.joinUpdateNodes(this.hashes, this.sums, 2 ** level, level);
      const sum = new BigUint64Array(this.kernels.memory.buffer, this.sums, 1)[0]!;
      yield { level, hash: this.readHash(), sum };
    }
  }

  /** As `updateSubtrees`, of a model or a server state; leaves of 4K bytes a plane. */
  *modelSubtrees(bytes: Uint8Array, leafBytes: number, firstLeaf: number): Generator<Subtree> {
    for (const level of this.loadSubtrees(bytes, leafBytes, firstLeaf)) {
      this.kernel.modelLeaves(this.portion, leafBytes, 2 ** level, this.hashes);
      this.kernel.joinModelNodes(this.hashes, 2 ** level, level);
      yield { level, hash: this.readHash() };
    }
  }

  /** The hashes of the n rows of a Gram matrix, one after the other. `bytes`: see `encodeGramMatrix`. */
  gramRows(bytes: Uint8Array, n: number): Uint8Array {
    const { arena } = this.kernels;
    const stage = this.portion + PORTION_BYTES - gramStageBytes(n);
    const most = LANES * Math.max(1, Math.floor((stage - this.portion) / (8 * LANES * n))); // rows that there is room for
    const hashes = new Uint8Array(HASH_BYTES * n);
    for (let row = 0, start = 0; row < n; row += most) {
      const entries = n - row;
      const count = Math.min(most, entries);
      const end = start + 8 * (count * entries - (count * (count - 1)) / 2);
      arena.bytes(this.portion, end - start).set(bytes.subarray(start, end));
      this.kernel.gramRows(this.portion, entries, count, this.hashes, stage);
      hashes.set(arena.bytes(this.hashes, HASH_BYTES * count), HASH_BYTES * row);
      start = end;
    }
    return hashes;
  }

  /** Puts one subtree's leaves after the other into the kernels' memory; gives their levels. */
  private *loadSubtrees(bytes: Uint8Array, leafBytes: number, firstLeaf: number): Generator<number> {
    const most = Math.min(MAX_LEAVES, Math.floor(PORTION_BYTES / leafBytes));
    const end = bytes.length / leafBytes;
    for (let done = 0; done < end; ) {
      const level = largestLevel(firstLeaf + done, Math.min(most, end - done));
      const next = done + 2 ** level;
      const portion = this.kernels.arena.bytes(this.portion, 2 ** level * leafBytes);
      portion.set(bytes.subarray(done * leafBytes, next * leafBytes));
      yield level;
      done = next;
    }
  }

  private readHash(): Uint8Array {
    return this.kernels.arena.bytes(this.hashes, HASH_BYTES).slice();
  }
}

/** Levels of the largest perfect subtree that starts at leaf `first` and has at most `most` of them. */
function largestLevel(first: number, most: number): number {
  let level = 0;
  while (2 ** (level + 1) <= most && first % 2 ** (level + 1) === 0) level++;
  return level;
}
