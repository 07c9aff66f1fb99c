/** From the lie that a descent ends with (descend.ts) to its proof. */
import { encodeGramMatrix, type GramClaim, gramMatrixBytes, gramSpanCount } from '../commitment/gramTree.ts';
import { type SumNode, sumLeafPreimage, sumNodePreimage } from '../commitment/merkleSum.ts';
import { type GramStep, packGramPath } from '../commitment/openings.ts';
import type { WholeTree } from '../commitment/perfectTree.ts';
import { concatBytes, toHex } from '../encoding/bytes.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { layoutOf } from '../round/parameters.ts';
import type { Publication } from '../round/publication.ts';
import type { RevealedUpdate } from '../round/submission.ts';
import { type BadGramLeafProof, buildBadGramLeafOf, openSpan } from './badGramLeaf.ts';
import { type BadGramNodeProof, buildBadGramNode, packChildren } from './badGramNode.ts';
import { type SumOpening, sumOpening } from './badSum.ts';
import { type BadVacancyProof, buildBadVacancy, type PublishedTree } from './badVacancy.ts';
import type { Answers, VerifiedNode } from './descend.ts';
import type { DisputedRound } from './disputedRound.ts';
import { gramNodeMatrix, type ReadChunk, sameBytes } from './trees.ts';

const NO_BYTES = new Uint8Array(0);

/** The opening for `buildBadSum` of the lie that `nextUpdateChunk` found. `known` and `read` are of the payload's bytes. */
export async function badSumOpening(
  layout: VectorLayout,
  known: WholeTree<SumNode>,
  read: ReadChunk,
  { level, position, node, path }: VerifiedNode<SumNode, SumNode>,
): Promise<SumOpening> {
  let preimage: Uint8Array = NO_BYTES;
  if (position * 2 ** level < layout.chunkCount) {
    preimage =
      level === 0
        ? sumLeafPreimage(known.node(0, position).sum, await read(position))
        : sumNodePreimage(known.node(level - 1, 2 * position), known.node(level - 1, 2 * position + 1));
  }
  return sumOpening(level, position, node, preimage, path);
}

/** The proof of the lie that `nextModelChunk` found. */
export function badVacancyAt(
  round: DisputedRound,
  number: number,
  publication: Publication,
  tree: Exclude<PublishedTree, 'gram'>,
  { level, position, node, path }: VerifiedNode<Uint8Array, Uint8Array>,
): BadVacancyProof | null {
  const place = { round: number, publication, tree, level, position };
  return buildBadVacancy(round, { ...place, hash: toHex(node), path: concatBytes(...path) });
}

/** Where a proof about the Gram matrix takes its numbers from. */
export interface GramTruth {
  /** The tree that the updates have to have, and the matrices of its leaves. */
  readonly known: WholeTree<GramClaim>;
  readonly readSpan: ReadChunk;
  /** For each valid update by index, its chunks. */
  readonly rows: readonly ReadChunk[];
}

/** The proof of the lie that `nextGramSpan` found. */
export async function gramProofAt(
  round: DisputedRound,
  number: number,
  publication: Publication,
  reveals: readonly RevealedUpdate[],
  { known, readSpan, rows }: GramTruth,
  { level, position, node, path }: VerifiedNode<GramClaim, GramStep>,
  answers: Answers,
): Promise<BadVacancyProof | BadGramLeafProof | BadGramNodeProof | null> {
  const layout = layoutOf(round.parameters);
  const n = round.validUpdates;
  const packed = packGramPath(path);
  if (position * 2 ** level >= gramSpanCount(layout.chunkCount)) {
    const hash = toHex(node.hash);
    return buildBadVacancy(round, { round: number, publication, tree: 'gram', level, position, hash, path: packed });
  }
  if (level > 0) {
    const [left, right] = [2 * position, 2 * position + 1];
    const matrix = async (p: number) => encodeGramMatrix(await gramNodeMatrix(readSpan, n, layout, level - 1, p));
    const hashes = [known.node(level - 1, left).hash, known.node(level - 1, right).hash] as const;
    const children = packChildren(...hashes, await matrix(left), await matrix(right));
    return buildBadGramNode(round, number, publication, reveals, { level, position }, children, packed);
  }
  const right = await readSpan(position);
  const answer = sameBytes(node.hash, known.node(0, position).hash) ? undefined : answers.get(position);
  const matrix = answer?.slice(0, gramMatrixBytes(n)) ?? right;
  const [first, second] = firstWrongEntry(right, matrix, n) ?? [0, 0];
  return buildBadGramLeafOf(
    round,
    number,
    publication,
    reveals,
    { span: position, first, second },
    matrix,
    packed,
    (r) => openSpan(rows[r === 0 ? first : second]!, layout, position),
  );
}

/** The first entry (row, column) at which two matrices differ; null when they are equal. */
export function firstWrongEntry(right: Uint8Array, published: Uint8Array, n: number): readonly [number, number] | null {
  let at = 0;
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++, at += 8) {
      if (!sameBytes(right.subarray(at, at + 8), published.subarray(at, at + 8))) return [i, j];
    }
  }
  return null;
}

/** The first wrong entry of a published Gram payload; null when all its leaves are right. */
export async function findWrongGramEntry(
  n: number,
  layout: VectorLayout,
  right: ReadChunk,
  published: ReadChunk,
): Promise<{ readonly span: number; readonly first: number; readonly second: number } | null> {
  for (let span = 0; span < gramSpanCount(layout.chunkCount); span++) {
    const entry = firstWrongEntry(await right(span), await published(span), n);
    if (entry !== null) return { span, first: entry[0], second: entry[1] };
  }
  return null;
}

/**
 * What `buildBadMixing` and the contract's `distributeRewards` take: the root's children in full; of a tree with one
 * leaf its matrix. `tree` and `readSpan` are of the published tree.
 */
export async function openGramRoot(
  tree: WholeTree<GramClaim>,
  readSpan: ReadChunk,
  n: number,
  layout: VectorLayout,
): Promise<Uint8Array> {
  if (tree.depth === 0) return await readSpan(0);
  const level = tree.depth - 1;
  const matrix = async (p: number) => encodeGramMatrix(await gramNodeMatrix(readSpan, n, layout, level, p));
  return packChildren(tree.node(level, 0).hash, tree.node(level, 1).hash, await matrix(0), await matrix(1));
}
