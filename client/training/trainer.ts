import type { Manifest } from '../../protocol/encoding/manifest.ts';
import type { SeedPart } from '../random.ts';

/** The part of the federation's manifest that training reads. */
export type TrainingManifest = Pick<Manifest, 'model' | 'tensors' | 'training' | 'data' | 'engine'>;

/** After each local epoch. */
export interface TrainProgress {
  /** 1-based. */
  readonly epoch: number;
  readonly epochs: number;
  /** Mean cross-entropy of the epoch, in nats. */
  readonly loss: number;
  readonly accuracy: number;
}

export interface TrainTask {
  /** The model the round starts from, `[d]`, manifest order. Not modified. */
  readonly weights: Float32Array;
  readonly round: number | bigint;
  /** The same seed, round, weights and data give the same bits. */
  readonly seed: SeedPart;
  readonly onProgress?: (progress: TrainProgress) => void;
}

export interface TrainResult {
  /**
   * Trained weights, `[d]`, manifest order. May hold NaN: `checkFinite` decides, so that the message can name the
   * tensor.
   */
  readonly weights: Float32Array;
  /** Local samples trained on. */
  readonly samples: number;
  /** Of the last local epoch. */
  readonly loss: number;
  readonly accuracy: number;
  readonly seconds: number;
}

export interface Evaluation {
  /** Mean cross-entropy, in nats. */
  readonly loss: number;
  /** Share of samples classified rightly, 0..1. */
  readonly accuracy: number;
  readonly samples: number;
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
  evaluate(task: { readonly weights: Float32Array }): Promise<Evaluation>;
  /** Frees the worker. Safe to call twice. */
  close(): Promise<void>;
}
