/** One round, question by question. Whatever a dishonest peer can do ends as a finding, never as an exception. */
import { minimumUpdates } from '../protocol/aggregation/rule.ts';
import { hasServerState } from '../protocol/aggregation/serverStep.ts';
import { EQUAL_SHARE_Q16, keptWeightsQ16, trimSampleSize } from '../protocol/aggregation/trimming.ts';
import type { Finding } from '../protocol/dispute/finding.ts';
import { ZERO_HASH } from '../protocol/encoding/bytes.ts';
import type { Evidence } from '../protocol/round/evidence.ts';
import type { Submission } from '../protocol/round/submission.ts';
import type { AuditContext } from './auditContext.ts';
import type { PublishedModel, RoundFacts } from './chain/assembleRounds.ts';
import type { ChainFacts } from './chain/chainFacts.ts';
import { checkRound } from './chain/checkChain.ts';
import type { Dispute } from './disputes/dispute.ts';
import { disputedRound, revealsOf } from './disputes/disputedRound.ts';
import { findDisputes } from './disputes/findDisputes.ts';
import type { Material } from './disputes/material.ts';
import { participantDispute } from './disputes/participantDispute.ts';
import { cidTextOrNull } from './payloads/cidText.ts';
import type { Snapshot } from './payloads/snapshots.ts';
import {
  accumulatorHolds,
  commitsMatchReveals,
  leaderPublished,
  normsWithinBound,
  rootsAreNew,
} from './questions/chainQuestions.ts';
import { evidenceAgrees, evidenceIsThere } from './questions/evidenceQuestions.ts';
import { modelPayloadHolds, publishedNumbersHold } from './questions/publishedNumbers.ts';
import { rewardHolds } from './questions/rewardQuestions.ts';
import { type AuditedUpdate, readUpdates } from './questions/updateQuestions.ts';
import type { Replay, ReplayInput } from './replay/replayRound.ts';
import type { RoundReport } from './report/auditReport.ts';

