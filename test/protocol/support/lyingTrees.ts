/** Trees of liars: one node's claim is not what it has to be, everything above it adds up. */
import { sha256 } from '#sha256';
import {
  decodeGramMatrix,
  encodeGramMatrix,
  type GramClaim,
  gramLeafHash,
  gramMatrixBytes,
  gramMatrixHash,
  gramNodeHash,
  gramSpanCount,
  gramTreeDepth,
} from '../../../protocol/commitment/gramTree.ts';
import { merkleKind, modelLeaf } from '../../../protocol/commitment/merkle.ts';
import { merkleSumKind, type SumNode, sumLeafPreimage, updateLeaf } from '../../../protocol/commitment/merkleSum.ts';
import { type GramStep, packGramPath } from '../../../protocol/commitment/openings.ts';
import { zeroNodes } from '../../../protocol/commitment/perfectTree.ts';
import { gramZeros } from '../../../protocol/dispute/trees.ts';
import { concatBytes } from '../../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../../protocol/encoding/layout.ts';

export interface SumLie {
  /** `claim`: the parent claims another sum for a right node. `leaf`: the leaf itself hashes the false sum. */
  readonly kind: 'claim' | 'leaf';
  readonly level: number;
  readonly position: number;
  readonly delta: bigint;
}

/** All levels of an update's tree, each complete, with these lies. */
export function lyingSumTree(payload: Uint8Array, layout: VectorLayout, ...lies: readonly SumLie[]): SumNode[][] {
  const { chunkSize, chunkCount, depth } = layout;
  const zeros = zeroNodes(merkleSumKind, depth);
  const chunk = (c: number) => payload.subarray(2 * chunkSize * c, 2 * chunkSize * (c + 1));
  let level: SumNode[] = Array.from({ length: 2 ** depth }, (_, c) =>
    c < chunkCount ? updateLeaf(chunk(c)) : zeros[0]!,
  );
  const levels: SumNode[][] = [];
  for (let l = 0; l <= depth; l++) {
    for (const lie of lies) {
      if (l !== lie.level) continue;
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

export interface GramLie {
  readonly level: number;
  readonly position: number;
  /** Entry of the packed upper triangle. */
  readonly entry: number;
  readonly delta: bigint;
  /** `entry`: the leaf itself has the wrong number. `claim`: the parent claims another matrix for a right node. */
  readonly kind: 'entry' | 'claim';
}

export interface LyingGramNode extends GramClaim {
  /** As its parent claims it. */
  readonly matrix: BigInt64Array;
  /** Of a leaf: what it is over. */
  readonly content: Uint8Array;
}

/** All levels of a Gram tree, each complete, with one lie above which everything adds up. */
export function lyingGramTree(
  payload: Uint8Array,
  n: number,
  layout: VectorLayout,
  lie: GramLie | null,
): LyingGramNode[][] {
  const size = gramMatrixBytes(n);
  const spans = gramSpanCount(layout.chunkCount);
  const depth = gramTreeDepth(layout.chunkCount);
  const zeros = gramZeros(n, depth);
  const none = new Uint8Array(0);
  const changed = (matrix: BigInt64Array) => {
    const copy = matrix.slice();
    copy[lie!.entry] = copy[lie!.entry]! + lie!.delta;
    return copy;
  };
  let level: LyingGramNode[] = Array.from({ length: 2 ** depth }, (_, s) => {
    if (s >= spans) return { ...zeros[0]!, matrix: new BigInt64Array((n * (n + 1)) / 2), content: none };
    let matrix = decodeGramMatrix(payload.subarray(s * size, (s + 1) * size), n);
    if (lie?.kind === 'entry' && s === lie.position) matrix = changed(matrix);
    const matrixHash = gramMatrixHash(matrix, n);
    return { hash: gramLeafHash(matrixHash), matrixHash, matrix, content: encodeGramMatrix(matrix) };
  });
  const levels: LyingGramNode[][] = [];
  for (let l = 0; l <= depth; l++) {
    if (lie?.kind === 'claim' && l === lie.level) {
      const node = level[lie.position]!;
      const matrix = changed(node.matrix);
      level[lie.position] = { ...node, matrix, matrixHash: gramMatrixHash(matrix, n) };
    }
    levels.push(level);
    const below = level;
    level = Array.from({ length: below.length / 2 }, (_, p) => {
      const [left, right] = [below[2 * p]!, below[2 * p + 1]!];
      const matrix = left.matrix.map((value, e) => value + right.matrix[e]!);
      return { hash: gramNodeHash(left, right), matrixHash: gramMatrixHash(matrix, n), matrix, content: none };
    });
  }
  return levels;
}

/** What the liar's owner answers when a span is asked for. */
export function gramAnswer(levels: readonly (readonly LyingGramNode[])[], span: number): Uint8Array {
  const path: GramStep[] = pathIn(levels, 0, span).map((other, l) => ({
    sibling: other,
    claimed: levels[l]![Math.floor(span / 2 ** l)]!.matrixHash,
  }));
  return concatBytes(levels[0]![span]!.content, packGramPath(path));
}
