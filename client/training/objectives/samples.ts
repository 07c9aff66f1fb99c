import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Dataset } from '../../datasets/dataset.ts';
import type { TensorFlow } from '../../models/model.ts';

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

/** 0, 1, .., count - 1. */
export function allOf(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, row) => row);
}

/** Rows of `logits` whose largest value is at the row's label; the lower class wins a tie. */
export function countHits(logits: Float32Array, classes: number, labels: ArrayLike<number>): number {
  let hits = 0;
  for (let row = 0; row < labels.length; row++) {
    const start = row * classes;
    let best = 0;
    for (let c = 1; c < classes; c++) if (logits[start + c]! > logits[start + best]!) best = c;
    if (best === labels[row]) hits++;
  }
  return hits;
}