export interface RoundAudit {
  readonly report: RoundReport;
  /** Null when the round could not be, or need not be, computed anew. */
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
  const audit = published === null || !judged ? null : await auditPublication(context, round, published);
  findings.push(...(audit?.findings ?? []));
  const early = published === null && judged ? await auditUpdates(context, round) : null;
  findings.push(...(early?.findings ?? []));
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
  return { report, replay: audit?.replay ?? null, disputes: (audit ?? early)?.disputes ?? [] };
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
): Promise<Pick<PublicationAudit, 'findings' | 'disputes'> | null> {
  if (!context.wantsDisputes || round.state?.phase !== 'aggregate') return null;
  const updates = await readUpdates(context, round);
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

interface PublicationAudit {
  readonly findings: readonly Finding[];
  readonly notes: string[];
  /** The updates that count. */
  readonly rows: readonly Submission[];
  readonly evidence: Evidence | null;
  readonly replay: Replay | null;
  readonly disputes: readonly Dispute[];
  readonly payloadBytes: number;
}

async function auditPublication(
  context: AuditContext,
  round: RoundFacts,
  published: PublishedModel,
): Promise<PublicationAudit> {
  const { facts, snapshots } = context;
  const modelCid = cidTextOrNull(published.publication.modelCid);
  const [updates, read, model] = await Promise.all([
    readUpdates(context, round),
    context.evidence.read(published),
    modelCid === null ? noCid() : snapshots.read(modelCid, published.aggregator),
  ]);
  const evidence = read.status === 'found' ? read.document : null;
  const stateful = hasServerState(facts.parameters.serverStep);
  const [start, state] = await Promise.all([
    startOfRound(context, round),
    stateful ? stateSnapshot(context, evidence, published.aggregator) : null,
  ]);
  const notes: string[] = [];
  const findings: Finding[] = [
    ...updates.flatMap((update) => (update.status === 'holds' ? [] : [update.finding])),
    ...evidenceIsThere(round, published, read),
  ];

  let computed: Material['computed'] = null;
  const rows = updates.map(({ submission }) => submission);
  const held = holdsOf(updates);
  if ('reason' in start) notes.push(start.reason);
  else if (held === null) {
    const missing = updates.flatMap(({ status, submission }) => (status === 'holds' ? [] : [submission.index]));
    notes.push(`Not computed anew: the payloads of participants ${missing.join(', ')} are needed and missing.`);
  } else if (rows.length < minimumUpdates(facts.parameters.rule)) {
    notes.push(`Not computed anew: the rule is not defined for the ${rows.length} updates that count.`);
  } else {
    const input = replayInput(context, round, held, start);
    computed = { input, replay: await context.pool.replay(input) };
    const whole = { context, round, published, model, state, evidence, rows, ...computed };
    findings.push(...publishedNumbersHold(whole));
  }
  findings.push(...rewardHolds(facts, round, rows, computed?.replay ?? null));
  const replay = computed?.replay ?? null;
  findings.push(...modelPayloadHolds(context, round, published, model, replay));
  if (evidence !== null) {
    const kinds = new Set(findings.map(({ kind }) => kind));
    findings.push(...evidenceAgrees(context, round, published, evidence, rows, replay, state, kinds));
  }
  const wrong = round.parent?.published ?? null;
  if (wrong !== null && 'fromReplay' in start && start.fromReplay) {
    notes.push(`Computed from the replayed model of round ${round.parent?.round}: its published bytes cannot be used.`);
  }
  const disputes = context.wantsDisputes
    ? await findDisputes({
        ...{ context, round, published, updates, model, state, evidence, computed },
        disputed: disputedRound(facts, round),
        reveals: revealsOf(round),
        answers: context.answers.filter((answer) => answer.round === round.round),
      })
    : [];
  const bytes = (snapshot: Snapshot | null) => (snapshot?.status === 'found' ? snapshot.vector.byteLength : 0);
  const updateBytes = updates.reduce((sum, update) => sum + (update.status === 'holds' ? update.bytes : 0), 0);
  const evidenceBytes = 'bytes' in read ? read.bytes : 0;
  return {
    findings,
    notes,
    rows,
    evidence,
    replay,
    disputes,
    payloadBytes: updateBytes + evidenceBytes + bytes(model) + bytes(state),
  };
}

async function noCid(): Promise<Snapshot> {
  return { status: 'invalid', attempts: ['the CID on the chain is none'] };
}

/** The server state that the round left, as the evidence names it. */
async function stateSnapshot(
  { snapshots }: AuditContext,
  evidence: Evidence | null,
  owner: string,
): Promise<Snapshot | null> {
  const cid = evidence?.stateCid ?? null;
  if (cid === null || !/^baf[ky][a-z2-7]{55}$/.test(cid)) return null;
  return snapshots.read(cid, owner);
}

type Start =
  | { readonly base: Int32Array; readonly velocity: Int32Array | null; readonly fromReplay: boolean }
  | { readonly reason: string };

/**
 * The model and the server state that the round starts from: what was PUBLISHED before it, right or wrong, so that one
 * lie does not make every later round wrong. Where those bytes cannot be had, the replay of that round serves if its
 * roots are the published ones.
 */
async function startOfRound(context: AuditContext, round: RoundFacts): Promise<Start> {
  const { facts, snapshots } = context;
  const parent = round.parent;
  const before = parent?.published ?? null;
  const cid = cidTextOrNull(before?.publication.modelCid ?? facts.parameters.genesisModelCid);
  const model = cid === null ? await noCid() : await snapshots.read(cid, before?.aggregator ?? null);
  let base = model.status === 'found' && model.root === round.baseModelRoot ? model.vector : null;
  let velocity: Int32Array | null = null;
  let velocityMissing = false;
  if (before !== null && hasServerState(facts.parameters.serverStep)) {
    const read = await context.evidence.read(before);
    const evidence = read.status === 'found' ? read.document : null;
    const state = await stateSnapshot(context, evidence, before.aggregator);
    if (state?.status === 'found' && state.root === before.publication.stateRoot) velocity = state.vector;
    else velocityMissing = true;
  }
  let fromReplay = false;
  if (parent !== null && (base === null || velocityMissing)) {
    const replay = await context.replayOf(parent);
    if (base === null && replay?.roots.modelRoot === round.baseModelRoot) {
      base = replay.model;
      fromReplay = true;
    }
    if (velocityMissing && replay?.roots.stateRoot === before?.publication.stateRoot) {
      velocity = replay?.velocity ?? null;
      velocityMissing = velocity === null;
      fromReplay = true;
    }
  }
  const source = parent === null ? 'the genesis model' : `the model of round ${parent.round}`;
  if (base === null) {
    return { reason: `Not computed anew: ${source} has no bytes with the root ${round.baseModelRoot}.` };
  }
  if (velocityMissing) {
    return { reason: `Not computed anew: the server state of round ${parent?.round} has no bytes with its root.` };
  }
  return { base, velocity, fromReplay };
}

type HeldUpdate = Extract<AuditedUpdate, { readonly status: 'holds' }>;

/** Every submission that is not void counts: the contract's set, which the publication names. Nobody chooses. */
function holdsOf(updates: readonly AuditedUpdate[]): readonly HeldUpdate[] | null {
  const held = updates.filter((update): update is HeldUpdate => update.status === 'holds');
  return held.length === updates.length ? held : null;
}

function replayInput(
  { facts }: AuditContext,
  round: RoundFacts,
  rows: readonly HeldUpdate[],
  { base, velocity }: Extract<Start, { readonly base: Int32Array }>,
): ReplayInput {
  const context = { indices: rows.map(({ submission }) => submission.index), seed: round.state?.seed ?? ZERO_HASH };
  return { parameters: facts.parameters, context, rows: rows.map(({ row }) => row), base, velocity };
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
