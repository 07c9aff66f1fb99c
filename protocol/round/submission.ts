/**
 * What a participant revealed, and the running hash by which the contract remembers all reveals of a round in one slot.
 */

import { abiUint, abiWord, keccak256 } from '../commitment/keccak.ts';
import type { UpdateCommitment } from '../commitment/merkleSum.ts';
import { concatBytes, type Hex, ZERO_HASH } from '../encoding/bytes.ts';

export interface Submission extends UpdateCommitment {
  /** Registration index of the participant: the order of rows, and of ties. */
  readonly index: number;
  readonly participant: Hex;
  /** Binary CIDv1 of the payload. */
  readonly cid: Uint8Array;
}

/** A submission as the accumulator binds it: what a proof brings along instead of the CID. */
export interface RevealedUpdate extends UpdateCommitment {
  readonly index: number;
  readonly participant: Hex;
  /** keccak256 of the binary CID. */
  readonly cidHash: Hex;
}

/** What the accumulator takes from a submission. */
export function revealedUpdate({ index, participant, root, normSq, cid }: Submission): RevealedUpdate {
  return { index, participant, root, normSq, cidHash: keccak256(cid) };
}

/** acc' = keccak256(abi.encode(acc, index, participant, root, normSq, keccak256(cid))), in the order of reveals. */
export function accumulate(accumulator: Hex, submission: Submission): Hex {
  return accumulateRevealed(accumulator, revealedUpdate(submission));
}

/** The same from what a proof brings along. */
export function accumulateRevealed(accumulator: Hex, revealed: RevealedUpdate): Hex {
  return keccak256(
    concatBytes(
      abiWord(accumulator),
      abiUint(revealed.index),
      abiWord(revealed.participant),
      abiWord(revealed.root),
      abiUint(revealed.normSq),
      abiWord(revealed.cidHash),
    ),
  );
}

/** The accumulator of a whole round. */
export function accumulateAll(submissionsInRevealOrder: readonly Submission[]): Hex {
  return submissionsInRevealOrder.reduce(accumulate, ZERO_HASH);
}

/** The rows of the update matrix: valid submissions by participant index, whatever the order of reveals. */
export function rowOrder<Revealed extends { readonly index: number }>(
  submissions: readonly Revealed[],
  voided: ReadonlySet<number> = new Set(),
): Revealed[] {
  return submissions.filter(({ index }) => !voided.has(index)).sort((a, b) => a.index - b.index);
}

/** The participant indices whose bit is set in the contract's `voidedBitmap`. */
export function voidedIndices(bitmap: bigint): Set<number> {
  const indices = new Set<number>();
  for (let rest = bitmap, index = 0; rest > 0n; rest >>= 1n, index++) if (rest & 1n) indices.add(index);
  return indices;
}
