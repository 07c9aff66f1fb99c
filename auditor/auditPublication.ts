/** What was published for a round, against what its updates lead to. */
import { minimumUpdates } from '../protocol/aggregation/rule.ts';
import { hasServerState } from '../protocol/aggregation/serverStep.ts';
import type { Finding } from '../protocol/dispute/finding.ts';
import { ZERO_HASH } from '../protocol/encoding/bytes.ts';
import type { Evidence } from '../protocol/round/evidence.ts';
import type { Submission } from '../protocol/round/submission.ts';
import type { AuditContext } from './auditContext.ts';
import type { PublishedModel, RoundFacts } from './chain/assembleRounds.ts';
import type { Dispute } from './disputes/dispute.ts';
import { disputedRound, revealsOf } from './disputes/disputedRound.ts';
import { findDisputes } from './disputes/findDisputes.ts';
import type { Material } from './disputes/material.ts';
import { cidTextOrNull } from './payloads/cidText.ts';
import type { Holdings } from './payloads/holdings.ts';
import type { Snapshot } from './payloads/snapshots.ts';
import { evidenceAgrees, evidenceIsThere } from './questions/evidenceQuestions.ts';
import { modelPayloadHolds, publishedNumbersHold } from './questions/publishedNumbers.ts';
import { rewardHolds } from './questions/rewardQuestions.ts';
import {
  type AuditedUpdate,
  type FailedUpdate,
  type FetchedUpdate,
  fetchUpdates,
  judgeUpdates,
} from './questions/updateQuestions.ts';
import { payloadsOf, type Replay, type ReplayInput, replayRound } from './replay/replayRound.ts';
import { spotCheck } from './replay/spotCheck.ts';
import { type Start, startOfRound, stateSnapshot } from './replay/startOfRound.ts';

export interface PublicationAudit {
  readonly findings: readonly Finding[];
  readonly notes: string[];
  /** The updates that count. */
  readonly rows: readonly Submission[];
  readonly evidence: Evidence | null;
  /** Its numbers; what it wrote is released. Null when the round could not be computed anew. */
  readonly replay: Replay | null;
  /** The replay once more, with what it wrote, where that has to stand in for what was published. */
  readonly successor: Replay | null;
  readonly disputes: readonly Dispute[];
  readonly payloadBytes: number;
}

/** All that is read and computed is `holdings`'s, but for the model and the state of the `successor`. */
export async function auditPublication(
  context: AuditContext,
  round: RoundFacts,
  published: PublishedModel,
  holdings: Holdings,
): Promise<PublicationAudit> {
  const { facts, snapshots } = context;
  const { parameters } = facts;
  const modelCid = cidTextOrNull(published.publication.modelCid);
  const [fetched, read, model] = await Promise.all([
    fetchUpdates(context, round, holdings),
    context.evidence.read(published),
    modelCid === null ? noCid() : snapshots.read(modelCid, published.aggregator, holdings),
  ]);
  const evidence = read.status === 'found' ? read.document : null;
  const stateful = hasServerState(parameters.serverStep);
  const [start, state] = await Promise.all([
    startOfRound(context, round, holdings),
    stateful ? stateSnapshot(context, evidence, published.aggregator, holdings) : null,
  ]);
  const rows = fetched.map(({ submission }) => submission);
  const defined = rows.length >= minimumUpdates(parameters.rule);
  const { updates, computed } = await computeRound(context, round, fetched, defined ? start : null, holdings);

  const notes: string[] = [];
  const findings: Finding[] = [
    ...updates.flatMap((update) => (update.status === 'holds' ? [] : [update.finding])),
    ...evidenceIsThere(round, published, read),
  ];
  const replay = computed?.replay ?? null;
  if ('reason' in start) notes.push(start.reason);
  else if (updates.some(({ status }) => status !== 'holds')) {
    const missing = updates.flatMap(({ status, submission }) => (status === 'holds' ? [] : [submission.index]));
    notes.push(`Not computed anew: the payloads of participants ${missing.join(', ')} are needed and missing.`);
  } else if (!defined) {
    notes.push(`Not computed anew: the rule is not defined for the ${rows.length} updates that count.`);
  }
  if (computed !== null) {
    const whole = { context, round, published, model, state, evidence, rows, ...computed };
    findings.push(...(await publishedNumbersHold(whole, holdings)));
  }
  findings.push(...rewardHolds(facts, round, rows, replay));
  findings.push(...(await modelPayloadHolds(context, round, published, model, replay)));
  if (evidence !== null) {
    const kinds = new Set(findings.map(({ kind }) => kind));
    findings.push(...evidenceAgrees(context, round, published, evidence, rows, replay, state, kinds));
  }
  if ('fromReplay' in start && start.fromReplay) {
    notes.push(`Computed from the replayed model of round ${round.parent?.round}: its published bytes cannot be used.`);
  }
  if (!parameters.enforced && findings.some(({ role }) => role === 'aggregator')) {
    notes.push('Audit only: the contract of this federation judges no proof of what its rule makes of the updates.');
  }
  const disputes = context.wantsDisputes
    ? await findDisputes({
        ...{ context, round, published, updates, model, state, evidence, computed },
        disputed: disputedRound(facts, round),
        reveals: revealsOf(round),
        answers: context.answers.filter((answer) => answer.round === round.round),
      })
    : [];
  const { modelRoot, stateRoot } = published.publication;
  const usable = hasRoot(model, modelRoot) && (!stateful || hasRoot(state, stateRoot));
  const successor = usable ? null : replay;
  if (successor !== null) holdings.pass(payloadsOf(successor));
  const bytes = (snapshot: Snapshot | null) => (snapshot?.status === 'found' ? snapshot.payload.length : 0);
  const updateBytes = updates.reduce((sum, each) => sum + (each.status === 'holds' ? each.payload.length : 0), 0);
  const evidenceBytes = 'bytes' in read ? read.bytes : 0;
  return {
    ...{ findings, notes, rows, evidence, replay, successor, disputes },
    payloadBytes: updateBytes + evidenceBytes + bytes(model) + bytes(state),
  };
}

