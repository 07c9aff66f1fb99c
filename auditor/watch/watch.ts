/**
 * The watchtower: follows a federation, audits every publication as soon as it is there, proves on the chain what is
 * wrong, and asks on the chain for the bytes that would prove it. A crash or a restart loses nothing: what was sent
 * stands in its journal, everything else on the chain.
 */
import { join } from 'node:path';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { AssayError } from '../../protocol/errors.ts';
import { type AuditOptions, auditFrom, networkPayloads } from '../auditFederation.ts';
import { Account } from '../chain/account.ts';
import { assembleRounds, type RoundFacts } from '../chain/assembleRounds.ts';
import type { ChainFacts } from '../chain/chainFacts.ts';
import { type ChallengeOpened, decodeEvents, type FederationEvent } from '../chain/decodeEvents.ts';
import { ChainMemory, readChain } from '../chain/readChain.ts';
import { Rpc } from '../chain/rpc.ts';
import type { ProofInHand, Question } from '../disputes/dispute.ts';
import type { FiledDispute } from '../disputes/proofFiles.ts';
import { withSpools } from '../payloads/spool.ts';
import { Court } from './court.ts';
import type { WatchEvent } from './events.ts';
import { Journal } from './journal.ts';
import { openChallenges } from './openChallenges.ts';
import { openingOf } from './openingOf.ts';

export interface WatchOptions
  extends Pick<
    AuditOptions,
    | 'rpcUrl'
    | 'federation'
    | 'gateways'
    | 'chainId'
    | 'fromBlock'
    | 'anyGateway'
    | 'idleMilliseconds'
    | 'attempts'
    | 'engine'
    | 'threads'
    | 'workFolder'
  > {
  /** Key of the account that accuses, pays bonds and earns rewards. */
  readonly privateKey: string;
  /** Folder for journal, memory and proofs: this watchtower's alone. */
  readonly folder: string;
  readonly report: (event: WatchEvent) => void;
  readonly signal: AbortSignal;
  /** Pause between two looks at the chain. Default 1000. */
  readonly pollMilliseconds?: number | undefined;
  /** How long missing bytes may still come before they are asked for. Default 30, at most a quarter of the window. */
  readonly patienceSeconds?: number | undefined;
  /** Also answer what others ask, from what anybody serves, when its owner has not half-way to the deadline. */
  readonly answer?: boolean | undefined;
  /** End when the last round is final. Default false. */
  readonly exit?: boolean | undefined;
}

/**
 * Watches until the signal fires, or, with `exit`, until the last round is final.
 *
 * @throws AssayError what cannot get better by waiting: a wrong address, chain, key or folder. A node that is away is
 *   waited for.
 */
export async function watch(options: WatchOptions): Promise<void> {
  const rpc = await Rpc.connect(options);
  try {
    const memory = new ChainMemory();
    const facts = await readChain({ ...options, memory });
    const account = new Account(rpc, options.privateKey);
    const { chainId, federation, parameters } = facts;
    const journal = await Journal.open(join(options.folder, 'watch.json'), { chainId, federation });
    const tower = new Watchtower(options, new Court(account, journal), account.address);
    const balanceWei = await account.balance();
    options.report({ type: 'watching', account: account.address, balanceWei, proofBondWei: parameters.proofBond });
    await patiently(options, () => tower.look(facts));
    while (!options.signal.aborted && !tower.ended) {
      await pause(options.pollMilliseconds ?? 1000, options.signal);
      if (options.signal.aborted) break;
      await patiently(options, async () => tower.look(await readChain({ ...options, memory })));
    }
  } finally {
    rpc.close();
  }
}

/**
 * Once a watchtower has looked at its federation, nothing ends it but its user: whatever a node or a peer answers, it
 * says so and looks again.
 */
async function patiently({ report }: WatchOptions, look: () => Promise<void>): Promise<void> {
  try {
    await look();
  } catch (error) {
    report({ type: 'waiting', reason: reasonOf(error) });
  }
}

