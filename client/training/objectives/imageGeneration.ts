import type { Scalar, Tensor2D } from '@tensorflow/tfjs-core';
import type { Dataset } from '../../datasets/dataset.ts';
import type { Compute, ImageGenerator } from '../../models/model.ts';
import type { Objective } from './objective.ts';
import { sampleOrder, takeSamples } from './samples.ts';

/**
 * The negative evidence lower bound of a conditional variational autoencoder, in nats per image (Kingma and Welling
 * 2014, equation 10, with one sample of the posterior; conditional: Sohn, Lee and Yan 2015):
 *
 *     -log p(x | z, y) + KL(q(z | x, y) | N(0, 1)),   z = mean + exp(logVariance / 2) noise
 *     KL = 1/2 sum (mean^2 + exp(logVariance) - 1 - logVariance)
 *
 * A hit is a pixel on the right side of 1/2.
 */
export function imageGenerationObjective(compute: Compute, model: ImageGenerator, dataset: Dataset): Objective {
  const { tf, ops } = compute;
  return {
    ...sampleOrder(dataset),
    take(rows, random) {
      const labels = new Float32Array(rows.length * model.classes);
      rows.forEach((row, i) => {
        labels[i * model.classes + dataset.y[row]!] = 1;
      });
      const noise = Float32Array.from({ length: rows.length * model.latent }, () => random.nextNormal());
      return {
        inputs: [
          takeSamples(tf, dataset, rows),
          tf.tensor2d(labels, [rows.length, model.classes]),
          tf.tensor2d(noise, [rows.length, model.latent]),
        ],
        count: rows.length,
      };
    },
    loss(weights, { inputs }, score) {
      const [samples, labels, noise] = inputs as [Tensor2D, Tensor2D, Tensor2D];
      const { mean, logVariance } = model.encode(compute, weights, samples, labels);
      const logits = model.decode(compute, weights, ops.gaussianPoint(mean, logVariance, noise), labels);
      const unlike = ops.binaryCrossEntropy(logits, samples, score);
      return tf.add(unlike, ops.gaussianDivergence(mean, logVariance)) as Scalar;
    },
  };
}
