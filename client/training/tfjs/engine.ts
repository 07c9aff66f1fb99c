import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { type TensorSpec, tensorSlices } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import type { Dataset } from '../../datasets/dataset.ts';
import type { Classifier, Compute, NamedTensors, TensorFlow } from '../../models/model.ts';
import { describeModel } from '../../models/registry.ts';
import { createRandom, permutation, type SeedPart } from '../../random.ts';
import { checkDataset } from '../checkDataset.ts';
import type { Evaluation, TrainingManifest, TrainProgress, TrainResult } from '../trainer.ts';
import { ENGINE, loadTensorFlow } from './backend.ts';
import { composedOps } from './ops/composedOps.ts';

/** Samples per evaluation step: enough to keep the kernels busy, small enough that 784 floats each stay below 2 MB. */
const EVALUATION_BATCH = 500;

export interface EngineTask {
  readonly weights: Float32Array;
  readonly round: number | bigint;
  readonly seed: SeedPart;
  readonly onProgress?: (progress: TrainProgress) => void;
}

/**
 * Training in the calling thread, on any data set of the manifest's shape. `createTrainer` runs it in a worker; a
 * simulation calls it directly.
 */
export interface Engine {
  readonly model: Classifier;
  init(seed: SeedPart): Float32Array;
  train(dataset: Dataset, task: EngineTask): TrainResult;
  evaluate(dataset: Dataset, weights: Float32Array): Evaluation;
}

/**
 * The built-in engine for a manifest: minibatch SGD with heavy-ball momentum (Polyak 1964) on softmax cross-entropy.
 * Same task, same bits: initial weights, shuffling and batching come from the seed, and all sums run in one thread in
 * one order.
 *
 * @throws AssayError ENGINE_MISMATCH, MODEL_TENSORS, MODEL_UNKNOWN, MODEL_SETTINGS
 */
export async function createEngine(manifest: TrainingManifest): Promise<Engine> {
  const model = checkManifestModel(manifest);
  const tf = await loadTensorFlow();
  const compute: Compute = { tf, ops: composedOps(tf) };
  const { localEpochs = 1, batchSize, learningRate, momentum = 0 } = manifest.training;

  return {
    model,

    init(seed) {
      const weights = new Float32Array(model.dimension);
      for (const slice of tensorSlices(model.tensors)) {
        const values = weights.subarray(slice.offset, slice.offset + slice.length);
        model.initialise(slice, values, createRandom(seed, 'initialise', slice.name));
      }
      return weights;
    },

    train(dataset, task) {
      const started = performance.now();
      checkDataset(dataset, manifest);
      let weights = unflatten(tf, model, task.weights);
      let velocity: Record<string, Tensor> = {};
      let loss = 0;
      let accuracy = 0;
      for (let epoch = 1; epoch <= localEpochs; epoch++) {
        const order = permutation(createRandom(task.seed, 'shuffle', task.round, epoch), dataset.size);
        let lossSum = 0;
        let hits = 0;
        for (let start = 0; start < order.length; start += batchSize) {
          const rows = order.subarray(start, start + batchSize);
          const step = tf.tidy(() => {
            const { samples, labels } = takeBatch(tf, dataset, rows);
            const names = Object.keys(weights);
            let predicted: Float32Array | undefined;
            const { value, grads } = tf.valueAndGrads((...tensors: Tensor[]) => {
              const named: NamedTensors = Object.fromEntries(names.map((name, i) => [name, tensors[i]!]));
              const logits = model.logits(compute, named, samples);
              predicted = logits.dataSync<'float32'>();
              return crossEntropy(tf, logits, labels);
            })(names.map((name) => weights[name]!));
            const moved: Record<string, Tensor> = {};
            const kept: Record<string, Tensor> = {};
            names.forEach((name, i) => {
              const pull =
                momentum > 0 && velocity[name] ? tf.add(tf.mul(velocity[name], momentum), grads[i]!) : grads[i]!;
              if (momentum > 0) kept[name] = pull;
              moved[name] = tf.sub(weights[name]!, tf.mul(pull, learningRate));
            });
            lossSum += value.dataSync()[0]! * rows.length;
            hits += countHits(predicted!, dataset, rows);
            return { moved, kept };
          });
          tf.dispose(weights);
          tf.dispose(velocity);
          weights = step.moved;
          velocity = step.kept;
        }
        loss = lossSum / dataset.size;
        accuracy = hits / dataset.size;
        task.onProgress?.({ epoch, epochs: localEpochs, loss, accuracy });
      }
      const trained = flatten(model, weights);
      tf.dispose(weights);
      tf.dispose(velocity);
      return {
        weights: trained,
        memory: {},
        samples: dataset.size,
        steps: localEpochs * Math.ceil(dataset.size / batchSize),
        loss,
        accuracy,
        seconds: (performance.now() - started) / 1000,
      };
    },

    evaluate(dataset, flat) {
      checkDataset(dataset, manifest);
      const weights = unflatten(tf, model, flat);
      const all = Uint32Array.from({ length: dataset.size }, (_, row) => row);
      let lossSum = 0;
      let hits = 0;
      for (let start = 0; start < all.length; start += EVALUATION_BATCH) {
        const rows = all.subarray(start, start + EVALUATION_BATCH);
        tf.tidy(() => {
          const { samples, labels } = takeBatch(tf, dataset, rows);
          const logits = model.logits(compute, weights, samples);
          lossSum += crossEntropy(tf, logits, labels).dataSync()[0]! * rows.length;
          hits += countHits(logits.dataSync<'float32'>(), dataset, rows);
        });
      }
      tf.dispose(weights);
      return { loss: lossSum / dataset.size, accuracy: hits / dataset.size, samples: dataset.size };
    },
  };
}

