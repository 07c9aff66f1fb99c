import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import type { Compute, Model, ModelBase, NamedTensors, TensorFlow } from '../../../client/models/model.ts';
import { createRandom, type SeedPart } from '../../../client/random.ts';
import { loadTensorFlow } from '../../../client/training/tfjs/backend.ts';
import { composedOps } from '../../../client/training/tfjs/ops/composedOps.ts';
import { tensorSlices } from '../../../protocol/encoding/manifest.ts';

/** TF.js and the plain operations: what models are tried with before any engine. */
export async function composedCompute(): Promise<Compute> {
  const tf = await loadTensorFlow();
  return { tf, ops: composedOps(tf) };
}

/** A model's initial weights, flat. */
export function initialWeights(model: ModelBase, seed: SeedPart = 'toy'): Float32Array {
  const weights = new Float32Array(model.dimension);
  for (const slice of tensorSlices(model.tensors)) {
    const values = weights.subarray(slice.offset, slice.offset + slice.length);
    model.initialise(slice, values, createRandom(seed, slice.name));
  }
  return weights;
}

/** A flat vector as tensors by name. */
export function namedTensors(tf: TensorFlow, tensors: Model['tensors'], flat: Float32Array): Record<string, Tensor> {
  return Object.fromEntries(
    tensorSlices(tensors).map(({ name, shape, offset, length }) => [
      name,
      tf.tensor(flat.slice(offset, offset + length), [...shape]),
    ]),
  );
}

/**
 * Steps of Adam on one batch: enough to see whether a model can learn at all.
 *
 * @returns the loss before each step, and the weights after all
 */
export function toyTraining(
  { tf }: Compute,
  model: ModelBase,
  steps: number,
  learningRate: number,
  loss: (weights: NamedTensors) => Scalar,
  frozen: NamedTensors = {},
): { readonly losses: number[]; readonly weights: Record<string, Tensor> } {
  type Tensors = Record<string, Tensor>;
  const start = namedTensors(tf, model.tensors, initialWeights(model));
  const names = Object.keys(start);
  const each = (map: (name: string, index: number) => Tensor): Tensors =>
    Object.fromEntries(names.map((name, index) => [name, map(name, index)]));
  let state = { weights: start, first: each((name) => tf.zerosLike(start[name]!)), second: {} as Tensors };
  state.second = each((name) => tf.zerosLike(start[name]!));
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const before = state;
    state = tf.tidy(() => {
      const { value, grads } = tf.valueAndGrads((...values: Tensor[]) =>
        loss({ ...frozen, ...each((_, index) => values[index]!) }),
      )(names.map((name) => before.weights[name]!));
      losses.push(value.dataSync()[0]!);
      const first = each((name, i) => tf.add(tf.mul(before.first[name]!, 0.9), tf.mul(grads[i]!, 0.1)));
      const second = each((name, i) => tf.add(tf.mul(before.second[name]!, 0.99), tf.mul(tf.square(grads[i]!), 0.01)));
      const weights = each((name) => {
        const spread = tf.add(tf.sqrt(tf.div(second[name]!, 1 - 0.99 ** step)), 1e-8);
        return tf.sub(before.weights[name]!, tf.div(tf.mul(first[name]!, learningRate / (1 - 0.9 ** step)), spread));
      });
      return { weights, first, second };
    });
    tf.dispose(before);
  }
  tf.dispose([state.first, state.second]);
  return { losses, weights: state.weights };
}
