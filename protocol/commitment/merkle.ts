/**
 * The commitment of a model snapshot or of a server state: a positional Merkle tree over chunks of K int32.
 *
 *     leaf = H(0x02 | 4K bytes)      node = H(0x03 | hL | hR)
 *
 * No sums: nobody bounds a model's norm. Tags differ from the update's tree, so no node of one is a node of the other.
 * The Solidity twin is contracts/libraries/MerklePosition.sol.
 */
import { sha256 } from '#sha256';
import { type Hex, toHex, ZERO_HASH } from '../encoding/bytes.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { bytesOf, encodeModel, MODEL_COORDINATE_BYTES, viewInt32 } from '../encoding/vectors.ts';
import type { BulkHasher } from './bulkHasher.ts';
import { payloadChunks } from './merkleSum.ts';
import { foldPath, openPath, PerfectTreeBuilder, type TreeKind, treeLevels } from './perfectTree.ts';

const LEAF_TAG = 0x02;
const NODE_TAG = 0x03;

/** What shows one chunk of a model under its root. */
export interface ModelProof {
  readonly index: number;
  /** `depth` sibling hashes, leaf level first. */
  readonly path: readonly Uint8Array[];
}

/** How nodes of a model's tree join. */
export const merkleKind: TreeKind<Uint8Array> = {
  zero: new Uint8Array(32),
  join(left, right) {
    const preimage = new Uint8Array(65);
    preimage[0] = NODE_TAG;
    preimage.set(left, 1);
    preimage.set(right, 33);
    return sha256(preimage);
  },
};

/** The leaf hash of one chunk of 4K payload bytes. */
export function modelLeaf(chunk: Uint8Array): Uint8Array {
  const preimage = new Uint8Array(1 + chunk.length);
  preimage[0] = LEAF_TAG;
  preimage.set(chunk, 1);
  return sha256(preimage);
}

/** Commits to a model or state piece by piece, in memory O(depth). */
export class ModelCommitter {
  private readonly tree: PerfectTreeBuilder<Uint8Array>;
  private readonly chunkBytes: number;
  private readonly hasher: BulkHasher | null;
  private leaves = 0;

  /** `hasher`: the kernels that hash; null: plain TypeScript, the reference. */
  constructor(layout: VectorLayout, hasher: BulkHasher | null = null) {
    this.tree = new PerfectTreeBuilder(merkleKind, layout.depth);
    this.chunkBytes = layout.chunkSize * MODEL_COORDINATE_BYTES;
    this.hasher = hasher;
  }

  /** The next leaf: a chunk of the model, or one of every plane of a state. */
  append(leaf: Int32Array): void {
    this.tree.append(modelLeaf(bytesOf(leaf)));
    this.leaves++;
  }

  /** Any number of whole leaves at once, of `planes` chunks each: what a hasher is fast at. */
  appendChunks(chunks: Int32Array, planes = 1): void {
    const bytes = bytesOf(chunks);
    const leafBytes = this.chunkBytes * planes;
    if (this.hasher === null) {
      for (const leaf of payloadChunks(bytes, leafBytes)) this.append(viewInt32(leaf));
      return;
    }
    for (const { level, hash } of this.hasher.modelSubtrees(bytes, leafBytes, this.leaves)) {
      this.tree.append(hash, level);
    }
    this.leaves += bytes.length / leafBytes;
  }

  finish(): Hex {
    return toHex(this.tree.finish());
  }
}

/** The root of a whole model. Shape [d]. @throws AssayError `VECTOR_LENGTH` when it has not d coordinates. */
export function commitModel(model: Int32Array, layout: VectorLayout, hasher: BulkHasher | null = null): Hex {
  const committer = new ModelCommitter(layout, hasher);
  committer.appendChunks(viewInt32(encodeModel(model, layout)));
  return committer.finish();
}

/** Opens chunk `index` of an encoded model. @throws AssayError `LEAF_INDEX` when there is no such chunk. */
export function proveModelChunk(payload: Uint8Array, layout: VectorLayout, index: number): ModelProof {
  const leaves = [...payloadChunks(payload, layout.chunkSize * 4)].map(modelLeaf);
  return { index, path: openPath(merkleKind, treeLevels(merkleKind, layout.depth, leaves), index) };
}

/** Whether `chunk` is chunk `proof.index` of the model under `root`. False, never an exception, for hostile input. */
export function verifyModelChunk(root: Hex, layout: VectorLayout, chunk: Uint8Array, proof: ModelProof): boolean {
  if (root === ZERO_HASH || chunk.length !== layout.chunkSize * 4 || proof.index >= layout.chunkCount) return false;
  if (proof.path.some((sibling) => sibling.length !== 32)) return false;
  const folded = foldPath(merkleKind, layout.depth, modelLeaf(chunk), proof.index, proof.path);
  return folded !== undefined && toHex(folded) === root.toLowerCase();
}
