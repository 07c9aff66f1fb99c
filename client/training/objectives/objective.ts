import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import type { NamedTensors } from '../../models/model.ts';
import type { Score } from '../../models/ops.ts';
import type { Random } from '../../random.ts';

/** A minibatch as tensors, in the order in which its objective's `loss` wants them. */
export interface Batch {
  readonly inputs: readonly Tensor[];
  /** What the mean of the loss is over: samples, tokens or images. */
  readonly count: number;
}

/** What is minimised on a data set: how batches are taken from it, and the loss of one. */
export interface Objective {
  /** Items that a pass goes over: samples, images, windows of text. */
  readonly size: number;
  /** Items per step of an evaluation: enough to keep the kernels busy, few enough to stay in memory. */
  readonly evaluationBatch: number;
  /** The items of one pass of training. */
  shuffled(random: Random): Uint32Array;
  /** All items in order, for evaluation. */
  ordered(): Uint32Array;
  /** @param random for what an objective draws for itself */
  take(items: Uint32Array, random: Random): Batch;
  /** Mean loss of a batch, in nats. Adds its hits to `score`. */
  loss(weights: NamedTensors, batch: Batch, score: Score): Scalar;
}
