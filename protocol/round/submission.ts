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

/** acc' = keccak256(abi.encode(acc, index, participant, root, normSq, keccak256(cid))), in the order of reveals. */
export function accumulate(accumulator: Hex, submission: Submission): Hex {
  return keccak256(
    concatBytes(
      abiWord(accumulator),
      abiUint(submission.index),
      abiWord(submission.participant),
      abiWord(submission.root),
      abiUint(submission.normSq),
      abiWord(keccak256(submission.cid)),
    ),
  );
}

/** The accumulator of a whole round. */
export function accumulateAll(submissionsInRevealOrder: readonly Submission[]): Hex {
  return submissionsInRevealOrder.reduce(accumulate, ZERO_HASH);
}

/** The rows of the update matrix: valid submissions by participant index, whatever the order of reveals. */
export function rowOrder(submissions: readonly Submission[], voided: ReadonlySet<number> = new Set()): Submission[] {
  return submissions.filter(({ index }) => !voided.has(index)).sort((a, b) => a.index - b.index);
}

/** The participant indices whose bit is set in the contract's `voidedBitmap`. */
export function voidedIndices(bitmap: bigint): Set<number> {
  const indices = new Set<number>();
  for (let rest = bitmap, index = 0; rest > 0n; rest >>= 1n, index++) if (rest & 1n) indices.add(index);
  return indices;
}
