/**
 * An aggregator's node: follows the rounds of a federation, publishes when it leads the turn, makes rounds final,
 * charges who committed and did not reveal. What it computes follows from the chain and the payloads alone, so a node
 * that was killed and started again computes the same and sends nothing twice.
 */

import { watchChallenges } from '../chain/answerChallenges.ts';
import type { RoundView } from '../chain/convert.ts';
import { followRounds, pause, sideBySide } from '../chain/followRounds.ts';
import { revertName } from '../chain/revert.ts';
import { ZERO_HASH } from '../protocol/encoding/bytes.ts';
import { cidFromBytes } from '../protocol/encoding/cid.ts';
import { AssayError } from '../protocol/errors.ts';
import { type Submission, voidedIndices } from '../protocol/round/submission.ts';
import { PROVABLY_INVALID } from '../storage/fetchPayload.ts';
import { type Collected, UpdateCollector } from './collectUpdates.ts';
import type { AggregatorContext } from './context.ts';
import { voidCopies } from './copiedUpdates.ts';
import { UpdateDisputes } from './disputeUpdates.ts';
import { RewardDesk } from './distributeRewards.ts';
import { finalizeNext } from './finalizeNext.ts';
import { MissedReveals } from './missedReveals.ts';
import { openHeld } from './openings.ts';
import { PatchedPayloads } from './patchedPayloads.ts';
import { prepareRound, sendPublication } from './publishRound.ts';
import { Standby } from './standby.ts';

/** Somebody else did it first, or the phase moved on between a look and an act: look again. */
const LOST_RACES = new Set([
  'WrongPhase',
  'NotTheLeader',
  'ChallengeWindowOpen',
  'OutOfOrder',
  'NothingToSettle',
  'SeedNotFixed',
  'WrongSubmissionSet',
  'SubmissionNotFound',
  'SubmissionAlreadyVoided',
  'ChallengeExists',
  'ChallengesOpen',
]);

/**
 * What keeps a round from being published and is not this node's fault; somebody may still mend it before the turn
 * ends. A node that gave up here would miss every later round, too.
 */
const OTHERS_FAULTS = new Set([
  'PAYLOAD_UNAVAILABLE',
  'EVENTS_INCOMPLETE',
  'TOO_FEW_UPDATES',
  'UNKNOWN_MODEL',
  'MODEL_ROOT',
  'PAYLOAD_PADDING',
  'STATE_MISSING',
  'EVIDENCE',
  ...PROVABLY_INVALID,
]);
/** Payloads of this node that its disk no longer gives back: fetched again from whoever has them. */
const OWN_DAMAGE = new Set(['BLOCK_MISMATCH', 'PAYLOAD_MISSING']);

/**
 * Share of the turn after which a payload that nobody serves is asked for on the chain. That lengthens the turn, so
 * there is time to aggregate when the answer has come, or its time is over.
 */
const PATIENCE_SHARE = 0.4;
const RETRY_PAUSE_MS = 1000;
/** What a fetch is given when its share of the turn is over: enough for a payload that is here already. */
const GRACE_MS = 250;
/** The least time that a payload is given to arrive, however late in the turn this node starts. */
const LEAST_PATIENCE_MS = 3000;

/**
 * Runs until `signal` fires or the federation's last round is final.
 * @throws AssayError for what only its operator can mend: no answer from the chain, no funds, a full disk.
 */
export async function aggregate(context: AggregatorContext): Promise<void> {
  const patched = await PatchedPayloads.open(context.state);
  await sideBySide(
    context.signal,
    (signal) => attendRounds({ ...context, signal }, patched),
    (signal) =>
      watchChallenges({
        ...context,
        signal,
        open: (challenge, state) => openHeld(context, patched, challenge, state),
        settles: true,
      }),
  );
}

