import type { Manifest } from '../../protocol/encoding/manifest.ts';
import type { Personalisation } from '../personalisation/settings.ts';
import type { SeedPart } from '../random.ts';

/** The part of the federation's manifest that training reads. */
export type TrainingManifest = Pick<Manifest, 'task' | 'model' | 'tensors' | 'training' | 'data' | 'engine'>;

/** After each pass over the local data, and at the end of the last one. */
export interface TrainProgress {
  /** 1-based pass over the local data. */
  readonly epoch: number;
  readonly epochs: number;
  /** Mean loss of the pass, in nats: per sample, per token or per image. */
  readonly loss: number;
  /** Share of right classes, next tokens or pixels (threshold 1/2), 0..1. */
  readonly accuracy: number;
}

/**
 * What a participant keeps from round to round beside its rounding error, by name: a control variate, the head of its
 * model, a personal model. Never sent. A node replaces it together with its rounding error, so that a round that did
 * not count leaves no trace.
 */
export type LocalMemory = Readonly<Record<string, Float32Array>>;

export interface TrainTask {
  /** The model the round starts from, `[d]`, manifest order. Not modified. */
  readonly weights: Float32Array;
  /** The model that the round before started from, `[d]`; null or absent in the first round. */
  readonly previousWeights?: Float32Array | null;
  /** eta_g: the server's learning rate that led from the one to the other. Default 1. */
  readonly serverLearningRate?: number;
  /** As the last round that counted returned it; null or absent before. Not modified. */
  readonly memory?: LocalMemory | null;
  readonly round: number | bigint;
  /** The same seed, round, weights, memory and data give the same bits. */
  readonly seed: SeedPart;
  /** This device's own number of minibatches instead of the manifest's, where the algorithm allows it. */
  readonly localSteps?: number;
  readonly onProgress?: (progress: TrainProgress) => void;
}

export interface TrainResult {
  /**
   * Trained weights, `[d]`, manifest order. May hold NaN: `checkFinite` decides, so that the message can name the
   * tensor.
   */
  readonly weights: Float32Array;
  /** To be handed to the next round's task; empty when the algorithm keeps nothing. */
  readonly memory: LocalMemory;
  /** Local samples (windows, of text) trained on. */
  readonly samples: number;
  /** Minibatches trained on. */
  readonly steps: number;
  /** Of the last pass over the local data: see `TrainProgress`. */
  readonly loss: number;
  readonly accuracy: number;
  readonly seconds: number;
}

export interface Evaluation {
  /** Mean loss, in nats: per sample (cross-entropy), per token (cross-entropy) or per image (negative ELBO). */
  readonly loss: number;
  /** Share of right classes, next tokens or pixels (threshold 1/2), 0..1. */
  readonly accuracy: number;
  /** Samples, predicted tokens or images. */
  readonly samples: number;
}

/** How a participant's own model is made: `personalisation/personalise.ts`. */
export interface PersonaliseTask {
  readonly settings: Personalisation;
  /** The federation's model, `[d]`. */
  readonly weights: Float32Array;
  /** What the participant keeps; after a round: what that round's training returned. */
  readonly memory?: LocalMemory | null;
  readonly round: number | bigint;
  readonly seed: SeedPart;
}

export interface PersonalModel {
  /** All of the model's weights, head included, in the model's order. */
  readonly weights: Float32Array;
  /** To be kept for the next time, beside the memory that came. */
  readonly memory: LocalMemory;
}

export interface MeasuredPersonalModel extends PersonalModel {
  /** The federation's model and the personal one on the held-out data; null without any, or, of the first, without a head. */
  readonly before: Evaluation | null;
  readonly after: Evaluation | null;
}

/** What is measured: the federated weights, with the participant's own head where the manifest keeps it at home. */
export interface EvaluateTask {
  readonly weights: Float32Array;
  readonly memory?: LocalMemory | null;
}

/**
 * Whoever turns a global model into a locally trained one. Weights are Float32Arrays of d coordinates in manifest order
 * (tensor names sorted bytewise, row-major). One task at a time: calls queue.
 */
export interface Trainer {
  /** Engine and version, as the manifest names it. */
  readonly engine: string;
  /** d: coordinates of the weight vector. */
  readonly dimension: number;
  /** Initial weights for a seed. */
  init(seed: SeedPart): Promise<Float32Array>;
  /** One round of local training. @throws AssayError TRAINER_FAILED when the engine died. */
  train(task: TrainTask): Promise<TrainResult>;
  /** Loss and accuracy on the held-out samples. @throws AssayError NO_TEST_DATA without any. */
  evaluate(task: EvaluateTask): Promise<Evaluation>;
  /** The participant's own model. Not every engine can. @throws AssayError PERSONALISATION */
  personalise?(task: PersonaliseTask): Promise<MeasuredPersonalModel>;
  /** Frees the worker. Safe to call twice. */
  close(): Promise<void>;
}
