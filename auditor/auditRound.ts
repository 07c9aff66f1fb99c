/** One round, question by question. Whatever a dishonest peer can do ends as a finding, never as an exception. */
import { EQUAL_SHARE_Q16, keptWeightsQ16, trimSampleSize } from '../protocol/aggregation/trimming.ts';
import type { Finding } from '../protocol/dispute/finding.ts';
import type { Submission } from '../protocol/round/submission.ts';
import type { AuditContext } from './auditContext.ts';
import { auditPublication, type PublicationAudit } from './auditPublication.ts';
import type { RoundFacts } from './chain/assembleRounds.ts';
import type { ChainFacts } from './chain/chainFacts.ts';
import { checkRound } from './chain/checkChain.ts';
import type { Dispute } from './disputes/dispute.ts';
import { disputedRound, revealsOf } from './disputes/disputedRound.ts';
import { participantDispute } from './disputes/participantDispute.ts';
import { Holdings } from './payloads/holdings.ts';
import {
  accumulatorHolds,
  commitsMatchReveals,
  leaderPublished,
  normsWithinBound,
  rootsAreNew,
} from './questions/chainQuestions.ts';
import { fetchUpdates, judgeUpdates } from './questions/updateQuestions.ts';
import type { Replay } from './replay/replayRound.ts';
import type { RoundReport } from './report/auditReport.ts';

export interface RoundAudit {
  readonly report: RoundReport;
  /** The replay, where the next round may have to start from it: whoever keeps it releases its model and state. */
  readonly replay: Replay | null;
  /** What can be done about it, when somebody wants to know. */
  readonly disputes: readonly Dispute[];
}

export async function auditRound(context: AuditContext, round: RoundFacts): Promise<RoundAudit> {
  const started = performance.now();
  const { facts } = context;
  const contradictions = chainContradictions(facts, round);
  const findings = [
    ...contradictions,
    ...commitsMatchReveals(facts, round),
    ...rootsAreNew(round, context.revealed),
    ...normsWithinBound(facts, round),
    ...leaderPublished(facts, round),
  ];
  const { published } = round;
  // Nobody is accused on the word of a chain that contradicts itself.
  const judged = contradictions.length === 0;
  const holdings = new Holdings();
  let audit: PublicationAudit | null = null;
  let early: Pick<PublicationAudit, 'findings' | 'disputes'> | null = null;
  try {
    if (published !== null && judged) audit = await auditPublication(context, round, published, holdings);
    if (published === null && judged) early = await auditUpdates(context, round, holdings);
  } finally {
    await holdings.release();
    await context.snapshots.done(holdings);
  }
  findings.push(...(audit?.findings ?? []), ...(early?.findings ?? []));
  const notes = audit?.notes ?? [];
  if (!judged) notes.push('Not computed anew: what the chain says about the round contradicts itself.');
  const unverifiable = !judged || (audit !== null && audit.replay === null);
  const verified = unverifiable ? 'unverifiable' : audit === null ? 'unpublished' : 'replayed';
  const report: RoundReport = {
    round: round.round,
    opening: round.opening,
    phase: round.state?.phase ?? round.eventPhase,
    ok: findings.every(({ severity }) => severity !== 'breach') && verified !== 'unverifiable',
    verified,
    updates: audit?.rows.length ?? round.reveals.length - round.voided.size,
    voided: round.voided.size,
    payloadBytes: audit?.payloadBytes ?? 0,
    baseModelRoot: round.baseModelRoot,
    modelRoot: published?.publication.modelRoot ?? null,
    publishedBy: published?.aggregator ?? null,
    publicationTransaction: published?.place.transactionHash ?? null,
    claimedAccuracy: audit?.evidence?.metrics?.accuracy ?? null,
    claimedLoss: audit?.evidence?.metrics?.loss ?? null,
    weights: audit === null ? null : keptWeights(context, audit.rows, audit.replay),
    seconds: (performance.now() - started) / 1000,
    findings: findings.map((each) => ({ ...each, proof: null })),
    notes,
  };
  return { report, replay: audit?.successor ?? null, disputes: (audit ?? early)?.disputes ?? [] };
}

/** Where what the chain says about the round contradicts itself. */
export function chainContradictions(facts: ChainFacts, round: RoundFacts): Finding[] {
  return [...checkRound(facts, round), ...accumulatorHolds(round)];
}

/**
 * A round that waits for its publication: who lied about its update can still be taken out of it. No result depends on
 * it yet, so it is misconduct.
 */
async function auditUpdates(
  context: AuditContext,
  round: RoundFacts,
  holdings: Holdings,
): Promise<Pick<PublicationAudit, 'findings' | 'disputes'> | null> {
  if (!context.wantsDisputes || round.state?.phase !== 'aggregate') return null;
  const updates = await judgeUpdates(context, round, await fetchUpdates(context, round, holdings));
  const findings = updates.flatMap((update): Finding[] =>
    update.status === 'holds' ? [] : [{ ...update.finding, severity: 'misconduct' }],
  );
  const disputes: Dispute[] = [];
  const material = {
    ...{ context, round, updates },
    disputed: disputedRound(context.facts, round),
    reveals: revealsOf(round),
    answers: context.answers.filter((answer) => answer.round === round.round),
  };
  for (const update of updates) disputes.push(...(await participantDispute(material, update)));
  return { findings, disputes };
}

function keptWeights(
  { layout }: AuditContext,
  rows: readonly Submission[],
  replay: Replay | null,
): RoundReport['weights'] {
  if (replay === null || replay.trimmed === null) return null;
  const sampled = trimSampleSize(layout.chunkCount, layout.chunkSize);
  const weights = keptWeightsQ16(replay.trimmed, sampled, replay.mixing, rows.length);
  return rows.map(({ index, participant }, row) => ({ index, participant, weight: weights[row]! / EQUAL_SHARE_Q16 }));
}
