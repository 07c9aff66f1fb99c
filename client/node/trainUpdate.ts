/** From the round's base model to a stored update, ready to be committed. */
import { randomBytes } from 'node:crypto';
import type { RoundView } from '../../chain/convert.ts';
import type { Federation } from '../../chain/federation.ts';
import { commitUpdate, type UpdateCommitment } from '../../protocol/commitment/merkleSum.ts';
import { toHex } from '../../protocol/encoding/bytes.ts';
import { fixedToFloat } from '../../protocol/encoding/fixedPoint.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import type { Manifest } from '../../protocol/encoding/manifest.ts';
import { encodeUpdate, modelPayloadLength } from '../../protocol/encoding/vectors.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { verifyModel } from '../../protocol/round/verifyModel.ts';
import type { PayloadAccess } from '../../storage/payloadAccess.ts';
import type { StateFolder } from '../../storage/stateFolder.ts';
import type { Attack } from '../attacks/attack.ts';
import type { SeedPart } from '../random.ts';
import type { Trainer } from '../training/trainer.ts';
import { prepareUpdate } from '../update/prepareUpdate.ts';
import type { ClientKernels } from './clientKernels.ts';
import type { ParticipantEvent } from './events.ts';
import {
  nextResidual,
  readResidual,
  readSubmission,
  type SubmissionState,
  writeResidual,
  writeSubmission,
} from './submissionState.ts';

/** An update in the payload store, and the commitment to it. */
export interface StoredUpdate extends UpdateCommitment {
  readonly cid: string;
  readonly bytes: number;
}

export interface TrainContext {
  readonly federation: Federation;
  readonly manifest: Manifest;
  readonly state: StateFolder;
  readonly payloads: PayloadAccess;
  readonly trainer: Trainer;
  readonly seed: SeedPart;
  readonly attack?: Attack;
  /** Null, the default: plain TypeScript, the reference. */
  readonly kernels?: ClientKernels | null;
  readonly report: (event: ParticipantEvent) => void;
}

/**
 * The model the round starts from, fetched and checked against the chain before anything is trained on it. Shape [d].
 */
export async function fetchBaseModel(context: TrainContext, view: RoundView): Promise<Int32Array> {
  const { federation, payloads, kernels, report } = context;
  const layout = layoutOf(federation.parameters);
  const { cid, publisher } = await federation.locateModel(view.baseModelRoot, view.number);
  await payloads.fetch(cid, {
    expectedBytes: modelPayloadLength(layout),
    ...(publisher === null ? {} : { owner: publisher }),
  });
  const model = verifyModel(await payloads.store.readAll(cid), layout, view.baseModelRoot, kernels?.hasher);
  report({ type: 'modelFetched', round: view.number, modelRoot: view.baseModelRoot, cid });
  return model;
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
  const { modelFractionBits, updateFractionBits, normSqBound } = federation.parameters;
  const layout = layoutOf(federation.parameters);
  const round = view.number;
  const toFloat = (model: Int32Array) =>
    kernels?.quantize.fixedToFloat(model, modelFractionBits) ?? fixedToFloat(model, modelFractionBits);
  const weights = toFloat(base);
  const trained = await trainer.train({
    weights,
    round,
    seed,
    onProgress: ({ epoch, epochs, loss }) => report({ type: 'training', round, epoch, epochs, loss }),
  });
  const residualBefore = nextResidual(await readSubmission(state), round);
  const prepared = prepareUpdate({
    trained: trained.weights,
    base: weights,
    tensors: manifest.tensors,
    error: residualBefore === null ? null : await readResidual(state, residualBefore, layout.dimension),
    normSqBound,
    updateFractionBits,
    round,
    seed,
    previousBase: previousBase === null ? null : toFloat(previousBase),
    kernel: kernels?.quantize ?? null,
    ...(attack === undefined ? {} : { attack }),
  });
  const { samples, loss, accuracy, seconds } = trained;
  const { norm, clipFactor, saturated } = prepared;
  report({ type: 'trained', round, samples, loss, accuracy, seconds, norm, clipFactor, saturated });

  const { root, normSq, cid, bytes } = copied ?? (await storeUpdate(context, prepared.quantized, layout));
  const residualAfter = `residual-${round}-${view.opening}.f32`;
  await writeResidual(state, residualAfter, prepared.error);
  const submission: SubmissionState = {
    round,
    opening: view.opening,
    baseModelRoot: view.baseModelRoot,
    root,
    normSq,
    cid,
    salt: toHex(randomBytes(32)),
    residualBefore,
    residualAfter,
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
