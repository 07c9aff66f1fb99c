/** Trees of liars: one node's claim is not what it has to be, everything above it adds up. */
import { sha256 } from '#sha256';
import { merkleKind, modelLeaf } from '../../../protocol/commitment/merkle.ts';
import { merkleSumKind, type SumNode, sumLeafPreimage, updateLeaf } from '../../../protocol/commitment/merkleSum.ts';
import { zeroNodes } from '../../../protocol/commitment/perfectTree.ts';
import type { VectorLayout } from '../../../protocol/encoding/layout.ts';

export interface SumLie {
  /** `claim`: the parent claims another sum for a right node. `leaf`: the leaf itself hashes the false sum. */
  readonly kind: 'claim' | 'leaf';
  readonly level: number;
  readonly position: number;
  readonly delta: bigint;
}

/** All levels of an update's tree, each complete, with one lie. */
export function lyingSumTree(payload: Uint8Array, layout: VectorLayout, lie: SumLie): SumNode[][] {
  const { chunkSize, chunkCount, depth } = layout;
  const zeros = zeroNodes(merkleSumKind, depth);
  const chunk = (c: number) => payload.subarray(2 * chunkSize * c, 2 * chunkSize * (c + 1));
  let level: SumNode[] = Array.from({ length: 2 ** depth }, (_, c) =>
    c < chunkCount ? updateLeaf(chunk(c)) : zeros[0]!,
  );
  const levels: SumNode[][] = [];
  for (let l = 0; l <= depth; l++) {
    if (l === lie.level) {
      const node = level[lie.position]!;
      const sum = node.sum + lie.delta;
      const hash = lie.kind === 'leaf' ? sha256(sumLeafPreimage(sum, chunk(lie.position))) : node.hash;
      level[lie.position] = { hash, sum };
    }
    levels.push(level);
    const below = level;
    level = Array.from({ length: below.length / 2 }, (_, p) => merkleSumKind.join(below[2 * p]!, below[2 * p + 1]!));
  }
  return levels;
}

/** All levels of a model's tree, each complete, with another node at one place. */
export function lyingModelTree(
  payload: Uint8Array,
  layout: VectorLayout,
  lie: { readonly level: number; readonly position: number; readonly hash: Uint8Array },
): Uint8Array[][] {
  const { chunkSize, chunkCount, depth } = layout;
  let level: Uint8Array[] = Array.from({ length: 2 ** depth }, (_, c) =>
    c < chunkCount ? modelLeaf(payload.subarray(4 * chunkSize * c, 4 * chunkSize * (c + 1))) : merkleKind.zero,
  );
  const levels: Uint8Array[][] = [];
  for (let l = 0; l <= depth; l++) {
    if (l === lie.level) level[lie.position] = lie.hash;
    levels.push(level);
    const below = level;
    level = Array.from({ length: below.length / 2 }, (_, p) => merkleKind.join(below[2 * p]!, below[2 * p + 1]!));
  }
  return levels;
}

/** The siblings of a node in complete levels, from its level up. */
export function pathIn<Node>(levels: readonly (readonly Node[])[], level: number, position: number): Node[] {
  const path: Node[] = [];
  for (let l = level, p = position; l < levels.length - 1; l++, p = Math.floor(p / 2)) path.push(levels[l]![p ^ 1]!);
  return path;
}
