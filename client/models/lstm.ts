import type { Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { fillUniform, glorotUniform } from './initialisers.ts';
import type { LanguageModel, ModelSpec } from './model.ts';
import { listTensors } from './tensorList.ts';

const positive = z.number().int().positive();

/**
 * Recurrent language model (Hochreiter and Schmidhuber 1997): an embedding of the tokens, layers `lstm1`, `lstm2`, ...
 * over the sequence, then `output` with one logit per token. A layer has a `kernel` `[in, 4 hidden]`, a `recurrent`
 * `[hidden, 4 hidden]` and a `bias` `[4 hidden]`, gates in the order input, forget, candidate, output.
 */
export const lstmSettings = z.strictObject({
  kind: z.literal('lstm'),
  vocabulary: z.number().int().min(2),
  /** Most tokens it is trained to look back on. */
  context: positive,
  /** Numbers per token. */
  embedding: positive,
  /** Width of each layer. */
  hidden: positive,
  layers: positive.max(1000),
});

export type LstmSettings = Readonly<z.infer<typeof lstmSettings>>;

export function buildLstm(settings: LstmSettings): LanguageModel {
  const { vocabulary, context, embedding, hidden } = settings;
  const layers = Array.from({ length: settings.layers }, (_, i) => `lstm${i + 1}`);
  const shapes: Record<string, readonly number[]> = {
    'embedding/table': [vocabulary, embedding],
    'output/kernel': [hidden, vocabulary],
    'output/bias': [vocabulary],
  };
  layers.forEach((layer, i) => {
    shapes[`${layer}/kernel`] = [i === 0 ? embedding : hidden, 4 * hidden];
    shapes[`${layer}/recurrent`] = [hidden, 4 * hidden];
    shapes[`${layer}/bias`] = [4 * hidden];
  });

  return {
    task: 'language-model',
    spec: settings as ModelSpec,
    vocabulary,
    context,
    ...listTensors(shapes),
    head: ['output/bias', 'output/kernel'],

    initialise({ name, shape }, values, random) {
      if (name === 'embedding/table') fillUniform(values, 1, random);
      else if (name.endsWith('/recurrent')) fillUniform(values, 1 / Math.sqrt(hidden), random);
      else if (shape.length === 2) glorotUniform(values, shape[0]!, shape[1]!, random);
      // A forget gate that starts open lets the gradient pass (Jozefowicz, Zaremba and Sutskever 2015, section 2.2).
      else if (name !== 'output/bias') values.fill(1, hidden, 2 * hidden);
    },

    logits({ ops }, weights, tokens) {
      let signal = ops.embedding(weights['embedding/table'] as Tensor2D, tokens);
      for (const layer of layers) {
        signal = ops.lstm(
          signal as Tensor3D,
          weights[`${layer}/kernel`] as Tensor2D,
          weights[`${layer}/recurrent`] as Tensor2D,
          weights[`${layer}/bias`] as Tensor1D,
        );
      }
      return ops.dense(signal, weights['output/kernel'] as Tensor2D, weights['output/bias'] as Tensor1D) as Tensor3D;
    },
  };
}