/** In one line. What is no message of ours is a fault of ours, with the place. */
function reasonOf(error: unknown): string {
  const text = error instanceof AssayError ? error.message : error instanceof Error ? error.stack : String(error);
  return (text ?? '').replace(/\s*\n\s*/g, ' ').slice(0, 2000);
}

/** The last look at a round. */
interface Look {
  /** Everything on the chain that its result depends on. */
  readonly basis: string;
  /** When that was first looked at. */
  readonly since: number;
  /** When to look again although nothing changed: infinity when all that can be done is done. */
  readonly again: number;
}

/** How long to wait at least before what could not be done is tried again. */
const RETRY_MILLISECONDS = 2000;

class Watchtower {
  ended = false;
  private readonly options: WatchOptions;
  private readonly court: Court;
  private readonly self: Hex;
  private readonly found = new Map<number, Look>();
  private readonly seen = new Set<string>();
  private readonly told = new Set<string>();
  /** Challenges that are settled or answered as far as this watchtower is concerned. */
  private readonly done = new Set<Hex>();
  private first = true;

  constructor(options: WatchOptions, court: Court, self: Hex) {
    this.options = options;
    this.court = court;
    this.self = self;
  }

  /** Does everything that is due at this block. */
  async look(facts: ChainFacts): Promise<void> {
    const events = decodeEvents(facts.logs);
    const rounds = assembleRounds(facts, events);
    this.tellNews(events);
    await this.settleOverdue(facts, events);
    for (const round of rounds) {
      if (this.options.signal.aborted) return;
      if (round.state?.phase === 'challenge' && round.published !== null) await this.judge(facts, events, round);
      else this.found.delete(round.round);
    }
    if (this.options.answer === true) await this.answerOthers(facts, events, rounds);
    this.first = false;
    const { totalRounds } = facts.parameters;
    if (this.options.exit === true && totalRounds !== 0 && facts.lastFinalRound >= totalRounds) {
      this.ended = true;
      this.options.report({ type: 'ended', rounds: totalRounds });
    }
  }

  /** What happened since the last look; at the first one, nothing is news. */
  private tellNews(events: readonly FederationEvent[]): void {
    const asked = new Map<Hex, ChallengeOpened>();
    for (const event of events) {
      const { place } = event;
      if (event.name === 'challengeOpened') asked.set(event.id, event);
      const key = `${place.blockHash}/${place.logIndex}`;
      if (this.seen.has(key)) continue;
      this.seen.add(key);
      if (this.first) continue;
      if (event.name === 'slashed') {
        const { name: _, place: __, burned: ___, reward: ____, ...slashed } = event;
        this.options.report({ type: 'slashed', ...slashed, transaction: place.transactionHash });
      }
      const question = event.name === 'challengeAnswered' ? asked.get(event.id) : undefined;
      if (event.name === 'challengeAnswered' && question?.challenger === this.self) {
        this.options.report({ type: 'answerCame', ...nameOf(question), payee: event.payee });
      }
    }
  }

  /** Audits a publication when something about it is new, and does what follows. */
  private async judge(facts: ChainFacts, events: readonly FederationEvent[], round: RoundFacts): Promise<void> {
    const basis = basisOf(round, events);
    const started = performance.now();
    const last = this.found.get(round.round);
    if (last !== undefined && last.basis === basis && started < last.again) return;
    const since = last?.basis === basis ? last.since : started;
    let disputes: readonly FiledDispute[] = [];
    let open = !(await this.trying(round.round, 'the audit', async () => {
      disputes = await this.audit(facts, events, round);
      return true;
    }));
    for (const dispute of disputes) {
      if (this.options.signal.aborted) return;
      const done =
        dispute.type === 'proof'
          ? await this.accuse(facts, round, dispute)
          : await this.ask(facts, events, round, dispute, performance.now() - since);
      open ||= !done;
    }
    const pause = Math.max(RETRY_MILLISECONDS, performance.now() - started);
    this.found.set(round.round, { basis, since, again: open ? performance.now() + pause : Number.POSITIVE_INFINITY });
  }

