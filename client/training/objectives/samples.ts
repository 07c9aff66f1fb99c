import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Dataset } from '../../datasets/dataset.ts';
import type { TensorFlow } from '../../models/model.ts';
import { permutation } from '../../random.ts';
import type { Objective } from './objective.ts';

/** Rows of a data set as a tensor `[rows, features]`, scaled as the data set says. */
export function takeSamples(tf: TensorFlow, { x, features, scale }: Dataset, rows: Uint32Array): Tensor2D {
  const samples = new Float32Array(rows.length * features);
  for (let i = 0; i < rows.length; i++) {
    const source = rows[i]! * features;
    const target = i * features;
    for (let j = 0; j < features; j++) samples[target + j] = x[source + j]! * scale;
  }
  return tf.tensor2d(samples, [rows.length, features]);
}

/** How an objective goes over samples: all of them, by chance or in order. */
export function sampleOrder({ size }: Dataset): Pick<Objective, 'size' | 'evaluationBatch' | 'shuffled' | 'ordered'> {
  return {
    size,
    evaluationBatch: 250,
    shuffled: (random) => permutation(random, size),
    ordered: () => Uint32Array.from({ length: size }, (_, row) => row),
  };
}
