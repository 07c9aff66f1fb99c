/** From a round's collected updates to its publication on the chain. */
import type { RoundView } from '../chain/convert.ts';
import type { Sent } from '../chain/transaction.ts';
import { hasServerState, stateVectors } from '../protocol/aggregation/serverStep.ts';
import { commitModel } from '../protocol/commitment/merkle.ts';
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
import { statePayloadLength } from '../protocol/round/verifyModel.ts';
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

/**
 * Brings the base model, and the server state it was published with, into the store and checks both against the chain.
 */
async function fetchBase(
  context: AggregatorContext,
  view: RoundView,
): Promise<Pick<RoundInput, 'model' | 'state' | 'previousModel'>> {
  const { federation, payloads } = context;
  const { store } = payloads;
  const layout = layoutOf(federation.parameters);
  const base = await federation.locateModel(view.baseModelRoot, view.number);
  const owner = base.publisher === null ? {} : { owner: base.publisher };
  const wish = { expectedBytes: modelPayloadLength(layout), ...owner };
  await payloads.fetch(base.cid, wish);
  await verifyStoredModel(store, base.cid, layout, view.baseModelRoot);
  if (!hasServerState(federation.parameters.serverStep) || base.evidenceCid === null || base.stateRoot === null) {
    return { model: base.cid, state: null, previousModel: null };
  }
  await payloads.fetch(base.evidenceCid, { maxBytes: MAX_EVIDENCE_BYTES, ...owner });
  const { stateCid } = parseEvidence(await store.readAll(base.evidenceCid, { maxBytes: MAX_EVIDENCE_BYTES }));
  if (stateCid === null || !isCid(stateCid)) {
    throw new AssayError('STATE_MISSING', {
      summary: `the evidence of round ${base.round} does not say where its server state is stored`,
      expected: `a stateCid whose root is ${base.stateRoot}`,
      received: JSON.stringify(stateCid).slice(0, 100),
      fix: `audit round ${base.round} with \`assay audit\``,
    });
  }
  const { serverStep } = federation.parameters;
  await payloads.fetch(stateCid, { ...wish, expectedBytes: statePayloadLength(layout, serverStep) });
  await verifyStoredModel(store, stateCid, layout, base.stateRoot, stateVectors(serverStep));
  return { model: base.cid, state: stateCid, previousModel: null };
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
      trimmed: trimmed?.[row] ?? null,
    })),
    gram: gram === null ? null : Array.from(gram.values, String),
    mixing: mixing === null ? null : { ...mixing, weights: [...mixing.weights] },
    metrics,
  };
}
