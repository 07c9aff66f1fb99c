import type * as tfjs from '@tensorflow/tfjs-core';
import type { TensorSpec } from '../../protocol/encoding/manifest.ts';
import type { Random } from '../random.ts';

/**
 * What the manifest says about a model: its `kind` names the file that builds it, the rest are that file's own
 * settings.
 */
export interface ModelSpec {
  readonly kind: string;
  readonly [setting: string]: unknown;
}

/**
 * The part of TF.js a model may use. Passed in, so that a model file loads no engine and the engine decides which
 * kernels run.
 */
export type TensorFlow = typeof tfjs;

/** The model's tensors by name, as the engine hands them to `logits`. */
export type NamedTensors = Readonly<Record<string, tfjs.Tensor>>;

/**
 * A model is one small object: which tensors it has, how each starts, and how a batch becomes logits.
 * `models/registry.ts` lists them by `kind`; `mlp.ts` is the one to copy when writing another.
 */
export interface Model {
  readonly spec: ModelSpec;
  /** Numbers per sample the model takes. */
  readonly inputs: number;
  /** Classes it tells apart. */
  readonly classes: number;
  /** Trainable tensors, sorted bytewise by name: the order of the flat weight vector. */
  readonly tensors: readonly TensorSpec[];
  /** Number of coordinates d: the sum of the tensors' sizes. */
  readonly dimension: number;
  /** Fills `values` (row-major, the tensor's size) with initial weights. */
  initialise(tensor: TensorSpec, values: Float32Array, random: Random): void;
  /** Logits `[batch, classes]` for samples `[batch, inputs]`. */
  logits(tf: TensorFlow, weights: NamedTensors, samples: tfjs.Tensor2D): tfjs.Tensor2D;
}
