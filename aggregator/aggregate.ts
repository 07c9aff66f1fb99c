/**
 * An aggregator's node: follows the rounds of a federation, publishes when it leads the turn, makes rounds final, charges
 * who committed and did not reveal. What it computes follows from the chain and the payloads alone, so a node that was
 * killed and started again computes the same and sends nothing twice.
 */
import type { RoundView } from '../chain/convert.ts';
import { followRounds, pause } from '../chain/followRounds.ts';
import { revertName } from '../chain/revert.ts';
import { cidFromBytes } from '../protocol/encoding/cid.ts';
import { AssayError } from '../protocol/errors.ts';
import { voidedIndices } from '../protocol/round/submission.ts';
import { type Patience, UpdateCollector } from './collectUpdates.ts';
import type { AggregatorContext } from './context.ts';
import { prepareRound, sendPublication } from './publishRound.ts';

/** Somebody else did it first, or the phase moved on between a look and an act: look again. */
const LOST_RACES = new Set([
  'WrongPhase',
  'NotTheLeader',
  'ChallengeWindowOpen',
  'OutOfOrder',
  'NothingToSettle',
  'SeedNotFixed',
]);

/** Share of the turn after which a payload that nobody serves is left out. */
const PATIENCE_SHARE = 0.6;
const RETRY_PAUSE_MS = 1000;

/**
 * Runs until `signal` fires or the federation's last round is final.
 * @throws AssayError for what only its operator can mend: no answer from the chain, no funds, a full disk.
 */
export async function aggregate(context: AggregatorContext): Promise<void> {
  const { federation, signal, pollMs } = context;
  const desk = new RoundDesk(context);
  for await (const view of followRounds(federation, { signal, ...(pollMs === undefined ? {} : { pollMs }) })) {
    try {
      if (view !== null) await desk.attend(view);
      if (await desk.finalizeNext()) return;
    } catch (error) {
      if (!LOST_RACES.has(revertName(error) ?? '')) throw error;
    }
  }
}

class RoundDesk {
  private readonly context: AggregatorContext;
  private readonly collector: UpdateCollector;
  private seenOpening = 0;
  private seenReveals = '';
  private settledRound = 0;

  constructor(context: AggregatorContext) {
    this.context = context;
    this.collector = new UpdateCollector(context);
  }

  async attend(view: RoundView): Promise<void> {
    const { federation, signer, report } = this.context;
    if (view.opening !== this.seenOpening) {
      this.seenOpening = view.opening;
      report({ type: 'roundOpened', round: view.number, expected: view.expected });
    }
    if (view.phase === 'reveal') await this.watchReveals(view);
    if (view.phase === 'aggregate' && view.leader === signer.account.address) await this.publish(view);
    if (view.phase === 'abandoned') {
      // Shown as abandoned because its deadline has passed; the next round opens when somebody says so to the contract.
      const { hash } = await federation.advance(signer, view.number);
      report({ type: 'abandoned', round: view.number, transaction: hash });
    }
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
    const { federation, payloads, report } = this.context;
    const since = performance.now();
    const voided = voidedIndices(view.voidedBitmap);
    const submissions = (await federation.submissions(view)).filter(({ index }) => !voided.has(index));
    const collected = await this.collector.collect(submissions, this.patience(view));
    const sizes = await Promise.all(
      collected.valid.map(async ({ cid }) => (await payloads.store.stat(cidFromBytes(cid)))?.bytes ?? 0),
    );
    const payloadBytes = sizes.reduce((sum, bytes) => sum + bytes, 0);
    report({
      type: 'collected',
      round: view.number,
      valid: collected.valid.length,
      excluded: collected.excluded.map(({ submission: { participant }, reason, detail }) => ({
        participant,
        reason,
        detail,
      })),
      payloadBytes,
    });
    const prepared = await prepareRound(this.context, view, collected);
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
      updates: collected.valid.length,
      payloadBytes,
      metrics,
      aggregateSeconds,
      publishSeconds: (performance.now() - since) / 1000,
      trimmed:
        aggregated.trimmed?.map(({ share }, row) => ({ participant: collected.valid[row]!.participant, share })) ??
        null,
    });
  }

  /** Until most of the turn is over; the rest is for computing and publishing. */
  private patience(view: RoundView): Patience {
    const { federation, signal } = this.context;
    const { aggregateWindowSeconds } = federation.parameters;
    const lastMoment = view.deadline - Math.ceil(aggregateWindowSeconds * (1 - PATIENCE_SHARE));
    return {
      async wait() {
        if (signal.aborted || (await federation.chainTime()) >= lastMoment) return false;
        await pause(RETRY_PAUSE_MS, signal);
        return !signal.aborted;
      },
    };
  }

  /** Makes the next round final when its window is over; true when that was the federation's last. */
  async finalizeNext(): Promise<boolean> {
    const { federation, signer, report } = this.context;
    const { totalRounds } = federation.parameters;
    const next = (await federation.lastFinalRound()) + 1;
    if (totalRounds !== 0 && next > totalRounds) {
      report({ type: 'ended', rounds: totalRounds });
      return true;
    }
    const view = await federation.round(next);
    if (view.phase !== 'challenge') return false;
    await this.chargeMissedReveals(view);
    if ((await federation.chainTime()) < view.deadline) return false;
    const { hash, gasUsed } = await federation.finalizeRound(signer, next);
    report({ type: 'finalized', round: next, transaction: hash, gasUsed });
    return false;
  }

  private async chargeMissedReveals(view: RoundView): Promise<void> {
    if (view.number <= this.settledRound) return;
    this.settledRound = view.number;
    if (view.revealed === view.committed) return;
    const { federation, signer, report } = this.context;
    for (let index = 0; index < (await federation.participantCount()); index++) {
      const participant = await federation.participantAt(index);
      if (participant === null || participant.revealed || Number(participant.committedRound) !== view.number) continue;
      try {
        const { hash } = await federation.settleMissedReveal(signer, participant.account);
        report({ type: 'penalised', round: view.number, participant: participant.account, transaction: hash });
      } catch (error) {
        if (revertName(error) !== 'NothingToSettle') throw error;
      }
    }
  }
}