  private async audit(
    facts: ChainFacts,
    events: readonly FederationEvent[],
    { round }: RoundFacts,
  ): Promise<readonly FiledDispute[]> {
    const { options } = this;
    const todo: FiledDispute[] = [];
    const report = await auditFrom(
      { name: options.rpcUrl, readChain: async () => facts },
      (_, spools) => networkPayloads(events, options.gateways, spools, options),
      {
        rounds: { from: round, to: round },
        cachePath: join(options.folder, 'audited.json'),
        proofFolder: join(options.folder, 'proofs'),
        onDisputes: (disputes) => todo.push(...disputes),
        ...{ engine: options.engine, threads: options.threads, workFolder: options.workFolder },
      },
    );
    const [audited] = report.rounds;
    if (audited === undefined) return todo;
    const { ok, verified, seconds } = audited;
    const findings = audited.findings.map(({ kind, accused }) => ({ kind, accused }));
    this.tellOnce(`${round}/${audited.publicationTransaction}/${JSON.stringify(findings)}/${verified}`, {
      ...{ type: 'audited', round, ok, verified, findings, seconds },
    });
    return todo;
  }

  /** False while it has to be tried again; so for the others below. */
  private async accuse(facts: ChainFacts, round: RoundFacts, dispute: ProofInHand & FiledDispute): Promise<boolean> {
    const { proof, accused, role, file } = dispute;
    const name = { round: proof.round, proof: proof.kind, accused, role } as const;
    this.tellOnce(`proven/${round.published?.place.transactionHash}/${proof.kind}/${accused}`, {
      ...{ type: 'proven', ...name, file },
    });
    return this.trying(proof.round, `the ${proof.kind} proof`, async () => {
      const judgement = await this.court.accuse(facts, round, dispute);
      if (judgement === null) return false;
      const { transaction, gasUsed, reward, burned, bond } = judgement;
      const event: WatchEvent =
        judgement.verdict === 'rejected'
          ? { type: 'rejected', round: proof.round, proof: proof.kind, bond, transaction, gasUsed }
          : { type: 'convicted', ...name, reward, burned, transaction, gasUsed };
      this.tellOnce(transaction, event);
      return true;
    });
  }

  private async ask(
    facts: ChainFacts,
    events: readonly FederationEvent[],
    round: RoundFacts,
    question: Question,
    waited: number,
  ): Promise<boolean> {
    // Bytes that nobody serves now may be served in a moment; but a descent that has begun goes on at once.
    const { challengeWindowSeconds } = facts.parameters;
    const patience = Math.min(this.options.patienceSeconds ?? 30, challengeWindowSeconds / 4);
    const begun = events.some((event) => event.name === 'challengeAnswered' && event.round === round.round);
    if (!begun && waited < 1000 * patience) {
      const key = `patient/${round.published?.place.transactionHash}/${question.kind}/${question.index}`;
      this.tellOnce(key, { type: 'patient', round: round.round, seconds: patience, why: question.why });
      return false;
    }
    return this.trying(round.round, `a challenge of the ${question.kind}`, async () => {
      const sent = await this.court.ask(facts, round, question);
      if (sent === 'asked') return true;
      if (sent === 'underway') return false;
      const { opened, transaction, gasUsed } = sent;
      const { owner, bond, answerBy } = opened;
      const event = { type: 'asked', ...nameOf(opened), owner, bond, answerBy, why: question.why } as const;
      this.tellOnce(transaction, { ...event, transaction, gasUsed });
      return true;
    });
  }

