/**
 * Bad Gram leaf: one partial inner product of two rows over the chunks of one span, opened in the Gram tree and in the
 * two updates; or a leaf whose matrix is not the one that its parent claims. Spec: docs/spec/disputes.md, "Bad Gram leaf".
 */
import { sha256 } from '#sha256';
import { GRAM_SPAN, type GramClaim, gramLeafHash, gramSpanCount, gramTreeDepth } from '../commitment/gramTree.ts';
import { merkleSumKind, type SumNode, sumLeafPreimage } from '../commitment/merkleSum.ts';
import {
  foldGramPath,
  foldSumPath,
  GRAM_STEP_BYTES,
  gramPath,
  isRoot,
  matrixBytesHash,
  matrixBytesPreimage,
  packGramPath,
  packSumPath,
  SUM_STEP_BYTES,
  unpackGramPath,
  unpackSumPath,
} from '../commitment/openings.ts';
import type { WholeTree } from '../commitment/perfectTree.ts';
import { wholeTree } from '../commitment/perfectTree.ts';
import { concatBytes, uintBytes } from '../encoding/bytes.ts';
import { treeDepth, type VectorLayout } from '../encoding/layout.ts';
import { layoutOf } from '../round/parameters.ts';
import type { Publication } from '../round/publication.ts';
import type { RevealedUpdate } from '../round/submission.ts';
import {
  checkEnforced,
  checkLength,
  checkPublication,
  type DisputedRound,
  malformed,
  type Verdict,
  validRows,
} from './disputedRound.ts';
import { type ReadChunk, sameBytes, updateTree } from './trees.ts';

const NO_BYTES = new Uint8Array(0);

/** As the contract's struct `GramLeafProof`. */
export interface BadGramLeafProof {
  readonly kind: 'badGramLeaf';
  readonly round: number;
  readonly span: number;
  /** Positions of the two rows among the valid ones, first <= second. */
  readonly first: number;
  readonly second: number;
  readonly publication: Publication;
  readonly reveals: readonly RevealedUpdate[];
  /** Preimage of the leaf's matrix hash: 0x12 | n row hashes. */
  readonly matrix: Uint8Array;
  /** Preimage of row `first` of it: 0x13 | i64 ...; empty when the parent claims another matrix. */
  readonly row: Uint8Array;
  /** From the leaf up. */
  readonly path: Uint8Array;
  /** count * (u64 sum | 2K bytes) | siblings of the range's subtree * (hash 32 | sum 8); may be empty as `row`. */
  readonly firstChunks: Uint8Array;
  readonly secondChunks: Uint8Array;
}

/** The chunks of a span, and where their subtree stands in an update's tree. */
export interface SpanRange {
  readonly start: number;
  readonly count: number;
  /** Level and position of the subtree that holds exactly these chunks. */
  readonly level: number;
  readonly position: number;
}

export function spanRange(layout: VectorLayout, span: number): SpanRange {
  const start = span * GRAM_SPAN;
  const level = Math.min(treeDepth(GRAM_SPAN), layout.depth);
  return { start, count: Math.min(GRAM_SPAN, layout.chunkCount - start), level, position: span };
}

/** @throws AssayError `PROOF_MALFORMED` where the contract would revert. */
export function judgeBadGramLeaf(round: DisputedRound, proof: BadGramLeafProof): Verdict {
  const { publication, span, first, second } = proof;
  checkEnforced(round);
  checkPublication(round, publication);
  const rows = validRows(round, proof.reveals);
  const n = rows.length;
  const layout = layoutOf(round.parameters);
  if (!(span >= 0 && span < gramSpanCount(layout.chunkCount))) throw malformed('there is no such span');
  if (![first, second].every((row) => row >= 0 && row < n)) throw malformed('there are no such rows', `0 to ${n - 1}`);
  const depth = gramTreeDepth(layout.chunkCount);
  checkLength('the path', proof.path, depth * GRAM_STEP_BYTES);
  const steps = unpackGramPath(proof.path, depth);
  const matrixHash = sha256(proof.matrix);
  const root = foldGramPath(gramLeafHash(matrixHash), span, steps);
  if (root === undefined || !isRoot(root, publication.gramRoot)) throw malformed('the leaf does not stand there');
  if (depth > 0 && !sameBytes(steps[0]!.claimed, matrixHash)) return 'guilty';
  if (proof.matrix.length !== 1 + 32 * n || proof.matrix[0] !== 0x12) return 'guilty';
  if (first > second) throw malformed('the entry is not of the upper triangle');
  const rowHash = proof.matrix.subarray(1 + 32 * first, 33 + 32 * first);
  if (!sameBytes(sha256(proof.row), rowHash)) throw malformed('this is not the row of the matrix');
  if (proof.row.length !== 1 + 8 * (n - first) || proof.row[0] !== 0x13) return 'guilty';
  const range = spanRange(layout, span);
  const x = rangeCoordinates(layout, range, rows[first]!, proof.firstChunks);
  const y = rangeCoordinates(layout, range, rows[second]!, proof.secondChunks);
  let product = 0n;
  for (let k = 0; k < x.length; k++) product += BigInt(x[k]! * y[k]!); // |x * y| <= 2^30
  const row = new DataView(proof.row.buffer, proof.row.byteOffset, proof.row.length);
  return row.getBigInt64(1 + 8 * (second - first)) === product ? 'innocent' : 'guilty';
}

