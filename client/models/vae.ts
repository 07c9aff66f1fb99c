import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { glorotUniform, heUniform } from './initialisers.ts';
import type { Compute, ImageGenerator, ModelSpec, NamedTensors } from './model.ts';
import { listTensors } from './tensorList.ts';

const positive = z.number().int().positive();

/**
 * Conditional variational autoencoder (Kingma and Welling 2014; Sohn, Lee and Yan 2015) of dense layers. The class
 * stands beside the image at the encoder's input and beside the latent point at the decoder's, so that it is chosen
 * when sampling. It stands there as loud as an image: one-hot times sqrt(inputs / 10), the norm of an image whose
 * pixels' mean square is 1/10. As a single 1 it is learnt last, the latent point tells the class long before, and images
 * drawn from the prior follow the wanted class half of the time (docs/generate.md).
 *
 *     encoder: image, class -> hidden layers -> mean, log variance of the latent point
 *     decoder: point, class -> the same layers backwards -> logits of the pixels
 */
export const vaeSettings = z.strictObject({
  kind: z.literal('vae'),
  /** Pixels per image, values 0..1. */
  inputs: positive,
  classes: z.number().int().min(1),
  /** Widths of the encoder's hidden layers; the decoder has them in the opposite order. */
  hidden: z.array(positive).min(1),
  /** Coordinates of the latent point. */
  latent: positive,
});

export type VaeSettings = Readonly<z.infer<typeof vaeSettings>>;

export function buildVae(settings: VaeSettings): ImageGenerator {
  const { inputs, classes, hidden, latent } = settings;
  const loudness = Math.sqrt(inputs / 10);
  const withClass = ({ tf }: Compute, signal: Tensor2D, labels: Tensor2D) =>
    tf.concat([signal, tf.mul<Tensor2D>(labels, loudness)], 1);
  const shapes: Record<string, readonly number[]> = {};
  const dense = (name: string, from: number, to: number) => {
    shapes[`${name}/kernel`] = [from, to];
    shapes[`${name}/bias`] = [to];
    return to;
  };
  const stack = (side: string, first: number, widths: readonly number[]) => {
    const names = widths.map((_, i) => `${side}/hidden${i + 1}`);
    const last = widths.reduce((from, to, i) => dense(names[i]!, from, to), first);
    return { names, last };
  };
  const encoder = stack('encoder', inputs + classes, hidden);
  dense('encoder/mean', encoder.last, latent);
  dense('encoder/logVariance', encoder.last, latent);
  const decoder = stack('decoder', latent + classes, hidden.toReversed());
  dense('decoder/output', decoder.last, inputs);

  return {
    task: 'image-generation',
    spec: settings as ModelSpec,
    inputs,
    classes,
    latent,
    ...listTensors(shapes),
    head: ['decoder/output/bias', 'decoder/output/kernel'],

    initialise({ name, shape }, values, random) {
      if (shape.length < 2) return;
      if (/\/hidden\d+\//.test(name)) heUniform(values, shape[0]!, random);
      else glorotUniform(values, shape[0]!, shape[1]!, random);
    },

    encode(compute, weights, samples, labels) {
      const signal = climb(compute, weights, encoder.names, withClass(compute, samples, labels));
      return {
        mean: layer(compute, weights, 'encoder/mean', signal),
        logVariance: layer(compute, weights, 'encoder/logVariance', signal),
      };
    },

    decode(compute, weights, points, labels) {
      return layer(
        compute,
        weights,
        'decoder/output',
        climb(compute, weights, decoder.names, withClass(compute, points, labels)),
      );
    },
  };
}

function climb(compute: Compute, weights: NamedTensors, names: readonly string[], start: Tensor2D): Tensor2D {
  return names.reduce((signal, name) => layer(compute, weights, name, signal, 'relu'), start);
}

function layer(
  { ops }: Compute,
  weights: NamedTensors,
  name: string,
  signal: Tensor,
  activation: 'linear' | 'relu' = 'linear',
): Tensor2D {
  const kernel = weights[`${name}/kernel`] as Tensor2D;
  return ops.dense(signal, kernel, weights[`${name}/bias`] as Tensor1D, activation) as Tensor2D;
}
