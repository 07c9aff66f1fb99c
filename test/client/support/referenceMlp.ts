import type { Dataset } from '../../../client/datasets/dataset.ts';
import { layerNames, type MlpSettings } from '../../../client/models/mlp.ts';
import { createRandom, permutation, type SeedPart } from '../../../client/random.ts';
import { type Manifest, tensorSlices } from '../../../protocol/encoding/manifest.ts';

/**
 * Training of an MLP written out in doubles, straight from the equations (Rumelhart, Hinton and Williams 1986), no
 * library: what the engine is held to.
 */
export function trainReference(manifest: Manifest, data: Dataset, start: Float32Array, round: number, seed: SeedPart) {
  const settings = manifest.model as unknown as MlpSettings;
  const { localEpochs = 1, batchSize, learningRate, momentum = 0 } = manifest.training;
  const slices = new Map(tensorSlices(manifest.tensors).map((slice) => [slice.name, slice]));
  const weights = Float64Array.from(start);
  const velocity = new Float64Array(weights.length);
  const layers = layerNames(settings).map((name) => {
    const kernel = slices.get(`${name}/kernel`)!;
    return {
      kernel: kernel.offset,
      bias: slices.get(`${name}/bias`)!.offset,
      from: kernel.shape[0]!,
      to: kernel.shape[1]!,
    };
  });
  const bend = { relu: (z: number) => Math.max(0, z), tanh: Math.tanh, sigmoid: (z: number) => 1 / (1 + Math.exp(-z)) };
  const slope = {
    relu: (a: number) => (a > 0 ? 1 : 0),
    tanh: (a: number) => 1 - a * a,
    sigmoid: (a: number) => a * (1 - a),
  };
  let loss = 0;
  for (let epoch = 1; epoch <= localEpochs; epoch++) {
    loss = 0;
    const order = permutation(createRandom(seed, 'shuffle', round, epoch), data.size);
    for (let first = 0; first < data.size; first += batchSize) {
      const rows = order.subarray(first, first + batchSize);
      const gradient = new Float64Array(weights.length);
      for (const row of rows) {
        const signals = [
          Array.from({ length: data.features }, (_, j) => data.x[row * data.features + j]! * data.scale),
        ];
        layers.forEach(({ kernel, bias, from, to }, l) => {
          const input = signals[l]!;
          signals.push(
            Array.from({ length: to }, (_, o) => {
              let z = weights[bias + o]!;
              for (let i = 0; i < from; i++) z += input[i]! * weights[kernel + i * to + o]!;
              return l === layers.length - 1 ? z : bend[settings.activation](z);
            }),
          );
        });
        const logits = signals.at(-1)!;
        const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
        loss -= Math.log(Math.exp(logits[data.y[row]!]!) / total) / data.size;
        let delta = logits.map((z, c) => (Math.exp(z) / total - (c === data.y[row] ? 1 : 0)) / rows.length);
        for (let l = layers.length - 1; l >= 0; l--) {
          const { kernel, bias, from, to } = layers[l]!;
          const input = signals[l]!;
          const back = new Array<number>(from).fill(0);
          for (let o = 0; o < to; o++) {
            gradient[bias + o]! += delta[o]!;
            for (let i = 0; i < from; i++) {
              gradient[kernel + i * to + o]! += input[i]! * delta[o]!;
              back[i]! += weights[kernel + i * to + o]! * delta[o]!;
            }
          }
          delta = back.map((value, i) => value * slope[settings.activation](input[i]!));
        }
      }
      for (let k = 0; k < weights.length; k++) {
        velocity[k] = momentum * velocity[k]! + gradient[k]!;
        weights[k] = weights[k]! - learningRate * velocity[k]!;
      }
    }
  }
  return { weights, loss };
}
