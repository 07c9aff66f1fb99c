/**
 * Training as one writes it for TF.js: `variableGrads`, `tf.train.momentum`, batches as tensors. What stock TF.js is
 * measured with.
 */
import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Variable } from '@tensorflow/tfjs-core';
import type { Compute, Model, NamedTensors } from '../../client/models/model.ts';
import { tensorSlices } from '../../protocol/encoding/manifest.ts';
import { makeImages, makeTokens, windowsOf } from './data.ts';
import { BATCH, MOMENTUM, type TrainCase } from './plan.ts';

/** A training run that is measured step by step. */
export interface Training {
  /** The loss before each of so many steps over the first batch. */
  losses(steps: number): number[];
  /** So many steps over all batches, as often as it takes. */
  run(steps: number): void;
}

type LossOf = (rows: Uint32Array) => Scalar;

export function createPlainTraining(
  compute: Compute,
  model: Model,
  bench: TrainCase,
  start: Float32Array,
  batches: number,
): Training {
  const { tf } = compute;
  const weights: Record<string, Variable> = {};
  for (const { name, shape, offset, length } of tensorSlices(model.tensors)) {
    weights[name] = tf.variable(tf.tensor(start.slice(offset, offset + length), [...shape]), true);
  }
  const optimizer = tf.train.momentum(bench.learningRate, MOMENTUM);
  const lossOf = lossFunction(compute, model, weights, bench, batches);
  const step = (batch: number): number =>
    tf.tidy(() => {
      const rows = Uint32Array.from({ length: BATCH }, (_, i) => batch * BATCH + i);
      const { value, grads } = tf.variableGrads(() => lossOf(rows));
      optimizer.applyGradients(Object.entries(grads).map(([name, tensor]) => ({ name, tensor })));
      return value.dataSync()[0]!;
    });
  return {
    losses: (steps) => Array.from({ length: steps }, () => step(0)),
    run: (steps) => {
      for (let i = 0; i < steps; i++) step(i % batches);
    },
  };
}

function lossFunction(
  compute: Compute,
  model: Model,
  weights: NamedTensors,
  bench: TrainCase,
  batches: number,
): LossOf {
  const { tf, ops } = compute;
  if (model.task === 'language-model') {
    const { context, vocabulary } = model;
    const windows = windowsOf(makeTokens(bench, batches * BATCH), context);
    return (rows) => {
      const pick = (shift: number) =>
        Int32Array.from(
          { length: rows.length * context },
          (_, i) => windows[rows[Math.floor(i / context)]! * (context + 1) + (i % context) + shift]!,
        );
      const tokens = tf.tensor2d(pick(0), [rows.length, context], 'int32');
      const logits: Tensor3D = model.logits(compute, weights, tokens);
      const labels = tf.tensor1d(pick(1), 'int32');
      return ops.crossEntropy(tf.reshape(logits, [-1, vocabulary]) as Tensor2D, labels);
    };
  }
  const dataset = makeImages(bench, batches * BATCH);
  const samplesOf = (rows: Uint32Array): Tensor2D => {
    const { features, x, scale } = dataset;
    const values = new Float32Array(rows.length * features);
    for (let i = 0; i < values.length; i++) {
      values[i] = x[rows[Math.floor(i / features)]! * features + (i % features)]! * scale;
    }
    return tf.tensor2d(values, [rows.length, features]);
  };
  const labelsOf = (rows: Uint32Array): Tensor1D =>
    tf.tensor1d(
      Int32Array.from(rows, (row) => dataset.y[row]!),
      'int32',
    );
  if (model.task === 'classification') {
    return (rows) => ops.crossEntropy(model.logits(compute, weights, samplesOf(rows)), labelsOf(rows));
  }
  return (rows) => {
    const samples = samplesOf(rows);
    const labels = tf.cast(tf.oneHot(labelsOf(rows), dataset.classes), 'float32') as Tensor2D;
    const { mean, logVariance } = model.encode(compute, weights, samples, labels);
    const noise = tf.randomNormal([rows.length, model.latent]);
    const points = tf.add(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), noise)) as Tensor2D;
    const unlike = ops.binaryCrossEntropy(model.decode(compute, weights, points, labels), samples);
    return tf.add(unlike, divergence(compute, mean, logVariance)) as Scalar;
  };
}

/** From the standard normal distribution, mean over the batch: `-1/2 sum(1 + log s^2 - m^2 - s^2)` (Kingma and Welling 2014). */
function divergence({ tf }: Compute, mean: Tensor, logVariance: Tensor): Tensor {
  const inside = tf.sub(tf.sub(tf.add(logVariance, 1), tf.square(mean)), tf.exp(logVariance));
  return tf.mul(tf.mean(tf.sum(inside, 1)), -0.5);
}
