/** From the round's base model to a stored update, ready to be committed. */
import { randomBytes } from 'node:crypto';
import type { RoundView } from '../../chain/convert.ts';
import { Q16 } from '../../protocol/aggregation/serverStep.ts';
import { commitUpdate, type UpdateCommitment } from '../../protocol/commitment/merkleSum.ts';
import { type Hex, toHex } from '../../protocol/encoding/bytes.ts';
import { fixedToFloat } from '../../protocol/encoding/fixedPoint.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import { encodeUpdate, modelPayloadLength } from '../../protocol/encoding/vectors.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { verifyModel } from '../../protocol/round/verifyModel.ts';
import { prepareUpdate } from '../update/prepareUpdate.ts';
import { isEmpty, readMemory, writeMemory } from './keptMemory.ts';
import { makePersonalModel } from './personalModel.ts';
import {
  nextKept,
  readResidual,
  readSubmission,
  type SubmissionState,
  writeResidual,
  writeSubmission,
} from './submissionState.ts';
import type { TrainContext } from './trainContext.ts';

/** An update in the payload store, and the commitment to it. */
export interface StoredUpdate extends UpdateCommitment {
  readonly cid: string;
  readonly bytes: number;
}

/**
 * The model the round starts from, fetched and checked against the chain before anything is trained on it. Shape [d].
 */
export async function fetchBaseModel(context: TrainContext, view: RoundView): Promise<Int32Array> {
  const { cid, model } = await fetchModel(context, view.baseModelRoot, view.number);
  context.report({ type: 'modelFetched', round: view.number, modelRoot: view.baseModelRoot, cid });
  return model;
}

/** The model that the round before started from, for algorithms that read the federation's own step; null in round 1. */
export async function fetchPreviousBase(context: TrainContext, view: RoundView): Promise<Int32Array | null> {
  if (view.number === 1) return null;
  const before = await context.federation.round(view.number - 1);
  return (await fetchModel(context, before.baseModelRoot, before.number)).model;
}

/**
 * A model of the federation's history, checked against its root.
 * @param before only publications of rounds below this one
 */
export async function fetchModel(
  { federation, payloads, kernels }: Pick<TrainContext, 'federation' | 'payloads' | 'kernels'>,
  root: Hex,
  before?: number,
): Promise<{ readonly cid: string; readonly model: Int32Array }> {
  const layout = layoutOf(federation.parameters);
  const { cid, publisher } = await federation.locateModel(root, before);
  await payloads.fetch(cid, {
    expectedBytes: modelPayloadLength(layout),
    ...(publisher === null ? {} : { owner: publisher }),
  });
  return { cid, model: verifyModel(await payloads.store.readAll(cid), layout, root, kernels?.hasher) };
}

/**
 * Trains, clips, quantises with error feedback, encodes, stores; the salt and the payload are on the disk when it
 * returns.
 * @param previousBase the base of the round before, for attacks that read the federation's own steps
 * @param copied a copycat's loot: committed to instead of what was trained
 * @throws AssayError `WEIGHTS_NOT_FINITE`, `TRAINER_FAILED`, `DISK_FULL`.
 */
export async function trainUpdate(
  context: TrainContext,
  view: RoundView,
  base: Int32Array,
  previousBase: Int32Array | null,
  copied: StoredUpdate | null = null,
): Promise<SubmissionState> {
  const { federation, manifest, state, trainer, seed, attack, kernels, report } = context;
  const { modelFractionBits, updateFractionBits, normSqBound, serverStep } = federation.parameters;
  const layout = layoutOf(federation.parameters);
  const round = view.number;
  const toFloat = (model: Int32Array) =>
    kernels?.quantize.fixedToFloat(model, modelFractionBits) ?? fixedToFloat(model, modelFractionBits);
  const weights = toFloat(base);
  const kept = nextKept(await readSubmission(state), round);
  const readsStep = manifest.training.algorithm?.kind === 'scaffold';
  const memory = kept.memory === null ? null : await readMemory(state, kept.memory);
  const before = readsStep ? await fetchPreviousBase(context, view) : null;
  const trained = await trainer.train({
    weights,
    previousWeights: before === null ? null : toFloat(before),
    serverLearningRate: serverStep.learningRateQ16 / Q16,
    memory,
    round,
    seed,
    ...(context.localSteps === undefined ? {} : { localSteps: context.localSteps }),
    onProgress: ({ epoch, epochs, loss }) => report({ type: 'training', round, epoch, epochs, loss }),
  });
  const prepared = prepareUpdate({
    trained: trained.weights,
    base: weights,
    tensors: manifest.tensors,
    error: kept.residual === null ? null : await readResidual(state, kept.residual, layout.dimension),
    normSqBound,
    updateFractionBits,
    round,
    seed,
    previousBase: previousBase === null ? null : toFloat(previousBase),
    kernel: kernels?.quantize ?? null,
    ...(attack === undefined ? {} : { attack }),
  });
  const { samples, steps, loss, accuracy, seconds } = trained;
  const perplexity = manifest.task === 'language-model' ? Math.exp(loss) : null;
  const { norm, clipFactor, saturated } = prepared;
  const facts = { samples, steps, loss, accuracy, perplexity, seconds, norm, clipFactor, saturated };
  report({ type: 'trained', round, ...facts });

  const { root, normSq, cid, bytes } = copied ?? (await storeUpdate(context, prepared.quantized, layout));
  const residualAfter = `residual-${round}-${view.opening}.f32`;
  await writeResidual(state, residualAfter, prepared.error);
  const personal = await makePersonalModel(context, round, weights, { ...memory, ...trained.memory });
  const keeps = { ...trained.memory, ...personal };
  const memoryAfter = isEmpty(keeps) ? null : `memory-${round}-${view.opening}.safetensors`;
  if (memoryAfter !== null) await writeMemory(state, memoryAfter, keeps);
  const submission: SubmissionState = {
    round,
    opening: view.opening,
    baseModelRoot: view.baseModelRoot,
    root,
    normSq,
    cid,
    salt: toHex(randomBytes(32)),
    residualBefore: kept.residual,
    residualAfter,
    memoryBefore: kept.memory,
    memoryAfter,
    stage: 'stored',
  };
  await writeSubmission(state, submission);
  report({ type: 'stored', round, cid, bytes, root, normSq });
  return submission;
}

async function storeUpdate(
  { payloads, kernels }: TrainContext,
  quantized: Int16Array,
  layout: VectorLayout,
): Promise<StoredUpdate> {
  const payload = encodeUpdate(quantized, layout);
  return { ...commitUpdate(payload, layout, kernels?.hasher), ...(await payloads.store.put(payload)) };
}
