import type { Tensor } from '@tensorflow/tfjs-core';
import { type TrainingSettings, tensorSlices } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import type { AnyDataset } from '../../datasets/text/textDataset.ts';
import type { Compute, Model, NamedTensors } from '../../models/model.ts';
import type { Score } from '../../models/ops.ts';
import { createRandom, type SeedPart } from '../../random.ts';
import type { NamedVectors } from '../modelParts.ts';
import { createObjective } from '../objectives/createObjective.ts';
import type { Batch, Objective } from '../objectives/objective.ts';
import type { Optimizer, OptimizerSettings } from '../optimizers/optimizer.ts';
import type { Evaluation, TrainProgress } from '../trainer.ts';

/** What an engine computes with: the backend, the operations of models on it, and its optimisers. */
export interface EngineKit {
  /** Name and version, as manifests have it: another kit gives other bits. */
  readonly name: string;
  readonly compute: Compute;
  readonly createOptimizer: (settings: OptimizerSettings) => Optimizer;
}

/** A stretch of local training. Vectors are whole models. */
export interface LocalRun {
  /** Where it starts. Not modified. */
  readonly weights: Float32Array;
  /** Minibatch steps. */
  readonly steps: number;
  readonly settings: OptimizerSettings & Pick<TrainingSettings, 'batchSize' | 'maxGradientNorm'>;
  /** Everything drawn by chance follows from these: the order of samples, noise. */
  readonly seed: readonly SeedPart[];
  /** Names of the tensors that move; default: all. */
  readonly moving?: ReadonlySet<string>;
  /** Added to the gradients of these tensors. */
  readonly drift?: NamedVectors;
  /** `strength (w - anchor)` is added to the gradients of these tensors. */
  readonly pull?: { readonly strength: number; readonly anchor: NamedVectors };
  /** Gradients are those at `w - lookahead grad(w)`; the halves of a minibatch give the one and the other. */
  readonly lookahead?: number;
  readonly onProgress?: (progress: TrainProgress) => void;
}

export interface LocalRunResult {
  readonly weights: Float32Array;
  /** Of the last pass over the data: mean loss, and share of right predictions. */
  readonly loss: number;
  readonly accuracy: number;
}

/** Training and measuring a model in the calling thread. Same run, same bits: all sums run in one order. */
export interface LocalTraining {
  run(dataset: AnyDataset, run: LocalRun): LocalRunResult;
  /** @param whole all of the model's weights */
  evaluate(dataset: AnyDataset, whole: Float32Array): Evaluation;
  /** Minibatches in one pass over a data set. */
  batchesPerEpoch(dataset: AnyDataset, batchSize: number): number;
}

