/**
 * Everything a watchtower does on the chain: accuses, asks, settles, answers. Each is sent once, whatever happens in
 * between: what it was for stands in the journal before it leaves.
 */
import type { FraudProof } from '../../protocol/dispute/fraudProof.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { AssayError } from '../../protocol/errors.ts';
import { NO_PUBLICATION, publicationHash } from '../../protocol/round/publication.ts';
import type { Account, Call, Sent } from '../chain/account.ts';
import type { RoundFacts } from '../chain/assembleRounds.ts';
import type { ChainFacts } from '../chain/chainFacts.ts';
import { CHUNK_KINDS, type ChallengeOpened, federationInterface } from '../chain/decodeEvents.ts';
import type { ProofInHand, Question } from '../disputes/dispute.ts';
import { revealsOf } from '../disputes/disputedRound.ts';
import { encodeProof } from '../disputes/encodeProof.ts';
import { prepareBond } from '../disputes/payment.ts';
import { type Judgement, judgementOf } from '../disputes/submitProof.ts';
import type { Journal } from './journal.ts';

const NATIVE_COIN = `0x${'00'.repeat(20)}`;

export class Court {
  private readonly account: Account;
  private readonly journal: Journal;

  constructor(account: Account, journal: Journal) {
    this.account = account;
    this.journal = journal;
  }

  /** Null while an earlier accusation is on its way. @throws AssayError when the contract refuses it. */
  async accuse(facts: ChainFacts, round: RoundFacts, { proof, accused }: ProofInHand): Promise<Judgement | null> {
    const { federation, parameters } = facts;
    const bond = proof.kind === 'copiedUpdate' ? 0n : parameters.proofBond;
    const about = round.published === null ? `opening-${round.opening}` : publicationHash(round.published.publication);
    const sent = await this.once(`${nameOf(proof)}/${about}/${accused}`, async () => ({
      to: federation,
      data: encodeProof(proof),
      value: await prepareBond(this.account, federation, parameters, bond),
      what: `the ${proof.kind} proof of round ${proof.round}`,
    }));
    return sent === null ? null : judgementOf(sent, proof, bond);
  }

  /** Opens an availability challenge. `asked`: it is open or answered already, whoever asked. `underway`: sent, in no block yet. */
  async ask(
    facts: ChainFacts,
    round: RoundFacts,
    question: Question,
  ): Promise<(Sent & { readonly opened: ChallengeOpened }) | 'asked' | 'underway'> {
    const { federation, parameters } = facts;
    const { kind, index, chunk } = question;
    const names = [CHUNK_KINDS.indexOf(kind), round.round] as const;
    const [id] = await this.view(federation, 'challengeId', [...names, index, chunk]);
    const [known] = await this.view(federation, 'challenge', [id]);
    if (BigInt((known as { challenger: string }).challenger) !== 0n) return 'asked';
    const [least] = (await this.view(federation, 'availabilityBond', names)) as [bigint];
    // The base fee may rise before the transaction is in a block; all that is sent is the bond.
    const bond = parameters.stakeToken === NATIVE_COIN ? least + least / 4n : least;
    const reveals = kind === 'update' ? revealsOf(round) : [];
    const publication = kind === 'update' ? NO_PUBLICATION : (round.published?.publication ?? NO_PUBLICATION);
    const sent = await this.once(`ask/${String(id)}`, async () => ({
      to: federation,
      data: encode('challengeAvailability', [...names, index, chunk, reveals, publication]),
      value: await prepareBond(this.account, federation, parameters, bond),
      what: `the challenge of chunk ${chunk} of the ${kind} in round ${round.round}`,
    }));
    const opened = sent?.events.find(
      (event): event is ChallengeOpened & typeof event => event.name === 'challengeOpened',
    );
    if (sent === null) return 'underway';
    return opened === undefined ? 'asked' : { ...sent, opened };
  }

  /** Ends a challenge that nobody answered in time. */
  settle({ federation }: ChainFacts, { id }: ChallengeOpened): Promise<Sent | null> {
    return this.once(`settle/${id}`, async () => ({
      to: federation,
      data: encode('settleChallenge', [id]),
      value: 0n,
      what: `the settlement of challenge ${id}`,
    }));
  }

  /** Answers somebody's challenge, for its bond. */
  answer({ federation }: ChainFacts, { id }: ChallengeOpened, opening: Uint8Array): Promise<Sent | null> {
    const answers = [{ id, payee: this.account.address, opening, signature: '0x' }];
    return this.once(`answer/${id}`, async () => ({
      to: federation,
      data: encode('answerChallenges', [answers]),
      value: 0n,
      what: `the answer to challenge ${id}`,
    }));
  }

  /** Sends what was not sent yet; null while it is on its way. */
  private async once(what: string, call: () => Promise<Call>): Promise<Sent | null> {
    const earlier = this.journal.find(what);
    if (earlier !== undefined) {
      const fate = await this.account.fate(earlier);
      if (fate === 'pending') return null;
      if (fate !== 'lost' && fate !== 'reverted') return fate;
      await this.journal.forget(what);
    }
    return this.account.send(await call(), (transaction) => this.journal.write(what, transaction));
  }

  private async view(federation: Hex, name: string, args: readonly unknown[]): Promise<readonly unknown[]> {
    const data = encode(name, args);
    const answer = await this.account.simulate({ to: federation, data, value: 0n, what: `${name}()` });
    try {
      return [...federationInterface.decodeFunctionResult(name, answer)];
    } catch (cause) {
      throw new AssayError('NOT_A_FEDERATION', {
        summary: `the contract at ${federation} does not answer ${name}() as a federation`,
        fix: 'update Assay, or check the address',
        cause,
      });
    }
  }
}

function encode(name: string, args: readonly unknown[]): Hex {
  return federationInterface.encodeFunctionData(name, [...args]) as Hex;
}

function nameOf(proof: FraudProof): string {
  return `${proof.kind}/${proof.round}`;
}
