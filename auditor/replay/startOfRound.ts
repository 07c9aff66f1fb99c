/**
 * What a round starts from: what was PUBLISHED before it, right or wrong, so that one lie does not make every later round
 * wrong. Where those bytes cannot be had, the replay of the round that published them serves if its root is the
 * published one.
 */
import { usesHistory } from '../../protocol/aggregation/rule.ts';
import { stateVectors } from '../../protocol/aggregation/serverStep.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import type { Evidence } from '../../protocol/round/evidence.ts';
import type { AuditContext } from '../auditContext.ts';
import type { RoundFacts } from '../chain/assembleRounds.ts';
import { cidTextOrNull, isCidText } from '../payloads/cidText.ts';
import type { Payload } from '../payloads/payload.ts';
import type { Snapshot } from '../payloads/snapshots.ts';
import type { Replay } from './replayRound.ts';

export interface Start {
  readonly base: Payload;
  /** Null stands for zeros, or for a step without state. */
  readonly state: Payload | null;
  /** Null where there is none, or the rule does not look at it. */
  readonly previousModel: Payload | null;
  readonly fromReplay: boolean;
}

/** `reader` is who holds the bytes. */
export async function startOfRound(
  context: AuditContext,
  round: RoundFacts,
  reader: object,
): Promise<Start | { readonly reason: string }> {
  const { rule, serverStep } = context.facts.parameters;
  const { parent } = round;
  const base = await modelBefore(context, parent, round.baseModelRoot, reader);
  if (base === null) return { reason: missing(parent, `model`, round.baseModelRoot) };
  let previous: Found | null = null;
  if (usesHistory(rule) && parent !== null) {
    previous = await modelBefore(context, parent.parent, parent.baseModelRoot, reader);
    if (previous === null) return { reason: missing(parent.parent, 'model', parent.baseModelRoot) };
  }
  let state: Found | null = null;
  const before = parent?.published ?? null;
  if (parent !== null && before !== null && stateVectors(serverStep) > 0) {
    const read = await context.evidence.read(before);
    const evidence = read.status === 'found' ? read.document : null;
    const snapshot = await stateSnapshot(context, evidence, before.aggregator, reader);
    const root = before.publication.stateRoot;
    state = found(snapshot, root) ?? replayed(await context.replayOf(parent), 'state', root);
    if (state === null) return { reason: missing(parent, 'server state', root) };
  }
  return {
    base: base.payload,
    state: state?.payload ?? null,
    previousModel: previous?.payload ?? null,
    fromReplay: [base, state, previous].some((each) => each?.fromReplay === true),
  };
}

/** The server state that a round left, as its evidence names it; null where that names none. */
export async function stateSnapshot(
  { snapshots, facts }: AuditContext,
  evidence: Evidence | null,
  owner: string,
  reader: object,
): Promise<Snapshot | null> {
  const planes = stateVectors(facts.parameters.serverStep);
  const cid = evidence?.stateCid ?? null;
  if (cid === null || !isCidText(cid) || planes === 0) return null;
  return snapshots.read(cid, owner, reader, planes);
}

interface Found {
  readonly payload: Payload;
  readonly fromReplay: boolean;
}

/** The model that `round` published; of no round, the genesis model. */
async function modelBefore(
  { facts, snapshots, replayOf }: AuditContext,
  round: RoundFacts | null,
  root: Hex,
  reader: object,
): Promise<Found | null> {
  const published = round?.published ?? null;
  const cid = cidTextOrNull(published?.publication.modelCid ?? facts.parameters.genesisModelCid);
  const snapshot = cid === null ? null : await snapshots.read(cid, published?.aggregator ?? null, reader);
  return found(snapshot, root) ?? (round === null ? null : replayed(await replayOf(round), 'model', root));
}

function found(snapshot: Snapshot | null, root: Hex): Found | null {
  if (snapshot?.status !== 'found' || snapshot.root !== root) return null;
  return { payload: snapshot.payload, fromReplay: false };
}

function replayed(replay: Replay | null, kind: 'model' | 'state', root: Hex): Found | null {
  const payload = replay?.[kind] ?? null;
  if (replay === null || payload === null || replay.roots[`${kind}Root`] !== root) return null;
  return { payload, fromReplay: true };
}

function missing(round: RoundFacts | null, what: string, root: Hex): string {
  const source = round === null ? 'the genesis model' : `the ${what} of round ${round.round}`;
  return `Not computed anew: ${source} has no bytes with the root ${root}.`;
}
