/** From a round's collected updates to its publication on the chain. */
import type { RoundView } from '../chain/convert.ts';
import type { Sent } from '../chain/transaction.ts';
import { usesHistory } from '../protocol/aggregation/rule.ts';
import { hasServerState, statePayloadLength, stateVectors } from '../protocol/aggregation/serverStep.ts';
import { trimmedByUpdate } from '../protocol/aggregation/trimming.ts';
import { commitModel } from '../protocol/commitment/merkle.ts';
import type { Hex } from '../protocol/encoding/bytes.ts';
import { cidFromBytes, cidToBytes, parseCid } from '../protocol/encoding/cid.ts';
import { decodeModel, encodeModel, modelPayloadLength } from '../protocol/encoding/vectors.ts';
import { AssayError } from '../protocol/errors.ts';
import {
  EVIDENCE_FORMAT,
  type Evidence,
  encodeEvidence,
  MAX_EVIDENCE_BYTES,
  parseEvidence,
} from '../protocol/round/evidence.ts';
import { layoutOf } from '../protocol/round/parameters.ts';
import { type Publication, submissionSet } from '../protocol/round/publication.ts';
import { type AggregatedRound, aggregateRound, type Metrics, type RoundInput } from './aggregateRound.ts';
import type { AggregatorContext } from './context.ts';
import type { Row } from './disputeUpdates.ts';
import { verifyStoredModel } from './storedVectors.ts';

export interface PreparedRound {
  readonly publication: Publication;
  readonly aggregated: AggregatedRound;
  readonly evidenceCid: string;
  readonly metrics: Metrics | null;
}

/** Aggregates, evaluates, stores model, state, Gram tree and evidence; nothing has been sent when it returns. */
export async function prepareRound(
  context: AggregatorContext,
  view: RoundView,
  rows: readonly Row[],
): Promise<PreparedRound> {
  const { engine, federation, evaluate, sabotage } = context;
  const { store } = context.payloads;
  const { parameters } = federation;
  const input = {
    rows: rows.map(({ cid }) => cid),
    indices: rows.map(({ submission }) => submission.index),
    seed: view.seed,
    ...(await fetchBase(context, view)),
  };
  const aggregated = await aggregateRound(engine, parameters, store, input);
  let { roots, modelCid } = aggregated;
  const layout = layoutOf(parameters);
  if (sabotage !== undefined) {
    const model = decodeModel(await store.readAll(modelCid), layout).slice();
    sabotage(view.number, model);
    modelCid = (await store.put(encodeModel(model, layout))).cid;
    roots = { ...roots, modelRoot: commitModel(model, layout) };
  }
  const measured = evaluate === undefined ? null : await evaluate(decodeModel(await store.readAll(modelCid), layout));
  // Attackers can drive weights to where the loss overflows; such a model is published like any other, without a claim.
  const metrics = measured !== null && [measured.accuracy, measured.loss].every(Number.isFinite) ? measured : null;
  const evidence = describeRound(context, view, rows, { ...aggregated, roots }, metrics);
  const { cid: evidenceCid } = await store.put(encodeEvidence(evidence));
  for (const cid of [modelCid, evidenceCid, aggregated.stateCid, aggregated.gramCid]) {
    if (cid !== null) await context.payloads.share(cid);
  }
  const publication = {
    ...roots,
    submissionSet: submissionSet(view.accumulator, view.voidedBitmap),
    modelCid: cidToBytes(modelCid),
    evidenceCid: cidToBytes(evidenceCid),
  };
  return { publication, aggregated: { ...aggregated, roots, modelCid }, evidenceCid, metrics };
}

export function sendPublication(context: AggregatorContext, view: RoundView, prepared: PreparedRound): Promise<Sent> {
  return context.federation.publishRound(context.signer, view.number, prepared.publication);
}

