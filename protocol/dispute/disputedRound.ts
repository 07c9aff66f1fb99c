/**
 * What the contract holds about a round, and what every proof checks against it first: that the prover speaks of these
 * reveals and of this publication. A proof that does not is malformed: the contract reverts, the twins throw.
 */
import type { Hex } from '../encoding/bytes.ts';
import { ZERO_HASH } from '../encoding/bytes.ts';
import { AssayError } from '../errors.ts';
import type { FederationParameters, LearningParameters } from '../round/parameters.ts';
import { type Publication, publicationHash } from '../round/publication.ts';
import { accumulateRevealed, type RevealedUpdate, rowOrder, voidedIndices } from '../round/submission.ts';

export interface DisputedRound {
  readonly parameters: LearningParameters & Pick<FederationParameters, 'enforced'>;
  readonly accumulator: Hex;
  /** Of the round: what buckets are drawn from. ZERO_HASH before it is fixed. */
  readonly seed: Hex;
  /** Bit i set: the submission of the participant with index i is void. */
  readonly voidedBitmap: bigint;
  /** n: revealed and not void. */
  readonly validUpdates: number;
  readonly baseModelRoot: Hex;
  /** ZERO_HASH before the publication. */
  readonly publicationHash: Hex;
  /** Hash of the publication that the server state comes from, the last one before the round; ZERO_HASH when none. */
  readonly previousPublicationHash: Hex;
}

export type Verdict = 'guilty' | 'innocent';

/** The error of a proof that the contract would revert on. */
export function malformed(summary: string, expected?: string, received?: unknown): AssayError {
  return new AssayError('PROOF_MALFORMED', {
    summary: `no proof: ${summary}`,
    ...(expected === undefined ? {} : { expected }),
    ...(received === undefined ? {} : { received: String(received) }),
  });
}

/**
 * @throws AssayError `PROOF_MALFORMED` in a federation that is audited only: its contract knows no proof that depends on
 * the rule.
 */
export function checkEnforced(round: DisputedRound): void {
  if (!round.parameters.enforced) {
    throw malformed(
      'this federation is audited only: nobody is convicted by its rule',
      'a federation that is enforced',
    );
  }
}

/** @throws AssayError `PROOF_MALFORMED` unless these are the round's reveals, in their order. */
export function checkReveals(round: DisputedRound, reveals: readonly RevealedUpdate[]): void {
  const received = reveals.reduce(accumulateRevealed, ZERO_HASH);
  if (received !== round.accumulator) {
    throw malformed('these are not the reveals of the round', `accumulator ${round.accumulator}`, received);
  }
}

/** The rows of the update matrix. @throws AssayError `PROOF_MALFORMED` as above. */
export function validRows(round: DisputedRound, reveals: readonly RevealedUpdate[]): RevealedUpdate[] {
  checkReveals(round, reveals);
  return rowOrder(reveals, voidedIndices(round.voidedBitmap));
}

/** @throws AssayError `PROOF_MALFORMED` unless this is what the round's leader published. */
export function checkPublication(round: DisputedRound, publication: Publication): void {
  const received = publicationHash(publication);
  if (received !== round.publicationHash) {
    throw malformed('this is not the publication of the round', round.publicationHash, received);
  }
}

/** @throws AssayError `PROOF_MALFORMED` unless `bytes` are exactly that long. */
export function checkLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) {
    throw malformed(`${what} has the wrong length`, `${length} bytes`, `${bytes.length} bytes`);
  }
}
