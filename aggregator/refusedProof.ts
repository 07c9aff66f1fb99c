import { revertName } from '../chain/revert.ts';
import type { AssayError } from '../protocol/errors.ts';

/** Refusals of the contract that say that the proof itself is none; others say that somebody was faster. */
const NO_PROOF = new Set(['ProofDoesNotOpen', 'NotACopy', 'WrongReveals', 'WrongPublication']);

/** Whether the contract looked at a proof and found that it shows nothing. */
export function isRefusedProof(error: unknown): error is AssayError {
  return NO_PROOF.has(revertName(error) ?? '');
}