/** Brings what the round starts from into the store, each checked against the chain. */
async function fetchBase(
  context: AggregatorContext,
  view: RoundView,
): Promise<Pick<RoundInput, 'model' | 'state' | 'previousModel'>> {
  const { federation } = context;
  const { rule, serverStep } = federation.parameters;
  const base = await fetchModel(context, view.baseModelRoot, view.number);
  const state = hasServerState(serverStep) ? await fetchState(context, base) : null;
  if (!usesHistory(rule) || base.round === 0) return { model: base.cid, state, previousModel: null };
  const { baseModelRoot } = await federation.round(base.round);
  const previous = await fetchModel(context, baseModelRoot, base.round);
  return { model: base.cid, state, previousModel: previous.cid };
}

/** The model of that root, published before round `before`. */
async function fetchModel({ engine, federation, payloads }: AggregatorContext, root: Hex, before: number) {
  const layout = layoutOf(federation.parameters);
  const location = await federation.locateModel(root, before);
  const { cid, publisher } = location;
  await payloads.fetch(cid, { expectedBytes: modelPayloadLength(layout), ...ownerOf(publisher) });
  await verifyStoredModel(payloads.store, cid, layout, root, engine.hasher);
  return location;
}

/** The server state that a model was published with; null for the genesis model, whose state is zero. */
async function fetchState(
  { engine, federation, payloads }: AggregatorContext,
  { round, evidenceCid, stateRoot, publisher }: Awaited<ReturnType<typeof fetchModel>>,
): Promise<string | null> {
  if (evidenceCid === null || stateRoot === null) return null;
  const { store } = payloads;
  const { serverStep } = federation.parameters;
  const layout = layoutOf(federation.parameters);
  await payloads.fetch(evidenceCid, { maxBytes: MAX_EVIDENCE_BYTES, ...ownerOf(publisher) });
  const { stateCid } = parseEvidence(await store.readAll(evidenceCid, { maxBytes: MAX_EVIDENCE_BYTES }));
  if (stateCid === null || !isCid(stateCid)) {
    throw new AssayError('STATE_MISSING', {
      summary: `the evidence of round ${round} does not say where its server state is stored`,
      expected: `a stateCid whose root is ${stateRoot}`,
      received: JSON.stringify(stateCid).slice(0, 100),
      fix: `audit round ${round} with \`assay audit\``,
    });
  }
  await payloads.fetch(stateCid, { expectedBytes: statePayloadLength(layout, serverStep), ...ownerOf(publisher) });
  await verifyStoredModel(store, stateCid, layout, stateRoot, engine.hasher, stateVectors(serverStep));
  return stateCid;
}

function ownerOf(publisher: Hex | null): { readonly owner?: Hex } {
  return publisher === null ? {} : { owner: publisher };
}

/** Whether what another aggregator wrote is a CID at all. */
function isCid(text: string): boolean {
  try {
    return parseCid(text).text === text;
  } catch {
    return false;
  }
}

function describeRound(
  context: AggregatorContext,
  view: RoundView,
  rows: readonly Row[],
  { roots, stateCid, gramCid, gram, mixing, trimmed }: AggregatedRound,
  metrics: Metrics | null,
): Evidence {
  const counts = trimmedByUpdate(trimmed, context.federation.parameters.rule);
  return {
    format: EVIDENCE_FORMAT,
    chainId: context.federation.connection.chainId,
    federation: context.federation.address,
    round: view.number,
    baseModelRoot: view.baseModelRoot,
    ...roots,
    stateCid,
    gramCid,
    submissions: rows.map(({ submission: { index, participant, root, normSq, cid } }, row) => ({
      index,
      participant,
      root,
      normSq: normSq.toString(),
      cid: cidFromBytes(cid),
      trimmed: counts?.[row] ?? null,
    })),
    gram: gram === null ? null : Array.from(gram.values, String),
    mixing: mixing === null ? null : { ...mixing, weights: [...mixing.weights] },
    metrics,
  };
}
