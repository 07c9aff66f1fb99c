/**
 * The commitment of an update: a Merkle-sum tree over its chunks, so that the root binds every coordinate AND the
 * vector's squared L2 norm.
 *
 *     leaf = H(0x00 | u64 sum | 2K bytes)      sum = sum of squares of the leaf's coordinates
 *     node = H(0x01 | hL | u64 sL | hR | u64 sR)
 *
 * Both child sums are hashed and range-checked (the known break of trees that do not: ePrint 2018/1139).
 * Spec: docs/spec/commitments.md. The Solidity twin is contracts/libraries/MerkleSum.sol.
 */
import { sha256 } from '#sha256';
import { type Hex, toHex, uintBytes, ZERO_HASH } from '../encoding/bytes.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { UPDATE_COORDINATE_BYTES, viewInt16 } from '../encoding/vectors.ts';
import { AssayError } from '../errors.ts';
import type { BulkHasher } from './bulkHasher.ts';
import { foldPath, openPath, PerfectTreeBuilder, type TreeKind, treeLevels } from './perfectTree.ts';

const LEAF_TAG = 0x00;
const NODE_TAG = 0x01;
const SUM_BYTES = 8;
/** Largest sum that a node can claim. */
export const MAX_SUM = 2n ** 64n - 1n;
/** Length of a node's preimage: 0x01 and two children. */
export const SUM_NODE_PREIMAGE_BYTES = 1 + 2 * (32 + SUM_BYTES);

/** A node of the tree: what its parent hashes. */
export interface SumNode {
  readonly hash: Uint8Array;
  /** Sum of squares below this node, u64. */
  readonly sum: bigint;
}

/** What a participant commits to. */
export interface UpdateCommitment {
  readonly root: Hex;
  /** Squared L2 norm of the update in units of 2^-2G. */
  readonly normSq: bigint;
}

/** What shows one chunk of an update under its commitment. */
export interface SumProof {
  /** Index of the chunk. */
  readonly index: number;
  /** `depth` siblings, leaf level first. */
  readonly path: readonly SumNode[];
}

/** How sum nodes join: u64 sums, both hashed. */
export const merkleSumKind: TreeKind<SumNode> = {
  zero: { hash: new Uint8Array(32), sum: 0n },
  join(left, right) {
    const sum = left.sum + right.sum;
    if (sum > MAX_SUM) {
      throw new AssayError('SUM_RANGE', {
        summary: 'a sum of squares exceeds 64 bits',
        expected: `at most ${MAX_SUM}`,
        received: sum.toString(),
      });
    }
    return { hash: sha256(sumNodePreimage(left, right)), sum };
  },
};

/** What a node's hash is the hash of. */
export function sumNodePreimage(left: SumNode, right: SumNode): Uint8Array {
  const preimage = new Uint8Array(SUM_NODE_PREIMAGE_BYTES);
  preimage[0] = NODE_TAG;
  preimage.set(left.hash, 1);
  preimage.set(uintBytes(left.sum, SUM_BYTES), 33);
  preimage.set(right.hash, 41);
  preimage.set(uintBytes(right.sum, SUM_BYTES), 73);
  return preimage;
}

/** What a leaf's hash is the hash of, with the sum that it claims for its 2K bytes. */
export function sumLeafPreimage(claimedSum: bigint, chunk: Uint8Array): Uint8Array {
  const preimage = new Uint8Array(1 + SUM_BYTES + chunk.length);
  preimage[0] = LEAF_TAG;
  preimage.set(uintBytes(claimedSum, SUM_BYTES), 1);
  preimage.set(chunk, 1 + SUM_BYTES);
  return preimage;
}

/** Sum of squares of int16 coordinates. At most 2^12 of them: each square <= 2^30, so the sum stays below 2^53. */
export function sumOfSquares(chunk: Int16Array): number {
  let sum = 0;
  for (let i = 0; i < chunk.length; i++) sum += chunk[i]! * chunk[i]!;
  return sum;
}