async function noCid(): Promise<Snapshot> {
  return { status: 'invalid', attempts: ['the CID on the chain is none'] };
}

function hasRoot(snapshot: Snapshot | null, root: string): boolean {
  return snapshot?.status === 'found' && snapshot.root === root;
}

/**
 * The round from the updates, which are committed to in the same pass over their bytes; and once more where some of the
 * bytes turn out to be others than were revealed and answers on the chain make up for them. Every submission that is
 * not void counts: the contract's set, which the publication names. Nobody chooses.
 */
async function computeRound(
  context: AuditContext,
  round: RoundFacts,
  fetched: readonly (FetchedUpdate | FailedUpdate)[],
  start: Start | { readonly reason: string } | null,
  holdings: Holdings,
): Promise<{ readonly updates: AuditedUpdate[]; readonly computed: Material['computed'] }> {
  const compute = async (
    updates: readonly (FetchedUpdate | AuditedUpdate)[],
    commitUpdates: boolean,
  ): Promise<Material['computed']> => {
    const rows = updates.flatMap(({ status, payload }) =>
      (status === 'holds' || status === 'fetched') && payload !== null ? [payload] : [],
    );
    if (start === null || 'reason' in start || rows.length < updates.length) return null;
    const input = replayInput(context, round, updates, rows, start);
    const replay = await replayRound(context.replayer, input, { commitUpdates });
    for (const payload of payloadsOf(replay)) holdings.hold(payload);
    return { input, replay };
  };
  let computed = await compute(fetched, true);
  const updates = await judgeUpdates(context, round, fetched, computed?.replay.updates);
  if (updates.some(({ payload }, i) => payload !== fetched[i]!.payload || payload === null)) computed = null;
  computed = updates.every(({ status }) => status === 'holds') ? (computed ?? (await compute(updates, false))) : null;
  if (computed !== null) await spotCheck(computed.input, computed.replay, context.replayer.engine);
  return { updates, computed };
}

function replayInput(
  { facts }: AuditContext,
  round: RoundFacts,
  updates: readonly { readonly submission: Submission }[],
  rows: ReplayInput['rows'],
  { base, state, previousModel }: Start,
): ReplayInput {
  const indices = updates.map(({ submission }) => submission.index);
  const context = { indices, seed: round.state?.seed ?? ZERO_HASH };
  return { parameters: facts.parameters, context, rows, base, state, previousModel };
}
