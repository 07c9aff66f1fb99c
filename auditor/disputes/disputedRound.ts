/** What the contract holds about a round, from what its events and views say. */
import type { DisputedRound } from '../../protocol/dispute/disputedRound.ts';
import { ZERO_HASH } from '../../protocol/encoding/bytes.ts';
import { type Publication, publicationHash } from '../../protocol/round/publication.ts';
import { type RevealedUpdate, revealedUpdate } from '../../protocol/round/submission.ts';
import type { RoundFacts } from '../chain/assembleRounds.ts';
import type { ChainFacts } from '../chain/chainFacts.ts';

export function disputedRound(facts: Pick<ChainFacts, 'parameters'>, round: RoundFacts): DisputedRound {
  const { state, published } = round;
  const previous = previousPublication(round);
  return {
    parameters: facts.parameters,
    accumulator: state?.accumulator ?? ZERO_HASH,
    seed: state?.seed ?? ZERO_HASH,
    voidedBitmap: state?.voidedBitmap ?? 0n,
    validUpdates: round.reveals.length - round.voided.size,
    baseModelRoot: round.baseModelRoot,
    publicationHash: published === null ? ZERO_HASH : publicationHash(published.publication),
    previousPublicationHash: previous === null ? ZERO_HASH : publicationHash(previous),
  };
}

/** The publication that the round's base model and server state come from; null before the first one. */
export function previousPublication(round: RoundFacts): Publication | null {
  return round.parent?.published?.publication ?? null;
}

/** The reveals as proofs bring them along, in their order. */
export function revealsOf(round: RoundFacts): RevealedUpdate[] {
  return round.reveals.map(({ submission }) => revealedUpdate(submission));
}
