import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import type { TextDataset } from '../../datasets/text/textDataset.ts';
import type { Compute, LanguageModel } from '../../models/model.ts';
import { permutation } from '../../random.ts';
import type { Objective } from './objective.ts';

/** Tokens per step of an evaluation. */
const EVALUATION_TOKENS = 4096;

/**
 * Cross-entropy of the next token, in nats per token; a hit is a token that had the largest logit.
 *
 * An item is where a window of context + 1 tokens starts: the first `context` go in, each one's successor is what is
 * asked for. A pass of training lays the windows from a random offset, so that a token is not always at the same place
 * in its window; where the last one would stick out it moves back.
 */
export function languageModelObjective(compute: Compute, model: LanguageModel, dataset: TextDataset): Objective {
  const { tf, ops } = compute;
  const { tokens, context, size } = dataset;
  const starts = (offset: number): Uint32Array => {
    const last = tokens.length - 1 - context;
    return Uint32Array.from({ length: size }, (_, k) => Math.min(offset + k * context, last));
  };
  return {
    size,
    evaluationBatch: Math.max(1, Math.floor(EVALUATION_TOKENS / context)),
    shuffled(random) {
      const windows = starts(random.nextInt(context));
      return permutation(random, size).map((k) => windows[k]!);
    },
    ordered: () => starts(0),
    take(windows) {
      const seen = new Int32Array(windows.length * context);
      const next = new Int32Array(seen.length);
      for (let i = 0; i < windows.length; i++) {
        const start = windows[i]!;
        seen.set(tokens.subarray(start, start + context), i * context);
        next.set(tokens.subarray(start + 1, start + 1 + context), i * context);
      }
      return {
        inputs: [tf.tensor2d(seen, [windows.length, context], 'int32'), tf.tensor1d(next, 'int32')],
        count: next.length,
      };
    },
    loss(weights, { inputs }, score) {
      const [seen, next] = inputs as [Tensor2D, Tensor1D];
      const logits = tf.reshape(model.logits(compute, weights, seen), [next.size, model.vocabulary]) as Tensor2D;
      return ops.crossEntropy(logits, next, score);
    },
  };
}
