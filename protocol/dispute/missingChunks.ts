/**
 * The descent through a tree of which some chunks were opened on the chain: every opened path names the true nodes
 * beside it, so only subtrees that differ from the payload at hand have to be asked for.
 */
import { merkleSumKind, type SumNode, type UpdateCommitment, updateLeaf } from '../commitment/merkleSum.ts';
import { hashBytes } from '../commitment/openings.ts';
import { sibling, type WholeTree } from '../commitment/perfectTree.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { sameBytes } from './trees.ts';

/** A chunk of an update as somebody opened it (`openUpdateAnswer`). */
export interface OpenedChunk {
  readonly chunk: Uint8Array;
  readonly path: readonly SumNode[];
}

/**
 * The chunks to ask for next, one in each subtree that is not known yet; none when all are.
 * @param tree of the payload at hand, or null when there is none
 * @param opened verified openings by chunk
 */
export function missingChunks(
  layout: VectorLayout,
  commitment: UpdateCommitment,
  tree: WholeTree<SumNode> | null,
  opened: ReadonlyMap<number, OpenedChunk>,
): number[] {
  const truth = trueNodes(layout, commitment, opened);
  const search = (level: number, position: number): number[] => {
    const first = position * 2 ** level;
    if (first >= layout.chunkCount || (level === 0 && opened.has(position))) return [];
    const node = truth.get(key(level, position));
    if (node !== undefined && tree !== null && same(node, tree.node(level, position))) return [];
    if (level === 0 || !truth.has(key(level - 1, 2 * position))) return [first];
    return [...search(level - 1, 2 * position), ...search(level - 1, 2 * position + 1)];
  };
  return search(layout.depth, 0);
}

/** The nodes that the commitment and the opened paths fix. */
function trueNodes(
  layout: VectorLayout,
  { root, normSq }: UpdateCommitment,
  opened: ReadonlyMap<number, OpenedChunk>,
): Map<string, SumNode> {
  const truth = new Map([[key(layout.depth, 0), { hash: hashBytes(root), sum: normSq }]]);
  for (const [index, { chunk, path }] of opened) {
    let own = updateLeaf(chunk);
    for (let level = 0, p = index; level < layout.depth; level++, p = Math.floor(p / 2)) {
      truth.set(key(level, p), own);
      truth.set(key(level, sibling(p)), path[level]!);
      own = p % 2 === 0 ? merkleSumKind.join(own, path[level]!) : merkleSumKind.join(path[level]!, own);
    }
  }
  return truth;
}

function same(a: SumNode, b: SumNode): boolean {
  return a.sum === b.sum && sameBytes(a.hash, b.hash);
}

function key(level: number, position: number): string {
  return `${level}/${position}`;
}
