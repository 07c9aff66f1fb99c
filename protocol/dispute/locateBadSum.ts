/**
 * Where a participant lied about a sum, from nothing but its payload and what it revealed: the search for the ONE node
 * whose claimed sum was altered by normSq - |payload|^2, all nodes above adding up. Null when no single lie explains the
 * commitment: then the tree is over other bytes (ask for them: descend.ts) or has several lies.
 */

import { sha256 } from '#sha256';
import type { UpdateCommitment } from '../commitment/merkleSum.ts';
import { MAX_SUM, type SumNode, sumLeafPreimage, sumNodePreimage } from '../commitment/merkleSum.ts';
import { foldSumPath, isRoot } from '../commitment/openings.ts';
import type { WholeTree } from '../commitment/perfectTree.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { type SumOpening, sumOpening } from './badSum.ts';
import type { ReadChunk } from './trees.ts';

const NO_BYTES = new Uint8Array(0);

/**
 * `tree` is the payload's (`updateTree`), `read` gives its chunks. About 2 * chunkCount * depth hashes.
 */
export async function locateBadSum(
  layout: VectorLayout,
  tree: WholeTree<SumNode>,
  read: ReadChunk,
  commitment: UpdateCommitment,
): Promise<SumOpening | null> {
  const { depth } = tree;
  const lie = commitment.normSq - tree.root.sum;
  if (lie === 0n) return null;
  const preimageOf = async (level: number, position: number, leafSum: bigint): Promise<Uint8Array> => {
    if (level === 0) return position < layout.chunkCount ? sumLeafPreimage(leafSum, await read(position)) : NO_BYTES;
    return sumNodePreimage(tree.node(level - 1, 2 * position), tree.node(level - 1, 2 * position + 1));
  };
  for (let level = depth; level >= 0; level--) {
    for (let position = 0; position < 2 ** (depth - level); position++) {
      const node = tree.node(level, position);
      const sum = node.sum + lie;
      if (sum < 0n || sum > MAX_SUM) continue;
      const path = tree.path(level, position);
      const stands = (hash: Uint8Array) => {
        const top = foldSumPath({ hash, sum }, position, path);
        return top !== undefined && isRoot(top.hash, commitment.root);
      };
      if (stands(node.hash)) {
        const beyond = position * 2 ** level >= layout.chunkCount;
        const preimage = beyond ? NO_BYTES : await preimageOf(level, position, node.sum);
        return sumOpening(level, position, { hash: node.hash, sum }, preimage, path);
      }
      if (level > 0 || position >= layout.chunkCount) continue;
      const preimage = await preimageOf(0, position, sum); // the leaf itself says the false sum
      if (stands(sha256(preimage))) return sumOpening(0, position, { hash: node.hash, sum }, preimage, path);
    }
  }
  return null;
}