async function attendRounds(context: AggregatorContext, patched: PatchedPayloads): Promise<void> {
  const { federation, signal, pollMs } = context;
  const desk = new RoundDesk(context, patched);
  const rewards = new RewardDesk(context);
  for await (const view of followRounds(federation, { signal, ...(pollMs === undefined ? {} : { pollMs }) })) {
    try {
      if (view !== null) await desk.attend(view);
      if (await finalizeNext(context, (final) => rewards.attend(final))) return;
    } catch (error) {
      if (!LOST_RACES.has(revertName(error) ?? '')) throw error;
    }
  }
}

/** What this process remembers between two looks at the current round, and what it does about each. */
class RoundDesk {
  private readonly context: AggregatorContext;
  private readonly charges: MissedReveals;
  private readonly disputes: UpdateDisputes;
  private readonly standby: Standby;
  private collector: UpdateCollector;
  private seenOpening = 0;
  private seenReveals = '';
  private seenAbandoned = '';
  /** The set of submissions among which copies were looked for. */
  private searched = '';
  /** The turn in which payloads that do not come were waited for. */
  private waitedIn = '';
  private seenCollected = '';
  private told = '';

  constructor(context: AggregatorContext, patched: PatchedPayloads) {
    this.context = context;
    this.charges = new MissedReveals(context);
    this.disputes = new UpdateDisputes(context, patched);
    this.standby = new Standby(context);
    this.collector = new UpdateCollector(context);
  }

  async attend(view: RoundView): Promise<void> {
    const { signer, report } = this.context;
    if (view.opening !== this.seenOpening) {
      await this.noteAbandoned(view.number - 1);
      // Openings only grow, but for a round that came back because its publication was voided.
      if (view.opening < this.seenOpening) report({ type: 'reopened', round: view.number, turn: view.turn });
      else report({ type: 'roundOpened', round: view.number, expected: view.expected });
      this.seenOpening = view.opening;
    }
    await this.charges.settle(view);
    if (view.phase === 'reveal') await this.watchReveals(view);
    if (view.phase === 'aggregate' && view.leader !== signer.account.address) await this.standby.attend(view);
    if (view.phase === 'aggregate' && view.leader === signer.account.address) {
      try {
        await this.publish(view);
      } catch (error) {
        if (!(error instanceof AssayError) || !(OTHERS_FAULTS.has(error.code) || OWN_DAMAGE.has(error.code)))
          throw error;
        if (OWN_DAMAGE.has(error.code)) this.collector = new UpdateCollector(this.context);
        this.tellOnce(`with round ${view.number}, which cannot be published now: ${error.message}`);
        await pause(RETRY_PAUSE_MS, this.context.signal);
      }
    }
    if (view.phase === 'abandoned') await this.noteAbandoned(view.number);
  }

  private tellOnce(reason: string): void {
    if (reason !== this.told) this.context.report({ type: 'waiting', reason });
    this.told = reason;
  }

  /** Once for each opening of a round: says so, and to the contract, too, if the deadline has passed and nobody has told it yet. */
  private async noteAbandoned(round: number): Promise<void> {
    const { federation, signer, report } = this.context;
    if (round < 1) return;
    const { phase, opening } = await federation.round(round);
    if (phase !== 'abandoned' || this.seenAbandoned === `${round}/${opening}`) return;
    const [opened] = (await federation.events('RoundOpened', { round: BigInt(round) })).slice(-1);
    const before = await federation.events('RoundAbandoned', { round: BigInt(round) }, opened?.blockNumber);
    const transaction = before.at(-1)?.transactionHash ?? (await federation.advance(signer, round)).hash;
    this.seenAbandoned = `${round}/${opening}`;
    report({ type: 'abandoned', round, transaction });
  }

  private async watchReveals(view: RoundView): Promise<void> {
    const { federation, report } = this.context;
    const key = `${view.opening}/${view.revealed}`;
    if (key === this.seenReveals) return;
    this.seenReveals = key;
    report({ type: 'revealed', round: view.number, committed: view.committed, revealed: view.revealed });
    try {
      this.collector.prefetch(await federation.submissions(view));
    } catch (error) {
      // Another reveal arrived in between; the next look takes both.
      if (!(error instanceof AssayError) || error.code !== 'EVENTS_INCOMPLETE') throw error;
    }
  }

