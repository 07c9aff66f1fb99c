import type * as tfjs from '@tensorflow/tfjs-core';
import type { TensorSpec } from '../../protocol/encoding/manifest.ts';
import type { Random } from '../random.ts';
import type { Ops } from './ops.ts';

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

/** The model's tensors by name, as the engine hands them to the model: all of `tensors`, and of `frozen` where it has some. */
export type NamedTensors = Readonly<Record<string, tfjs.Tensor>>;

/** What a model computes with: TF.js for plain operations, `ops` for those that have fused kernels. */
export interface Compute {
  readonly tf: TensorFlow;
  readonly ops: Ops;
}

/** What models of every task have. */
export interface ModelBase {
  readonly spec: ModelSpec;
  /** Trainable tensors, sorted bytewise by name: the order of the flat weight vector. */
  readonly tensors: readonly TensorSpec[];
  /** Number of coordinates d: the sum of the tensors' sizes. */
  readonly dimension: number;
  /** Public tensors that are read and never trained, sorted bytewise by name: the base of an adapter model. */
  readonly frozen?: readonly TensorSpec[];
  /** Names of the tensors of the last layer: what stays at home when a participant keeps its own head. */
  readonly head: readonly string[];
  /** Fills `values` (row-major, the tensor's size, zeros at first) with initial weights. */
  initialise(tensor: TensorSpec, values: Float32Array, random: Random): void;
}

/** Tells which of some classes a sample belongs to. */
export interface Classifier extends ModelBase {
  readonly task: 'classification';
  /** Numbers per sample. */
  readonly inputs: number;
  readonly classes: number;
  /** Logits `[b, classes]` for samples `[b, inputs]`. */
  logits(compute: Compute, weights: NamedTensors, samples: tfjs.Tensor2D): tfjs.Tensor2D;
}

/** Tells, at every position of a text, which token comes next. */
export interface LanguageModel extends ModelBase {
  readonly task: 'language-model';
  /** Number of tokens there are. */
  readonly vocabulary: number;
  /** Most tokens it looks back on, the last one included. */
  readonly context: number;
  /**
   * Logits `[b, t, vocabulary]` of the token after each position, for tokens int32 `[b, t]`, t <= context. A position's
   * logits depend on no later token.
   */
  logits(compute: Compute, weights: NamedTensors, tokens: tfjs.Tensor2D): tfjs.Tensor3D;
}

/** A conditional variational autoencoder: turns images into points of a latent space, and points of it into images. */
export interface ImageGenerator extends ModelBase {
  readonly task: 'image-generation';
  /** Pixels per image. */
  readonly inputs: number;
  readonly classes: number;
  /** L: coordinates of a point in latent space. */
  readonly latent: number;
  /** The posterior's mean and log variance, each `[b, L]`, for samples `[b, inputs]` and one-hot labels `[b, classes]`. */
  encode(
    compute: Compute,
    weights: NamedTensors,
    samples: tfjs.Tensor2D,
    labels: tfjs.Tensor2D,
  ): { readonly mean: tfjs.Tensor2D; readonly logVariance: tfjs.Tensor2D };
  /** Logits of the pixels `[b, inputs]`, for latent points `[b, L]` and one-hot labels `[b, classes]`. */
  decode(compute: Compute, weights: NamedTensors, latent: tfjs.Tensor2D, labels: tfjs.Tensor2D): tfjs.Tensor2D;
}

/**
 * A model is one small object: which tensors it has, how each starts, and how a batch becomes logits.
 * `models/registry.ts` lists them by `kind`; `mlp.ts` is the one to copy when writing another.
 */
export type Model = Classifier | LanguageModel | ImageGenerator;
