import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import type { Dataset } from '../../datasets/dataset.ts';
import type { Classifier, Compute } from '../../models/model.ts';
import type { Objective } from './objective.ts';
import { sampleOrder, takeSamples } from './samples.ts';

/** Softmax cross-entropy over classes, in nats per sample; a hit is a sample whose largest logit is at its label. */
export function classificationObjective(compute: Compute, model: Classifier, dataset: Dataset): Objective {
  const { tf, ops } = compute;
  return {
    ...sampleOrder(dataset),
    take(rows) {
      const labels = Int32Array.from(rows, (row) => dataset.y[row]!);
      return { inputs: [takeSamples(tf, dataset, rows), tf.tensor1d(labels, 'int32')], count: rows.length };
    },
    loss(weights, { inputs }, score) {
      const [samples, labels] = inputs as [Tensor2D, Tensor1D];
      return ops.crossEntropy(model.logits(compute, weights, samples), labels, score);
    },
  };
}
