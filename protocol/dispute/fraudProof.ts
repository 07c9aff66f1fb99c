/**
 * All proofs that the contract takes, under one type: what an auditor writes down and anyone can submit.
 */
import type { Hex } from '../encoding/bytes.ts';
import { type BadCoordinateProof, judgeBadCoordinate } from './badCoordinate.ts';
import { type BadGramLeafProof, judgeBadGramLeaf } from './badGramLeaf.ts';
import { type BadGramNodeProof, judgeBadGramNode } from './badGramNode.ts';
import { type BadMixingProof, judgeBadMixing } from './badMixing.ts';
import { type BadSumProof, judgeBadSum } from './badSum.ts';
import { type BadVacancyProof, judgeBadVacancy } from './badVacancy.ts';
import { type CopiedUpdateProof, judgeCopiedUpdate } from './copiedUpdate.ts';
import type { DisputedRound, Verdict } from './disputedRound.ts';

/** What somebody can be convicted of, in the order of the Solidity enum `ProofKind`. */
export const PROOF_KINDS = [
  'badSum',
  'badVacancy',
  'badCoordinate',
  'badGramLeaf',
  'badGramNode',
  'badMixing',
  'copiedUpdate',
  'unavailable',
] as const;
export type ProofKind = (typeof PROOF_KINDS)[number];

export type FraudProof =
  | BadSumProof
  | BadVacancyProof
  | BadCoordinateProof
  | BadGramLeafProof
  | BadGramNodeProof
  | BadMixingProof
  | CopiedUpdateProof;

/**
 * What the contract would say of a proof. `originalAccumulator` is needed for a copied update of an earlier round only.
 * @throws AssayError `PROOF_MALFORMED` where it would revert.
 */
export function judgeProof(round: DisputedRound, proof: FraudProof, originalAccumulator?: Hex): Verdict {
  switch (proof.kind) {
    case 'badSum':
      return judgeBadSum(round, proof);
    case 'badVacancy':
      return judgeBadVacancy(round, proof);
    case 'badCoordinate':
      return judgeBadCoordinate(round, proof);
    case 'badGramLeaf':
      return judgeBadGramLeaf(round, proof);
    case 'badGramNode':
      return judgeBadGramNode(round, proof);
    case 'badMixing':
      return judgeBadMixing(round, proof);
    case 'copiedUpdate':
      return judgeCopiedUpdate(round, originalAccumulator ?? round.accumulator, proof);
  }
}

/** The participant that a proof is against; null: the aggregator that published the round. */
export function accusedParticipant(proof: FraudProof): Hex | null {
  if (proof.kind === 'badSum') return proof.reveals[proof.accused]?.participant ?? null;
  return proof.kind === 'copiedUpdate' ? (proof.reveals[proof.copy]?.participant ?? null) : null;
}
