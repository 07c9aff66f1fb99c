/**
 * The relay of an aggregator: takes signed commits, reveals and answers of registered participants and submits them in
 * batches, at its own cost. It can neither forge nor change what was signed; all it can do is nothing, and then the
 * participant sends for itself.
 */
import type { Address } from 'viem';
import { type Answer, answerChallenges } from '../../chain/challenges.ts';
import type { Federation } from '../../chain/federation.ts';
import { answerRefusals, commitUpdates, isSignedBy, relayRefusals, revealUpdates } from '../../chain/relay.ts';
import { revertName } from '../../chain/revert.ts';
import type { Signer } from '../../chain/rpc.ts';
import type { Sent } from '../../chain/transaction.ts';
import {
  answerChallengeTypedData,
  commitUpdateTypedData,
  revealUpdateTypedData,
  type TypedMessage,
} from '../../chain/typedData.ts';
import { keccak256 } from '../../protocol/commitment/keccak.ts';
import { fromHex, type Hex } from '../../protocol/encoding/bytes.ts';
import { cidToBytes } from '../../protocol/encoding/cid.ts';
import type { AggregatorEvent } from '../events.ts';
import { Batch } from './batch.ts';
import type { RelayedAnswer, RelayedCommit, RelayedReveal, RelayMessage } from './relayMessage.ts';

/** What became of a message. */
export type RelayOutcome =
  | { readonly accepted: true; readonly transaction: Hex /** Its share of the batch. */; readonly gasUsed: bigint }
  /** `reason`: the contract's custom error, or one of this relay's. */
  | { readonly accepted: false; readonly reason: string };

export interface RelayDeskOptions {
  readonly federation: Federation;
  readonly signer: Signer;
  readonly report: (event: AggregatorEvent) => void;
  /** How long the first message of a batch waits for others. Default 400 ms. */
  readonly waitMs?: number;
  /** Messages that one participant may send within a minute. Default 60. */
  readonly perMinute?: number;
}

/** About 45,000 gas each: well below a block. */
const LARGEST_BATCH = 50;
/** Messages whose signature is being checked, and that wait: beyond, the relay is busy. */
const MOST_UNDER_WAY = 256;
const DEFAULT_WAIT_MS = 400;
const DEFAULT_PER_MINUTE = 60;
const MINUTE_MS = 60_000;

export class RelayDesk {
  private readonly options: RelayDeskOptions;
  private readonly commits: Batch<RelayedCommit, RelayOutcome>;
  private readonly reveals: Batch<RelayedReveal, RelayOutcome>;
  private readonly answers: Batch<RelayedAnswer, RelayOutcome>;
  private readonly recent = new Map<string, number[]>();
  private underWay = 0;

  constructor(options: RelayDeskOptions) {
    this.options = options;
    const limits = { waitMs: options.waitMs ?? DEFAULT_WAIT_MS, largest: LARGEST_BATCH };
    this.commits = new Batch({ ...limits, handle: (messages) => this.sendByRound('commit', messages) });
    this.reveals = new Batch({ ...limits, handle: (messages) => this.sendByRound('reveal', messages) });
    this.answers = new Batch({ ...limits, handle: (messages) => this.sendAnswers(messages) });
  }

  /** What a participant should know before it signs. */
  get description(): { readonly federation: Address; readonly chainId: number; readonly account: Address } {
    const { federation, signer } = this.options;
    return { federation: federation.address, chainId: federation.connection.chainId, account: signer.account.address };
  }

  /** Resolves when the message is on the chain, or refused. @throws AssayError for what is wrong at this node. */
  async submit(message: RelayMessage): Promise<RelayOutcome> {
    if (this.underWay >= MOST_UNDER_WAY) return refused('BUSY');
    this.underWay++;
    try {
      const { federation } = this.options;
      const registered = await federation.participant(message.participant);
      if (registered === null) return refused('NotRegistered');
      const signed = await isSignedBy(federation, registered.account, this.typedData(message), message.signature);
      if (!signed) return refused('BadSignature');
      // Counted after the signature, so that nobody can use up another's share.
      if (!this.isWithinRate(registered.account)) return refused('RATE_LIMIT');
      const known = { ...message, participant: registered.account };
      if (known.type === 'commit') return await this.commits.add(known);
      if (known.type === 'reveal') return await this.reveals.add(known);
      return await this.answers.add(known);
    } finally {
      this.underWay--;
    }
  }

