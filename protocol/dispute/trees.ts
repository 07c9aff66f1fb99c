/**
 * Whole trees over what somebody stored, read chunk by chunk: memory for the nodes (about a sixth of the bytes), never
 * for the vector. A builder of proofs and a descent start from one of these.
 */
import {
  decodeGramMatrix,
  type GramClaim,
  gramLeafHash,
  gramMatrixHash,
  gramNodeHash,
  gramSpanCount,
  gramTreeDepth,
} from '../commitment/gramTree.ts';
import { merkleKind, modelLeaf } from '../commitment/merkle.ts';
import { merkleSumKind, type SumNode, updateLeaf } from '../commitment/merkleSum.ts';
import { WholeTree, wholeTree } from '../commitment/perfectTree.ts';
import type { VectorLayout } from '../encoding/layout.ts';

/**
 * Reads one piece of a payload: chunk `index` of an update (2K bytes) or of a model (4K bytes), or the matrix of span
 * `index` from a Gram payload.
 */
export type ReadChunk = (index: number) => Uint8Array | Promise<Uint8Array>;

/** Reads chunks of `chunkBytes` from a payload in memory. */
export function chunksOf(payload: Uint8Array, chunkBytes: number): ReadChunk {
  return (index) => payload.subarray(index * chunkBytes, (index + 1) * chunkBytes);
}

/** The tree of an update. */
export async function updateTree(read: ReadChunk, layout: VectorLayout): Promise<WholeTree<SumNode>> {
  const leaves: SumNode[] = [];
  for (let c = 0; c < layout.chunkCount; c++) leaves.push(updateLeaf(await read(c)));
  return wholeTree(merkleSumKind, layout.depth, leaves);
}

/** The tree of a model snapshot or server state. */
export async function modelTree(read: ReadChunk, layout: VectorLayout): Promise<WholeTree<Uint8Array>> {
  const leaves: Uint8Array[] = [];
  for (let c = 0; c < layout.chunkCount; c++) leaves.push(modelLeaf(await read(c)));
  return wholeTree(merkleKind, layout.depth, leaves);
}

/**
 * The Gram tree over the matrices of n rows that `readSpan` gives. Holds two hashes a node and, while it is built, one
 * matrix a level. A sum that leaves 64 bits wraps: no tree of updates has one.
 */
export async function gramTree(readSpan: ReadChunk, n: number, layout: VectorLayout): Promise<WholeTree<GramClaim>> {
  const spans = gramSpanCount(layout.chunkCount);
  const depth = gramTreeDepth(layout.chunkCount);
  const zeros = gramZeros(n, depth);
  const levels: GramClaim[][] = Array.from({ length: depth + 1 }, () => []);
  const build = async (level: number, position: number): Promise<BigInt64Array> => {
    let matrix: BigInt64Array;
    if (level === 0) {
      matrix = decodeGramMatrix(await readSpan(position), n);
      const matrixHash = gramMatrixHash(matrix, n);
      levels[0]![position] = { hash: gramLeafHash(matrixHash), matrixHash };
      return matrix;
    }
    matrix = await build(level - 1, 2 * position);
    const hasRight = (2 * position + 1) * 2 ** (level - 1) < spans;
    if (hasRight) addMatrix(matrix, await build(level - 1, 2 * position + 1));
    const below = levels[level - 1]!;
    const right = hasRight ? below[2 * position + 1]! : zeros[level - 1]!;
    levels[level]![position] = {
      hash: gramNodeHash(below[2 * position]!, right),
      matrixHash: gramMatrixHash(matrix, n),
    };
    return matrix;
  };
  await build(depth, 0);
  return new WholeTree(levels, zeros);
}

/** The nodes above nothing but missing spans, by level. */
export function gramZeros(n: number, depth: number): GramClaim[] {
  const matrixHash = gramMatrixHash(new BigInt64Array((n * (n + 1)) / 2), n);
  const zeros: GramClaim[] = [{ hash: new Uint8Array(32), matrixHash }];
  for (let level = 0; level < depth; level++) {
    zeros.push({ hash: gramNodeHash(zeros[level]!, zeros[level]!), matrixHash });
  }
  return zeros;
}

/** The matrix of a node of the Gram tree: the sum of the spans below it. */
export async function gramNodeMatrix(
  readSpan: ReadChunk,
  n: number,
  layout: VectorLayout,
  level: number,
  position: number,
): Promise<BigInt64Array> {
  const sum = new BigInt64Array((n * (n + 1)) / 2);
  const end = Math.min((position + 1) * 2 ** level, gramSpanCount(layout.chunkCount));
  for (let span = position * 2 ** level; span < end; span++) {
    addMatrix(sum, decodeGramMatrix(await readSpan(span), n));
  }
  return sum;
}

/** Whether two nodes of one kind are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function addMatrix(sum: BigInt64Array, term: BigInt64Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + term[i]!;
}