/** What the builder reads. */
export interface GramLeafSources {
  /** The published tree. */
  readonly tree: WholeTree<GramClaim>;
  /** Matrices of its leaves. */
  readonly readSpan: ReadChunk;
  /** Chunks of rows `first` and `second`. */
  readonly first: ReadChunk;
  readonly second: ReadChunk;
}

/** The proof that entry (first, second) of a span is wrong, or null when it is right. */
export async function buildBadGramLeaf(
  round: DisputedRound,
  number: number,
  publication: Publication,
  reveals: readonly RevealedUpdate[],
  place: { readonly span: number; readonly first: number; readonly second: number },
  sources: GramLeafSources,
): Promise<BadGramLeafProof | null> {
  const layout = layoutOf(round.parameters);
  const { tree } = sources;
  const opened = await sources.readSpan(place.span);
  const path = packGramPath(gramPath(tree, 0, place.span));
  return buildBadGramLeafOf(round, number, publication, reveals, place, opened, path, (row) =>
    openSpan(row === 0 ? sources.first : sources.second, layout, place.span),
  );
}

/** The same from an availability answer: the leaf's matrix (i64 big-endian) and its packed path. */
export async function buildBadGramLeafOf(
  round: DisputedRound,
  number: number,
  publication: Publication,
  reveals: readonly RevealedUpdate[],
  place: { readonly span: number; readonly first: number; readonly second: number },
  matrix: Uint8Array,
  path: Uint8Array,
  open: (row: 0 | 1) => Promise<Uint8Array>,
): Promise<BadGramLeafProof | null> {
  const n = round.validUpdates;
  const claimsOther = path.length > 0 && !sameBytes(path.subarray(64, 96), matrixBytesHash(matrix, n));
  const rowStart = 8 * (place.first * n - (place.first * (place.first - 1)) / 2);
  const row = concatBytes(Uint8Array.of(0x13), matrix.subarray(rowStart, rowStart + 8 * (n - place.first)));
  const proof: BadGramLeafProof = {
    kind: 'badGramLeaf',
    round: number,
    ...place,
    publication,
    reveals,
    matrix: matrixBytesPreimage(matrix, n),
    row: claimsOther ? NO_BYTES : row,
    path,
    firstChunks: claimsOther ? NO_BYTES : await open(0),
    secondChunks: claimsOther ? NO_BYTES : await open(1),
  };
  return judgeBadGramLeaf(round, proof) === 'guilty' ? proof : null;
}

/** The chunks of a span in an update, opened: count * (u64 sum | 2K bytes) | siblings. One pass over the update. */
export async function openSpan(read: ReadChunk, layout: VectorLayout, span: number): Promise<Uint8Array> {
  const tree = await updateTree(read, layout);
  const { start, count, level, position } = spanRange(layout, span);
  const parts: Uint8Array[] = [];
  for (let c = start; c < start + count; c++) parts.push(uintBytes(tree.node(0, c).sum, 8), await read(c));
  return concatBytes(...parts, packSumPath(tree.path(level, position)));
}

/**
 * All coordinates of an opened span, once it is known to be that update's.
 * @throws AssayError `PROOF_MALFORMED` when it does not open under the commitment.
 */
export function rangeCoordinates(
  layout: VectorLayout,
  { count, level, position }: SpanRange,
  revealed: RevealedUpdate,
  opening: Uint8Array,
): Int16Array {
  const { chunkSize } = layout;
  const leafBytes = 8 + 2 * chunkSize;
  checkLength('an opened span', opening, count * leafBytes + (layout.depth - level) * SUM_STEP_BYTES);
  const view = new DataView(opening.buffer, opening.byteOffset, opening.length);
  const leaves: SumNode[] = [];
  const coordinates = new Int16Array(count * chunkSize);
  let total = 0n;
  for (let c = 0; c < count; c++) {
    const start = c * leafBytes;
    const sum = view.getBigUint64(start);
    total += sum;
    leaves.push({ hash: sha256(sumLeafPreimage(sum, opening.subarray(start + 8, start + leafBytes))), sum });
    for (let k = 0; k < chunkSize; k++) coordinates[c * chunkSize + k] = view.getInt16(start + 8 + 2 * k, true);
  }
  const fits = total <= revealed.normSq; // so no sum below leaves 64 bits
  const node = fits ? wholeTree(merkleSumKind, level, leaves).root : undefined;
  const path = unpackSumPath(opening.subarray(count * leafBytes), layout.depth - level);
  const top = node === undefined ? undefined : foldSumPath(node, position, path);
  if (top === undefined || top.sum !== revealed.normSq || !isRoot(top.hash, revealed.root)) {
    throw malformed(`the span is not of the update of participant ${revealed.index}`);
  }
  return coordinates;
}
