/** A proof before the court: simulated, sent with its bond, and what became of it. */
import { accusedParticipant, type FraudProof } from '../../protocol/dispute/fraudProof.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { Account, Sent } from '../chain/account.ts';
import type { ChainFacts } from '../chain/chainFacts.ts';
import type { FederationEvent, StakedRole } from '../chain/decodeEvents.ts';
import { encodeProof } from './encodeProof.ts';
import { prepareBond } from './payment.ts';

export interface Judgement {
  /** `convicted`: who lied was slashed. `voided`: a copy does not count any more. `rejected`: the bond is lost. */
  readonly verdict: 'convicted' | 'voided' | 'rejected';
  readonly accused: Hex;
  readonly role: StakedRole;
  readonly transaction: Hex;
  readonly gasUsed: bigint;
  /** Of the slashed stake: what the prover is credited with, and what was burned. */
  readonly reward: bigint;
  readonly burned: bigint;
  readonly bond: bigint;
}

/**
 * Accuses. The bond of the federation goes along and comes back as credit when the proof convicts.
 *
 * @throws AssayError `REVERT_..` when the contract would not even look at the proof (nothing was sent then),
 *   `TRANSACTION_REVERTED` when somebody was faster
 */
export async function submitProof(
  account: Account,
  { federation, parameters }: Pick<ChainFacts, 'federation' | 'parameters'>,
  proof: FraudProof,
  onSigned?: (transaction: Hex) => Promise<void> | void,
): Promise<Judgement> {
  const bond = proof.kind === 'copiedUpdate' ? 0n : parameters.proofBond;
  const value = await prepareBond(account, federation, parameters, bond);
  const what = `the ${proof.kind} proof of round ${proof.round}`;
  const sent = await account.send({ to: federation, data: encodeProof(proof), value, what }, onSigned);
  return judgementOf(sent, proof, bond);
}

/** What a transaction that carried the proof did. */
export function judgementOf({ events, transaction, gasUsed }: Sent, proof: FraudProof, bond: bigint): Judgement {
  const about = (event: FederationEvent): boolean => 'round' in event && event.round === proof.round;
  for (const event of events) {
    if (!about(event)) continue;
    if (event.name === 'slashed') {
      const { account: accused, role, reward, burned } = event;
      return { verdict: 'convicted', accused, role, transaction, gasUsed, reward, burned, bond };
    }
    if (event.name === 'accusationRejected') {
      const role = accusedParticipant(proof) === null ? 'aggregator' : 'participant';
      return { verdict: 'rejected', accused: event.accused, role, transaction, gasUsed, reward: 0n, burned: 0n, bond };
    }
    if (event.name === 'submissionVoided' && proof.kind === 'copiedUpdate') {
      const { participant: accused } = event;
      return { verdict: 'voided', accused, role: 'participant', transaction, gasUsed, reward: 0n, burned: 0n, bond };
    }
  }
  throw new AssayError('NO_VERDICT', {
    summary: 'the contract took the proof and said nothing',
    expected: 'an event Slashed, AccusationRejected or SubmissionVoided',
    received: events.map(({ name }) => name).join(', ') || 'no event',
    fix: 'update Assay: this contract is not the one this version knows',
  });
}