  /** Who did not answer in time is convicted: by who asked; after as long again by anybody. */
  private async settleOverdue(facts: ChainFacts, events: readonly FederationEvent[]): Promise<void> {
    const { timestamp } = facts.head;
    for (const challenge of openChallenges(events)) {
      const { id, answerBy, round, challenger } = challenge;
      const due = challenger === this.self ? answerBy : answerBy + facts.parameters.answerWindowSeconds;
      if (timestamp < due || this.done.has(id) || this.options.signal.aborted) continue;
      await this.trying(round, `the settlement of challenge ${id}`, async () => {
        const sent = await this.court.settle(facts, challenge);
        if (sent === null) return false;
        this.done.add(id);
        this.tellSettled(challenge, sent);
        return true;
      });
    }
  }

  private tellSettled(challenge: ChallengeOpened, sent: Awaited<ReturnType<Court['settle']>> & object): void {
    const { transaction, gasUsed, events } = sent;
    const slashed = events.find((event) => event.name === 'slashed');
    if (slashed?.name !== 'slashed') {
      this.tellOnce(transaction, { type: 'refunded', ...nameOf(challenge), transaction, gasUsed });
      return;
    }
    const { round, proof, account: accused, role, reward, burned } = slashed;
    const verdict = { type: 'convicted', round, proof, accused, role, reward, burned } as const;
    this.tellOnce(transaction, { ...verdict, transaction, gasUsed });
  }

  private async answerOthers(
    facts: ChainFacts,
    events: readonly FederationEvent[],
    rounds: readonly RoundFacts[],
  ): Promise<void> {
    const { options } = this;
    for (const challenge of openChallenges(events)) {
      const { id, round: number, challenger, answerBy } = challenge;
      const halfWay = answerBy - facts.parameters.answerWindowSeconds / 2;
      const { timestamp } = facts.head;
      if (challenger === this.self || this.done.has(id) || timestamp < halfWay || timestamp >= answerBy) continue;
      const round = rounds.find((one) => one.round === number);
      if (round === undefined || options.signal.aborted) continue;
      await this.trying(number, `the answer to challenge ${id}`, async () => {
        const opening = await withSpools({ folder: options.workFolder }, (spools) =>
          openingOf(networkPayloads(events, options.gateways, spools, options), facts.parameters, round, challenge),
        );
        const sent = opening === null ? null : await this.court.answer(facts, challenge, opening);
        if (sent === null) return false;
        this.done.add(id);
        const { transaction, gasUsed } = sent;
        this.tellOnce(transaction, {
          type: 'answered',
          ...nameOf(challenge),
          paid: challenge.bond,
          transaction,
          gasUsed,
        });
        return true;
      });
    }
  }

  /** What is refused is told once for each reason, and tried again while it matters. */
  private async trying(round: number, what: string, act: () => Promise<boolean>): Promise<boolean> {
    try {
      return await act();
    } catch (error) {
      const code = error instanceof AssayError ? error.code : 'FAULT';
      if (code === 'RPC_UNREACHABLE') throw error;
      const reason = reasonOf(error);
      this.tellOnce(`refused/${round}/${what}/${code}`, { type: 'refused', round, what, code, reason });
      return false;
    }
  }

  private tellOnce(key: string, event: WatchEvent): void {
    if (this.told.has(key)) return;
    this.told.add(key);
    this.options.report(event);
  }
}

/** Everything that can change what an audit of the round says: its publication, who counts, what was answered. */
function basisOf(round: RoundFacts, events: readonly FederationEvent[]): string {
  const place = (of: RoundFacts | null) => {
    const published = of?.published?.place;
    return published === undefined ? '-' : `${published.blockHash}/${published.logIndex}`;
  };
  const answers = events.flatMap((event) =>
    event.name === 'challengeAnswered' && (event.round === round.round || event.round === round.parent?.round)
      ? [event.id]
      : [],
  );
  const voided = [...round.voided].sort((a, b) => a - b).join();
  return [place(round), place(round.parent), round.opening, voided, ...answers].join(' ');
}

function nameOf({ id, round, kind, index, chunk }: ChallengeOpened) {
  return { id, round, kind, index, chunk };
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
