import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { glorotUniform } from './initialisers.ts';
import type { Classifier, ModelSpec } from './model.ts';
import { listTensors } from './tensorList.ts';

/**
 * Multi-layer perceptron: dense layers `hidden1`, `hidden2`, ... with an activation, then `output` with one logit per
 * class. Each has a `kernel` `[in, out]` and a `bias` `[out]`.
 */
export const mlpSettings = z.strictObject({
  kind: z.literal('mlp'),
  /** Numbers per sample. */
  inputs: z.number().int().positive(),
  /** Width of each hidden layer; `[]` is logistic regression. */
  hidden: z.array(z.number().int().positive()),
  classes: z.number().int().min(2),
  activation: z.enum(['relu', 'tanh', 'sigmoid']),
});

export type MlpSettings = Readonly<z.infer<typeof mlpSettings>>;

export function buildMlp(settings: MlpSettings): Classifier {
  const layers = layerNames(settings);
  const widths = [settings.inputs, ...settings.hidden, settings.classes];
  const shapes = layers.flatMap((layer, i): [string, number[]][] => [
    [`${layer}/kernel`, [widths[i]!, widths[i + 1]!]],
    [`${layer}/bias`, [widths[i + 1]!]],
  ]);

  return {
    task: 'classification',
    spec: settings as ModelSpec,
    inputs: settings.inputs,
    classes: settings.classes,
    ...listTensors(Object.fromEntries(shapes)),
    head: ['output/bias', 'output/kernel'],

    // Biases start at zero.
    initialise({ shape }, values, random) {
      if (shape.length === 2) glorotUniform(values, shape[0]!, shape[1]!, random);
    },

    logits({ ops }, weights, samples) {
      let signal: Tensor = samples;
      for (const layer of layers) {
        const activation = layer === 'output' ? 'linear' : settings.activation;
        const kernel = weights[`${layer}/kernel`] as Tensor2D;
        signal = ops.dense(signal, kernel, weights[`${layer}/bias`] as Tensor1D, activation);
      }
      return signal as Tensor2D;
    },
  };
}

/** `hidden1 .. hiddenN, output`: layer by layer from the samples to the logits. */
export function layerNames({ hidden }: Pick<MlpSettings, 'hidden'>): string[] {
  return [...hidden.map((_, i) => `hidden${i + 1}`), 'output'];
}