/** The leaf of one chunk of 2K payload bytes. */
export function updateLeaf(chunk: Uint8Array): SumNode {
  const sum = BigInt(sumOfSquares(viewInt16(chunk)));
  return { hash: sha256(sumLeafPreimage(sum, chunk)), sum };
}

/** Commits to a payload piece by piece, in memory O(depth). */
export class UpdateCommitter {
  private readonly tree: PerfectTreeBuilder<SumNode>;
  private readonly chunkBytes: number;
  private readonly hasher: BulkHasher | null;
  private leaves = 0;

  /** `hasher`: the kernels that hash; null: plain TypeScript, the reference. */
  constructor(layout: VectorLayout, hasher: BulkHasher | null = null) {
    this.tree = new PerfectTreeBuilder(merkleSumKind, layout.depth);
    this.chunkBytes = layout.chunkSize * UPDATE_COORDINATE_BYTES;
    this.hasher = hasher;
  }

  /** The next chunk. */
  append(chunk: Uint8Array): void {
    this.tree.append(updateLeaf(chunk));
    this.leaves++;
  }

  /** Any number of whole chunks at once: what a hasher is fast at. */
  appendChunks(chunks: Uint8Array): void {
    if (this.hasher === null) {
      for (const chunk of payloadChunks(chunks, this.chunkBytes)) this.append(chunk);
      return;
    }
    for (const { level, hash, sum } of this.hasher.updateSubtrees(chunks, this.chunkBytes, this.leaves)) {
      this.tree.append({ hash, sum }, level);
    }
    this.leaves += chunks.length / this.chunkBytes;
  }

  finish(): UpdateCommitment {
    const { hash, sum } = this.tree.finish();
    return { root: toHex(hash), normSq: sum };
  }
}

/** The commitment of a whole encoded update. `payload` has the layout's length (see `decodeUpdate`). */
export function commitUpdate(
  payload: Uint8Array,
  layout: VectorLayout,
  hasher: BulkHasher | null = null,
): UpdateCommitment {
  const committer = new UpdateCommitter(layout, hasher);
  committer.appendChunks(payload);
  return committer.finish();
}

/** Opens chunk `index` of an encoded update. @throws AssayError `LEAF_INDEX` when there is no such chunk. */
export function proveUpdateChunk(payload: Uint8Array, layout: VectorLayout, index: number): SumProof {
  const leaves = [...payloadChunks(payload, layout.chunkSize * 2)].map(updateLeaf);
  return { index, path: openPath(merkleSumKind, treeLevels(merkleSumKind, layout.depth, leaves), index) };
}

/**
 * Whether `chunk` is chunk `proof.index` of the update under `commitment`. Everything here may come from an attacker;
 * the answer is false, never an exception.
 */
export function verifyUpdateChunk(
  commitment: UpdateCommitment,
  layout: VectorLayout,
  chunk: Uint8Array,
  proof: SumProof,
): boolean {
  if (commitment.root === ZERO_HASH) return false;
  if (chunk.length !== layout.chunkSize * 2 || proof.index >= layout.chunkCount) return false;
  if (proof.path.some(({ hash, sum }) => hash.length !== 32 || sum < 0n || sum > MAX_SUM)) return false;
  const total = proof.path.reduce((sum, sibling) => sum + sibling.sum, updateLeaf(chunk).sum);
  if (total > MAX_SUM || total !== commitment.normSq) return false;
  const root = foldPath(merkleSumKind, layout.depth, updateLeaf(chunk), proof.index, proof.path);
  return root !== undefined && toHex(root.hash) === commitment.root.toLowerCase();
}

/** The payload's chunks in order, as views of it. `chunkBytes`: 2K for an update, 4K for a model. */
export function* payloadChunks(payload: Uint8Array, chunkBytes: number): Generator<Uint8Array> {
  for (let offset = 0; offset < payload.length; offset += chunkBytes) {
    yield payload.subarray(offset, offset + chunkBytes);
  }
}
