/**
 * Copied update: a root that had been revealed before, in this round or in an earlier one, does not count. No bond and no
 * slash: an all-zero update twice is no fraud. Spec: docs/spec/disputes.md, "Copied update".
 */
import type { Hex } from '../encoding/bytes.ts';
import { ZERO_HASH } from '../encoding/bytes.ts';
import { accumulateRevealed, type RevealedUpdate } from '../round/submission.ts';
import { checkReveals, type DisputedRound, malformed, type Verdict } from './disputedRound.ts';

export interface CopiedUpdateProof {
  readonly kind: 'copiedUpdate';
  readonly round: number;
  readonly reveals: readonly RevealedUpdate[];
  /** Position of the later reveal in `reveals`. */
  readonly copy: number;
  /** The round of the earlier reveal: `round` or one before it. */
  readonly originalRound: number;
  /** That round's reveals; empty when it is the same round. */
  readonly originalReveals: readonly RevealedUpdate[];
  /** Position of the earlier reveal. */
  readonly original: number;
}

/**
 * `originalAccumulator` is the earlier round's, and not looked at within one round.
 * @throws AssayError `PROOF_MALFORMED` where the contract would revert: two different roots are no accusation.
 */
export function judgeCopiedUpdate(round: DisputedRound, originalAccumulator: Hex, proof: CopiedUpdateProof): Verdict {
  checkReveals(round, proof.reveals);
  const copy = proof.reveals[proof.copy];
  const same = proof.originalRound === proof.round;
  if (proof.originalRound > proof.round) throw malformed('the original is of a later round');
  if (same && proof.original >= proof.copy) throw malformed('the original was not revealed before the copy');
  const originals = same ? proof.reveals : proof.originalReveals;
  if (!same && originals.reduce(accumulateRevealed, ZERO_HASH) !== originalAccumulator) {
    throw malformed('these are not the reveals of the earlier round', originalAccumulator);
  }
  const original = originals[proof.original];
  if (copy === undefined || original === undefined) throw malformed('there is no such reveal');
  if ((round.voidedBitmap >> BigInt(copy.index)) & 1n) throw malformed('the submission is void already');
  if (copy.root !== original.root) throw malformed('the roots differ', original.root, copy.root);
  return 'guilty';
}

/** One round's reveals, in their order. */
export interface RevealsOfRound {
  readonly round: number;
  readonly reveals: readonly RevealedUpdate[];
}

/**
 * Proofs against every standing submission of `current` whose root stands earlier in it or in one of the `earlier`
 * rounds (openings that stand, voided submissions included: who copies a voided update copies).
 */
export function findCopiedUpdates(
  current: RevealsOfRound,
  voided: ReadonlySet<number>,
  earlier: readonly RevealsOfRound[],
): CopiedUpdateProof[] {
  const seen = new Map<Hex, { readonly from: RevealsOfRound; readonly position: number }>();
  const remember = (from: RevealsOfRound, position: number) => {
    const { root } = from.reveals[position]!;
    if (!seen.has(root)) seen.set(root, { from, position });
  };
  for (const past of earlier) {
    if (past.round < current.round) for (const position of past.reveals.keys()) remember(past, position);
  }
  const proofs: CopiedUpdateProof[] = [];
  for (const [copy, revealed] of current.reveals.entries()) {
    const original = seen.get(revealed.root);
    if (original !== undefined && !voided.has(revealed.index)) {
      proofs.push({
        kind: 'copiedUpdate',
        round: current.round,
        reveals: current.reveals,
        copy,
        originalRound: original.from.round,
        originalReveals: original.from === current ? [] : original.from.reveals,
        original: original.position,
      });
    }
    remember(current, copy);
  }
  return proofs;
}