  private async publish(view: RoundView): Promise<void> {
    if (view.seed === ZERO_HASH) {
      // Its block was too old when somebody first asked for its hash; the contract has taken a newer one since.
      await this.context.federation.advance(this.context.signer, view.number);
      return;
    }
    const { federation, payloads, report } = this.context;
    const since = performance.now();
    const reveals = await federation.submissions(view);
    const set = `${view.opening}/${view.voidedBitmap}`;
    if (this.searched !== set && (await voidCopies(this.context, view, reveals))) return; // another set: look again
    this.searched = set;
    const voided = voidedIndices(view.voidedBitmap);
    const submissions = reveals.filter(({ index }) => !voided.has(index));
    const collected = await this.collect(view, submissions);
    const sizes = await Promise.all(
      collected.valid.map(async ({ cid }) => (await payloads.store.stat(cidFromBytes(cid)))?.bytes ?? 0),
    );
    const payloadBytes = sizes.reduce((sum, bytes) => sum + bytes, 0);
    this.reportCollected(view, collected, payloadBytes);
    const rows = await this.disputes.settle(view, reveals, collected);
    if (rows === null) return; // convicted, or asked on the chain: look again
    const prepared = await prepareRound(this.context, view, rows);
    const aggregateSeconds = (performance.now() - since) / 1000;
    const sent = await sendPublication(this.context, view, prepared);
    const { aggregated, evidenceCid, metrics } = prepared;
    report({
      type: 'published',
      round: view.number,
      turn: view.turn,
      transaction: sent.hash,
      gasUsed: sent.gasUsed,
      ...aggregated.roots,
      modelCid: aggregated.modelCid,
      evidenceCid,
      updates: rows.length,
      payloadBytes,
      metrics,
      aggregateSeconds,
      publishSeconds: (performance.now() - since) / 1000,
      weights:
        aggregated.weights?.map((weight, row) => ({ participant: rows[row]!.submission.participant, weight })) ?? null,
    });
  }

  /** Waits once in a turn for what does not come; later looks take what has arrived by then. */
  private async collect(view: RoundView, submissions: readonly Submission[]): Promise<Collected> {
    const { federation, signal } = this.context;
    const turn = `${view.opening}/${view.turn}`;
    if (this.waitedIn === turn) {
      return this.collector.collect(submissions, { wait: async () => false, over: pause(GRACE_MS, signal) });
    }
    const { aggregateWindowSeconds } = federation.parameters;
    const lastMoment = view.deadline - Math.ceil(aggregateWindowSeconds * (1 - PATIENCE_SHARE));
    const leftMs = 1000 * (lastMoment - (await federation.chainTime()));
    const done = new AbortController();
    const over = pause(Math.max(LEAST_PATIENCE_MS, leftMs), AbortSignal.any([signal, done.signal]));
    const wait = async (): Promise<boolean> => {
      if (signal.aborted || (await federation.chainTime()) >= lastMoment) return false;
      await pause(RETRY_PAUSE_MS, signal);
      return !signal.aborted;
    };
    try {
      const collected = await this.collector.collect(submissions, { wait, over });
      if (collected.excluded.length > 0) this.waitedIn = turn;
      return collected;
    } finally {
      done.abort();
    }
  }

  private reportCollected(view: RoundView, { valid, excluded }: Collected, payloadBytes: number): void {
    const event = {
      type: 'collected' as const,
      round: view.number,
      valid: valid.length,
      excluded: excluded.map(({ submission: { participant }, reason, detail }) => ({ participant, reason, detail })),
      payloadBytes,
    };
    const who = excluded.map(({ submission, reason }) => `${submission.index} ${reason}`).join();
    const key = `${view.opening}/${view.turn}/${valid.length}/${who}`;
    if (key !== this.seenCollected) this.context.report(event);
    this.seenCollected = key;
  }
}
