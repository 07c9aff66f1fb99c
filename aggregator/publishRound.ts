/** From a round's collected updates to its publication on the chain. */
import type { RoundView } from '../chain/convert.ts';
import type { Sent } from '../chain/transaction.ts';
import { hasServerState } from '../protocol/aggregation/serverStep.ts';
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
import { verifyModel } from '../protocol/round/verifyModel.ts';
import { type AggregatedRound, aggregateRound, type Metrics } from './aggregateRound.ts';
import type { AggregatorContext } from './context.ts';
import type { Row } from './disputeUpdates.ts';

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
  const { federation, evaluate, sabotage } = context;
  const { store } = context.payloads;
  const { parameters } = federation;
  const input = {
    rows: rows.map(({ cid }) => cid),
    ...(await fetchBase(context, view)),
  };
  const aggregated = await aggregateRound(parameters, store, input);
  let { roots, modelCid } = aggregated;
  const layout = layoutOf(parameters);
  if (sabotage !== undefined) {
    const model = decodeModel(await store.readAll(modelCid), layout).slice();
    sabotage(view.number, model);
    modelCid = (await store.put(encodeModel(model, layout))).cid;
    roots = { ...roots, modelRoot: commitModel(model, layout) };
  }
  const measured = (await evaluate?.(decodeModel(await store.readAll(modelCid), layout))) ?? null;
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
): Promise<{ model: string; velocity: string | null }> {
  const { federation, payloads } = context;
  const { store } = payloads;
  const layout = layoutOf(federation.parameters);
  const base = await federation.locateModel(view.baseModelRoot, view.number);
  const owner = base.publisher === null ? {} : { owner: base.publisher };
  const wish = { expectedBytes: modelPayloadLength(layout), ...owner };
  await payloads.fetch(base.cid, wish);
  verifyModel(await store.readAll(base.cid), layout, view.baseModelRoot);
  if (!hasServerState(federation.parameters.serverStep) || base.evidenceCid === null || base.stateRoot === null) {
    return { model: base.cid, velocity: null };
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
  await payloads.fetch(stateCid, wish);
  verifyModel(await store.readAll(stateCid), layout, base.stateRoot);
  return { model: base.cid, velocity: stateCid };
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
  { roots, stateCid, gramCid, computation, trimmed }: AggregatedRound,
  metrics: Metrics | null,
): Evidence {
  const { needsGramPass } = computation;
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
    gram: needsGramPass ? Array.from(computation.gram().values, String) : null,
    mixing: needsGramPass ? { ...computation.mixing(), weights: [...computation.mixing().weights] } : null,
    metrics,
  };
}