/** @param frozen values of the model's frozen tensors, one after the other; null for a model without */
export function localTraining(
  { compute, createOptimizer }: EngineKit,
  model: Model,
  frozen: Float32Array | null,
): LocalTraining {
  const { tf } = compute;
  const slices = tensorSlices(model.tensors);
  const names = slices.map(({ name }) => name);

  const upload = (flat: Float32Array, specs = slices): Tensor[] =>
    // slice: a view would be handed over with its whole buffer, and could change under the tensor.
    specs.map(({ shape, offset, length }) => tf.tensor(flat.slice(offset, offset + length), [...shape], 'float32'));
  const uploadFrozen = (): Record<string, Tensor> => {
    checkFrozen(model, frozen);
    const specs = tensorSlices(model.frozen ?? []);
    const tensors = upload(frozen ?? new Float32Array(0), specs);
    return Object.fromEntries(specs.map(({ name }, i) => [name, tensors[i]!]));
  };
  const download = (tensors: readonly Tensor[]): Float32Array => {
    const flat = new Float32Array(model.dimension);
    slices.forEach(({ offset }, i) => {
      flat.set(tensors[i]!.dataSync<'float32'>(), offset);
    });
    return flat;
  };
  /** Tensors for the values that some of the moving tensors have; null where there are none. */
  const uploadNamed = (moving: readonly number[], values: NamedVectors | undefined): (Tensor | null)[] =>
    moving.map((i) => {
      const own = values?.get(names[i]!);
      return own === undefined ? null : tf.tensor(own.slice(), [...slices[i]!.shape], 'float32');
    });

  return {
    run(dataset, run) {
      const { settings, steps, seed, lookahead, pull } = run;
      const { batchSize, maxGradientNorm } = settings;
      const objective = createObjective(compute, model, dataset);
      const perEpoch = Math.ceil(objective.size / batchSize);
      const epochs = Math.ceil(steps / perEpoch);
      const moving = names.flatMap((name, i) => (run.moving === undefined || run.moving.has(name) ? [i] : []));
      const base = uploadFrozen();
      const weights = upload(run.weights);
      const drift = uploadNamed(moving, run.drift);
      const anchor = uploadNamed(moving, pull?.anchor);
      const optimizer = createOptimizer(settings);

      /** Loss of a batch and its gradients where `at` are the moving tensors. */
      const gradientsAt = (at: readonly Tensor[], batch: Batch, score: Score) => {
        const { value, grads } = tf.valueAndGrads((...moved: Tensor[]) => {
          const named: Record<string, Tensor> = { ...base };
          for (let i = 0; i < names.length; i++) named[names[i]!] = weights[i]!;
          moving.forEach((i, k) => {
            named[names[i]!] = moved[k]!;
          });
          return objective.loss(named as NamedTensors, batch, score);
        })([...at]);
        return { value, gradients: maxGradientNorm === undefined ? grads : clip(compute, grads, maxGradientNorm) };
      };

      const step = (items: Uint32Array, random: Parameters<Objective['take']>[1], pass: Pass): void => {
        const at = moving.map((i) => weights[i]!);
        const moved = tf.tidy(() => {
          let measuredAt = at;
          let measured = items;
          if (lookahead !== undefined) {
            const half = Math.ceil(items.length / 2);
            const { gradients } = gradientsAt(at, objective.take(items.subarray(0, half), random), { right: 0, of: 0 });
            measuredAt = at.map((weight, k) => tf.sub(weight, tf.mul(gradients[k]!, lookahead)));
            if (half < items.length) measured = items.subarray(half);
          }
          const batch = objective.take(measured, random);
          const { value, gradients } = gradientsAt(measuredAt, batch, pass.score);
          pass.lossSum += value.dataSync<'float32'>()[0]! * batch.count;
          pass.count += batch.count;
          const directions = gradients.map((gradient, k) => {
            const drifted = drift[k] == null ? gradient : tf.add(gradient, drift[k]);
            return anchor[k] == null ? drifted : tf.add(drifted, tf.mul(tf.sub(at[k]!, anchor[k]), pull!.strength));
          });
          return optimizer.step(at, directions);
        });
        moving.forEach((i, k) => {
          if (weights[i] === moved[k]) return;
          weights[i]!.dispose();
          weights[i] = moved[k]!;
        });
      };

      try {
        let taken = 0;
        let pass = newPass();
        for (let epoch = 1; epoch <= epochs; epoch++) {
          pass = newPass();
          const order = objective.shuffled(createRandom(...seed, epoch));
          const random = createRandom('noise', ...seed, epoch);
          for (let start = 0; start < order.length && taken < steps; start += batchSize, taken++) {
            step(order.subarray(start, start + batchSize), random, pass);
          }
          run.onProgress?.({ epoch, epochs, ...meanOf(pass) });
        }
        return { weights: download(weights), ...meanOf(pass) };
      } finally {
        optimizer.dispose();
        tf.dispose([...weights, ...Object.values(base), ...[...drift, ...anchor].filter((tensor) => tensor !== null)]);
      }
    },

    evaluate(dataset, whole) {
      const objective = createObjective(compute, model, dataset);
      const base = uploadFrozen();
      const weights = upload(whole);
      const named = { ...base, ...Object.fromEntries(names.map((name, i) => [name, weights[i]!])) };
      const pass = newPass();
      const items = objective.ordered();
      // The same noise for every model, so that measurements can be compared.
      const random = createRandom('evaluate');
      for (let start = 0; start < items.length; start += objective.evaluationBatch) {
        tf.tidy(() => {
          const batch = objective.take(items.subarray(start, start + objective.evaluationBatch), random);
          pass.lossSum += objective.loss(named, batch, pass.score).dataSync<'float32'>()[0]! * batch.count;
          pass.count += batch.count;
        });
      }
      tf.dispose([...weights, ...Object.values(base)]);
      return { ...meanOf(pass), samples: pass.count };
    },

    batchesPerEpoch: (dataset, batchSize) => Math.ceil(dataset.size / batchSize),
  };
}

/** What is summed over a pass. */
interface Pass {
  lossSum: number;
  /** Samples, tokens or images. */
  count: number;
  readonly score: Score;
}

function newPass(): Pass {
  return { lossSum: 0, count: 0, score: { right: 0, of: 0 } };
}

function meanOf({ lossSum, count, score }: Pass): { loss: number; accuracy: number } {
  return { loss: lossSum / count, accuracy: score.right / score.of };
}

/**
 * Gradients scaled down together to an L2 norm of at most `largest` (Pascanu, Mikolov and Bengio 2013, algorithm 1).
 */
function clip({ tf }: Compute, gradients: readonly Tensor[], largest: number): Tensor[] {
  const squares = gradients.map((gradient) => tf.sum(tf.square(gradient)));
  const norm = tf.sqrt(tf.addN(squares));
  const scale = tf.div(largest, tf.maximum(norm, largest));
  return gradients.map((gradient) => tf.mul(gradient, scale));
}

function checkFrozen(model: Model, frozen: Float32Array | null): void {
  const expected = tensorSlices(model.frozen ?? []).reduce((sum, { length }) => sum + length, 0);
  const received = frozen?.length ?? 0;
  if (expected === received) return;
  throw new AssayError('FROZEN_WEIGHTS', {
    summary: "the weights of the model's frozen base are not there, or of another model",
    expected: `${expected} coordinates`,
    received: `${received} coordinates`,
    fix: 'hand over the file that the manifest names as the base of the model',
  });
}
