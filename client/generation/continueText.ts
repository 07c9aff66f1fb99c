import type { Tensor2D } from '@tensorflow/tfjs-core';
import { AssayError } from '../../protocol/errors.ts';
import type { LanguageModel } from '../models/model.ts';
import type { Random } from '../random.ts';
import type { OpenModel } from './openModel.ts';
import { checkSampling, type SamplingSettings, sampleToken } from './sampleToken.ts';

/**
 * Tokens that a language model puts after a prompt, one by one, each drawn from the distribution that the model gives
 * for what stands before it. It looks back on as many tokens as its context holds, the newest ones.
 *
 * @param prompt at least one token
 * @param separator the token between documents, which is never drawn: what it begins is another document
 * @throws AssayError PROMPT, SAMPLING
 */
export function* continueText(
  { model, compute, weights }: OpenModel<LanguageModel>,
  prompt: ArrayLike<number>,
  settings: SamplingSettings,
  random: Random,
  separator: number,
): Generator<number, never> {
  checkSampling(settings);
  const seen = Array.from(prompt);
  if (seen.length === 0) {
    throw new AssayError('PROMPT', {
      summary: 'there is nothing to continue',
      expected: 'a prompt of at least one token',
      received: 'an empty prompt',
    });
  }
  const { tf } = compute;
  const barred = new Set([separator]);
  for (;;) {
    const window = seen.slice(-model.context);
    const logits = tf.tidy(() => {
      const tokens = tf.tensor2d(window, [1, window.length], 'int32') as Tensor2D;
      const all = model.logits(compute, weights, tokens);
      return tf.slice(all, [0, window.length - 1, 0], [1, 1, model.vocabulary]).dataSync<'float32'>();
    });
    const token = sampleToken(logits, settings, random, barred);
    seen.push(token);
    yield token;
  }
}
