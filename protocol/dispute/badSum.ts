/**
 * Bad sum: one node of a participant's Merkle-sum tree whose sum is a lie. Everything above the highest lie adds up, so
 * that node stands under the commitment with the sum that is claimed for it, and its own preimage contradicts it.
 * Spec: docs/spec/disputes.md, "Bad sum".
 */
import { sha256 } from '#sha256';
import {
  MAX_SUM,
  merkleSumKind,
  SUM_NODE_PREIMAGE_BYTES,
  type SumNode,
  sumOfSquares,
} from '../commitment/merkleSum.ts';
import { foldSumPath, hashBytes, isRoot } from '../commitment/openings.ts';
import { zeroNodes } from '../commitment/perfectTree.ts';
import { type Hex, toHex, ZERO_HASH } from '../encoding/bytes.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { isZeroPadded, viewInt16 } from '../encoding/vectors.ts';
import { layoutOf } from '../round/parameters.ts';
import type { RevealedUpdate } from '../round/submission.ts';
import { checkReveals, type DisputedRound, malformed, type Verdict } from './disputedRound.ts';
import { sameBytes } from './trees.ts';

export interface SumSibling {
  readonly hash: Hex;
  readonly sum: bigint;
}

/** A node of an update's tree, as the contract's struct of this name. */
export interface SumOpening {
  /** 0 for leaves. */
  readonly level: number;
  readonly position: number;
  /** The sum that its parent claims for it; at the root, the commitment. */
  readonly claimedSum: bigint;
  /** What the node's hash is the SHA-256 of; empty for a node beyond the last chunk that nobody can open. */
  readonly preimage: Uint8Array;
  /** The node's hash, when there is no preimage; else ZERO_HASH. */
  readonly hash: Hex;
  /** depth - level siblings, from the node's level up. */
  readonly path: readonly SumSibling[];
}

export interface BadSumProof {
  readonly kind: 'badSum';
  readonly round: number;
  readonly reveals: readonly RevealedUpdate[];
  /** Position of the accused's reveal in `reveals`. */
  readonly accused: number;
  readonly opening: SumOpening;
}

/**
 * What the contract would say of the proof.
 * @throws AssayError `PROOF_MALFORMED` where it would revert.
 */
export function judgeBadSum(round: DisputedRound, proof: BadSumProof): Verdict {
  checkReveals(round, proof.reveals);
  const accused = proof.reveals[proof.accused];
  if (accused === undefined) throw malformed('nobody is accused', 'a position in the reveals', proof.accused);
  if ((round.voidedBitmap >> BigInt(accused.index)) & 1n) throw malformed('the submission is void already');
  return judgeSumOpening(layoutOf(round.parameters), accused, proof.opening);
}

/** The same for one opening under one commitment. */
export function judgeSumOpening(
  layout: VectorLayout,
  commitment: { readonly root: Hex; readonly normSq: bigint },
  opening: SumOpening,
): Verdict {
  const { level, position, claimedSum, preimage, path } = opening;
  if (!(level >= 0 && level <= layout.depth) || path.length !== layout.depth - level) {
    throw malformed('the path has the wrong depth', `${layout.depth - level} siblings`, path.length);
  }
  if (claimedSum < 0n || claimedSum > MAX_SUM || path.some(({ sum }) => sum < 0n || sum > MAX_SUM)) {
    throw malformed('a sum leaves 64 bits');
  }
  const hash = preimage.length > 0 ? sha256(preimage) : hashBytes(opening.hash);
  const siblings = path.map((sibling) => ({ hash: hashBytes(sibling.hash), sum: sibling.sum }));
  const top = foldSumPath({ hash, sum: claimedSum }, position, siblings);
  if (top === undefined || top.sum !== commitment.normSq || !isRoot(top.hash, commitment.root)) {
    throw malformed('the node does not stand there', `${commitment.root} with ${commitment.normSq}`, top?.sum);
  }
  if (position * 2 ** level >= layout.chunkCount) {
    const zero = zeroNodes(merkleSumKind, level)[level]!;
    return claimedSum === 0n && sameBytes(hash, zero.hash) ? 'innocent' : 'guilty';
  }
  if (preimage.length === 0) throw malformed('a node that is not beyond the last chunk needs its preimage');
  const honest = level === 0 ? isLeaf(layout, position, claimedSum, preimage) : isNode(claimedSum, preimage);
  return honest ? 'innocent' : 'guilty';
}

/** Whether the bytes are a right leaf with that sum: 0x00 | u64 sum | 2K bytes, the padding zero. */
function isLeaf(layout: VectorLayout, position: number, claimedSum: bigint, preimage: Uint8Array): boolean {
  if (preimage.length !== 9 + 2 * layout.chunkSize || preimage[0] !== 0x00) return false;
  const coordinates = viewInt16(preimage.slice(9));
  if (position === layout.chunkCount - 1 && !isZeroPadded(coordinates, layout)) return false;
  return readU64(preimage, 1) === claimedSum && BigInt(sumOfSquares(coordinates)) === claimedSum;
}

/** Whether the bytes are a node with that sum: 0x01 | hL | sL | hR | sR, sL + sR being it. */
function isNode(claimedSum: bigint, preimage: Uint8Array): boolean {
  if (preimage.length !== SUM_NODE_PREIMAGE_BYTES || preimage[0] !== 0x01) return false;
  return readU64(preimage, 33) + readU64(preimage, 73) === claimedSum;
}

/** An opening as the contract takes it. `preimage` empty: a node beyond the last chunk. */
export function sumOpening(
  level: number,
  position: number,
  node: SumNode,
  preimage: Uint8Array,
  path: readonly SumNode[],
): SumOpening {
  return {
    level,
    position,
    claimedSum: node.sum,
    preimage,
    hash: preimage.length > 0 ? ZERO_HASH : toHex(node.hash),
    path: path.map(({ hash, sum }) => ({ hash: toHex(hash), sum })),
  };
}

/** The proof that convicts with this opening, or null when it does not. */
export function buildBadSum(
  round: DisputedRound,
  number: number,
  reveals: readonly RevealedUpdate[],
  accused: number,
  opening: SumOpening,
): BadSumProof | null {
  const proof: BadSumProof = { kind: 'badSum', round: number, reveals, accused, opening };
  return judgeBadSum(round, proof) === 'guilty' ? proof : null;
}

function readU64(bytes: Uint8Array, offset: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(offset);
}
