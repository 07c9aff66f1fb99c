import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { uniformOfDeviation } from './initialisers.ts';
import type { Compute, LanguageModel, ModelSpec, NamedTensors } from './model.ts';
import { listTensors } from './tensorList.ts';

const positive = z.number().int().positive();

/**
 * Decoder-only transformer (Radford et al. 2019): learned positions, layer norm before each half of a block, GELU, and
 * an output that shares the table of the embedding (Press and Wolf 2017), so that a token has one vector.
 *
 *     x = table[tokens] + position
 *     x = x + projection(attention(norm1(x)));  x = x + contract(gelu(expand(norm2(x))))     in block1, block2, ...
 *     logits = norm(x) table^T
 */
export const transformerSettings = z
  .strictObject({
    kind: z.literal('transformer'),
    vocabulary: z.number().int().min(2),
    /** Most tokens it looks back on, the last one included. */
    context: positive,
    /** Numbers per token and position. */
    width: positive,
    layers: positive.max(1000),
    heads: positive,
    /** Width inside a block's second half; four times `width` is usual. */
    feedForward: positive,
  })
  .refine(({ width, heads }) => width % heads === 0, { path: ['heads'], message: 'a divisor of the width' });

export type TransformerSettings = Readonly<z.infer<typeof transformerSettings>>;

export function buildTransformer(settings: TransformerSettings): LanguageModel {
  const { vocabulary, context, width, heads, feedForward } = settings;
  const blocks = Array.from({ length: settings.layers }, (_, i) => `block${i + 1}`);
  const shapes: Record<string, readonly number[]> = {
    'embedding/table': [vocabulary, width],
    'embedding/position': [context, width],
    'norm/gain': [width],
    'norm/offset': [width],
  };
  for (const block of blocks) {
    const dense = (name: string, inputs: number, outputs: number) => {
      shapes[`${block}/${name}/kernel`] = [inputs, outputs];
      shapes[`${block}/${name}/bias`] = [outputs];
    };
    for (const norm of ['norm1', 'norm2']) {
      shapes[`${block}/${norm}/gain`] = [width];
      shapes[`${block}/${norm}/offset`] = [width];
    }
    dense('attention', width, 3 * width);
    dense('projection', width, width);
    dense('expand', width, feedForward);
    dense('contract', feedForward, width);
  }
  const listed = listTensors(shapes);
  const lastBlock = blocks.at(-1)!;

  return {
    task: 'language-model',
    spec: settings as ModelSpec,
    vocabulary,
    context,
    ...listed,
    // The output's table is the embedding's too and cannot be told apart: the last block is what a participant keeps.
    head: listed.tensors
      .map(({ name }) => name)
      .filter((name) => name.startsWith(`${lastBlock}/`) || name.startsWith('norm/')),

    initialise({ name, shape }, values, random) {
      if (name.endsWith('/gain')) values.fill(1);
      if (shape.length < 2) return;
      // Small enough that the first logits say next to nothing, large enough that a step of Adam is no revolution.
      if (name.startsWith('embedding/')) uniformOfDeviation(values, 0.1, random);
      // What is added to the residual stream starts smaller, so that its spread does not grow with the depth (Radford
      // et al. 2019, section 2.3).
      else if (/\/(projection|contract)\//.test(name))
        uniformOfDeviation(values, 1 / Math.sqrt(2 * blocks.length * shape[0]!), random);
      else uniformOfDeviation(values, 1 / Math.sqrt(shape[0]!), random);
    },

    logits(compute, weights, tokens) {
      const { tf, ops } = compute;
      const table = weights['embedding/table'] as Tensor2D;
      const time = tokens.shape[1];
      const positions = weights['embedding/position'] as Tensor2D;
      const used = time === context ? positions : tf.slice(positions, [0, 0], [time, width]);
      let signal: Tensor = tf.add(ops.embedding(table, tokens), used);
      for (const block of blocks) signal = addBlock(compute, weights, block, heads, signal);
      return ops.dense(normalise(compute, weights, 'norm', signal), tf.transpose(table) as Tensor2D, null) as Tensor3D;
    },
  };
}

function addBlock(compute: Compute, weights: NamedTensors, block: string, heads: number, signal: Tensor): Tensor {
  const { tf, ops } = compute;
  const dense = (name: string, x: Tensor, activation: 'linear' | 'gelu' = 'linear') =>
    ops.dense(
      x,
      weights[`${block}/${name}/kernel`] as Tensor2D,
      weights[`${block}/${name}/bias`] as Tensor1D,
      activation,
    );
  const qkv = dense('attention', normalise(compute, weights, `${block}/norm1`, signal));
  const attended = tf.add(signal, dense('projection', ops.causalAttention(qkv as Tensor3D, heads)));
  const expanded = dense('expand', normalise(compute, weights, `${block}/norm2`, attended), 'gelu');
  return tf.add(attended, dense('contract', expanded));
}

function normalise({ ops }: Compute, weights: NamedTensors, name: string, signal: Tensor): Tensor {
  return ops.layerNorm(signal, weights[`${name}/gain`] as Tensor1D, weights[`${name}/offset`] as Tensor1D);
}