/** Mean over the batch of `-log softmax(logits)[label]`, in nats. */
function crossEntropy(tf: TensorFlow, logits: Tensor2D, labels: Tensor2D) {
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), labels), 1))) as Scalar;
}

/**
 * The model of a manifest, after checking that both list the same tensors: coordinates of another order would mean
 * other weights.
 */
function checkManifestModel(manifest: TrainingManifest): Classifier {
  if (manifest.engine !== ENGINE) {
    throw new AssayError('ENGINE_MISMATCH', {
      summary: 'the federation trains with another engine',
      expected: ENGINE,
      received: manifest.engine,
      fix: 'use a version of Assay that has that engine',
    });
  }
  const { optimizer, localSteps, algorithm, personal, maxGradientNorm } = manifest.training;
  const beyond = [localSteps, algorithm, personal, maxGradientNorm].some((setting) => setting !== undefined);
  if (manifest.task !== 'classification' || optimizer !== 'sgd' || beyond) {
    throw new AssayError('ENGINE_TRAINING', {
      summary: 'this engine does not train that way',
      expected: 'classification by passes of plain sgd',
      received: `${manifest.task}, ${JSON.stringify(manifest.training)}`,
      fix: 'use a version of Assay whose engine does',
    });
  }
  const model = describeModel(manifest.model);
  if (model.task !== 'classification') {
    throw new AssayError('MODEL_TASK', {
      summary: 'this engine trains classifiers',
      expected: 'a model that classifies',
      received: `a ${model.spec.kind} model, whose task is ${model.task}`,
      fix: 'take a version of Assay whose engine knows this task',
    });
  }
  const list = (tensors: readonly TensorSpec[]) =>
    tensors.map(({ name, shape }) => `${name}[${shape.join(',')}]`).join(' ');
  if (list(model.tensors) !== list(manifest.tensors)) {
    throw new AssayError('MODEL_TENSORS', {
      summary: 'the tensors in the manifest are not those of its model',
      expected: list(model.tensors),
      received: list(manifest.tensors),
      fix: 'make the manifest anew from the model',
    });
  }
  return model;
}

/** A batch as tensors: samples `[batch, features]` and one-hot labels `[batch, classes]`. */
function takeBatch(tf: TensorFlow, dataset: Dataset, rows: Uint32Array): { samples: Tensor2D; labels: Tensor2D } {
  const { features, classes, scale, x, y } = dataset;
  const samples = new Float32Array(rows.length * features);
  const labels = new Float32Array(rows.length * classes);
  for (let i = 0; i < rows.length; i++) {
    const source = rows[i]! * features;
    const target = i * features;
    for (let j = 0; j < features; j++) samples[target + j] = x[source + j]! * scale;
    labels[i * classes + y[rows[i]!]!] = 1;
  }
  return {
    samples: tf.tensor2d(samples, [rows.length, features]),
    labels: tf.tensor2d(labels, [rows.length, classes]),
  };
}

/** Rows whose largest logit is at the label; the lower class wins a tie. */
function countHits(logits: Float32Array, { classes, y }: Dataset, rows: Uint32Array): number {
  let hits = 0;
  for (let i = 0; i < rows.length; i++) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (logits[i * classes + c]! > logits[i * classes + best]!) best = c;
    if (best === y[rows[i]!]) hits++;
  }
  return hits;
}

function unflatten(tf: TensorFlow, model: Classifier, flat: Float32Array): Record<string, Tensor> {
  if (flat.length !== model.dimension) {
    throw new AssayError('WEIGHTS_LENGTH', {
      summary: 'the weights are not those of the model',
      expected: `${model.dimension} coordinates`,
      received: `${flat.length} coordinates`,
      fix: 'take weights and manifest from the same federation',
    });
  }
  const slices = tensorSlices(model.tensors);
  return Object.fromEntries(
    slices.map(({ name, shape, offset, length }) => [name, tf.tensor(flat.slice(offset, offset + length), [...shape])]),
  );
}

function flatten(model: Classifier, weights: NamedTensors): Float32Array {
  const flat = new Float32Array(model.dimension);
  for (const { name, offset } of tensorSlices(model.tensors)) flat.set(weights[name]!.dataSync<'float32'>(), offset);
  return flat;
}