  private typedData(message: RelayMessage): TypedMessage {
    const { federation, chainId } = this.description;
    const place = { chainId, federation };
    if (message.type === 'answer') {
      return answerChallengeTypedData(place, { id: message.challenge, payee: message.payee });
    }
    const round = BigInt(message.round);
    const { opening } = message;
    if (message.type === 'commit') {
      return commitUpdateTypedData(place, { round, opening, commitHash: message.commitHash });
    }
    const { root, salt } = message;
    const cidHash = keccak256(cidToBytes(message.cid));
    return revealUpdateTypedData(place, { round, opening, root, normSq: BigInt(message.normSq), cidHash, salt });
  }

  private isWithinRate(participant: Address): boolean {
    const now = Date.now();
    const times = (this.recent.get(participant) ?? []).filter((time) => time > now - MINUTE_MS);
    const within = times.length < (this.options.perMinute ?? DEFAULT_PER_MINUTE);
    if (within) times.push(now);
    this.recent.set(participant, times);
    return within;
  }

  private async sendByRound(
    type: 'commit' | 'reveal',
    messages: readonly (RelayedCommit | RelayedReveal)[],
  ): Promise<RelayOutcome[]> {
    const outcomes = new Map<RelayMessage, RelayOutcome>();
    for (const round of new Set(messages.map((message) => message.round))) {
      const ofRound = messages.filter((message) => message.round === round);
      const sent = await this.send(type, round, ofRound);
      for (const message of ofRound) outcomes.set(message, outcomeOf(sent, ofRound.length, message.participant));
    }
    return messages.map((message) => outcomes.get(message)!);
  }

  /** One batch; the custom error when the contract takes none of it. */
  private async send(
    type: 'commit' | 'reveal',
    round: number,
    messages: readonly (RelayedCommit | RelayedReveal)[],
  ): Promise<Sent | string> {
    const { federation, signer } = this.options;
    return this.submitBatch(type, round, messages.length, () => {
      const commits = messages.filter((message) => message.type === 'commit');
      if (type === 'commit') {
        const structs = commits.map(({ participant, commitHash, signature }) => ({
          participant,
          commitHash,
          signature,
        }));
        return commitUpdates(federation, signer, round, structs);
      }
      const reveals = messages.filter((message) => message.type === 'reveal');
      const structs = reveals.map(({ participant, root, normSq, cid, salt, signature }) => ({
        participant,
        root,
        normSq: BigInt(normSq),
        cid: cidToBytes(cid),
        salt,
        signature,
      }));
      return revealUpdates(federation, signer, round, structs);
    });
  }

  private async sendAnswers(messages: readonly RelayedAnswer[]): Promise<RelayOutcome[]> {
    const { federation, signer } = this.options;
    const answers: Answer[] = messages.map(({ challenge, payee, bytes, signature }) => ({
      id: challenge,
      payee,
      opening: fromHex(bytes),
      signature,
    }));
    const sent = await this.submitBatch('answer', null, answers.length, () =>
      answerChallenges(federation, signer, answers),
    );
    if (typeof sent === 'string') return messages.map(() => refused(sent));
    const refusals = answerRefusals(sent.receipt);
    return messages.map(({ challenge }) => {
      const reason = refusals.get(challenge);
      return reason === undefined ? accepted(sent, messages.length) : refused(reason);
    });
  }

  private async submitBatch(
    kind: RelayMessage['type'],
    round: number | null,
    messages: number,
    submit: () => Promise<Sent>,
  ): Promise<Sent | string> {
    try {
      const sent = await submit();
      this.options.report({ type: 'relayed', kind, round, messages, transaction: sent.hash, gasUsed: sent.gasUsed });
      return sent;
    } catch (error) {
      const name = revertName(error);
      if (name === undefined) throw error;
      return name;
    }
  }
}

function outcomeOf(sent: Sent | string, messages: number, participant: Hex): RelayOutcome {
  if (typeof sent === 'string') return refused(sent);
  const reason = relayRefusals(sent.receipt).get(participant as Address);
  return reason === undefined ? accepted(sent, messages) : refused(reason);
}

function accepted({ hash, gasUsed }: Sent, messages: number): RelayOutcome {
  return { accepted: true, transaction: hash, gasUsed: gasUsed / BigInt(messages) };
}

function refused(reason: string): RelayOutcome {
  return { accepted: false, reason };
}
