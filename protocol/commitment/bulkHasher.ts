/**
 * Hashes leaves that arrive in any portions, many at a time, by the kernels: what `UpdateCommitter` and `ModelCommitter`
 * use when they are given one. The kernels' memory holds a portion of the leaves, whatever the vector's length.
 */
import type { Kernels } from '../kernels/kernelModule.ts';
import { type HashedSum, SubtreeHasher } from './subtreeHasher.ts';

/** Leaves are copied into the kernels' memory in portions of this size: they stay in the caches until hashed. */
const PORTION_BYTES = 2 ** 18;
/** 16: the smallest chunk; 32 bytes of an update. */
const MAX_LEAVES = 2 ** 10;

/** The root of a perfect subtree: a node `level` levels above the leaves. */
export interface SubtreeRoot<Node> {
  readonly node: Node;
  readonly level: number;
}

export class BulkHasher {
  private readonly kernels: Kernels;
  private readonly subtrees: SubtreeHasher;
  private readonly portion: number;

  /** @throws AssayError `KERNEL_MEMORY` when the arena is full. */
  constructor(kernels: Kernels) {
    this.kernels = kernels;
    this.subtrees = new SubtreeHasher(kernels, MAX_LEAVES);
    this.portion = kernels.arena.allocate(PORTION_BYTES);
  }

  /**
   * The roots of the largest perfect subtrees over whole leaves of an update, in order.
   * @param leafBytes bytes of a leaf: 2K
   * @param firstLeaf position of the first one in its tree
   */
  updateSubtrees(bytes: Uint8Array, leafBytes: number, firstLeaf: number): Generator<SubtreeRoot<HashedSum>> {
    return this.eachSubtree(bytes, leafBytes, firstLeaf, (leaves, level) =>
      this.subtrees.updateNodes(this.portion, leafBytes, leaves, level),
    );
  }

  /** As `updateSubtrees`, of a model or a server state; leaves of 4K bytes a plane. */
  modelSubtrees(bytes: Uint8Array, leafBytes: number, firstLeaf: number): Generator<SubtreeRoot<Uint8Array>> {
    return this.eachSubtree(bytes, leafBytes, firstLeaf, (leaves, level) =>
      this.subtrees.modelNodes(this.portion, leafBytes, leaves, level),
    );
  }

  private *eachSubtree<Node>(
    bytes: Uint8Array,
    leafBytes: number,
    firstLeaf: number,
    hash: (leaves: number, level: number) => Node[],
  ): Generator<SubtreeRoot<Node>> {
    const most = Math.min(MAX_LEAVES, Math.floor(PORTION_BYTES / leafBytes));
    const end = bytes.length / leafBytes;
    for (let done = 0; done < end; ) {
      const leaves = largestSubtree(firstLeaf + done, Math.min(most, end - done));
      this.kernels.arena
        .bytes(this.portion, leaves * leafBytes)
        .set(bytes.subarray(done * leafBytes, (done + leaves) * leafBytes));
      const level = 31 - Math.clz32(leaves);
      for (const node of hash(leaves, level)) yield { node, level };
      done += leaves;
    }
  }
}

/** Leaves of the largest perfect subtree that starts at leaf `first` and has at most `most` of them. */
export function largestSubtree(first: number, most: number): number {
  let leaves = 1;
  while (leaves * 2 <= most && first % (leaves * 2) === 0) leaves *= 2;
  return leaves;
}
