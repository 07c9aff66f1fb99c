/**
 * One token drawn from a model's logits: divided by a temperature, cut to the likeliest ones (top-k: Fan et al. 2018;
 * top-p or nucleus: Holtzman et al. 2020), and drawn with their probabilities.
 */
import { AssayError } from '../../protocol/errors.ts';
import type { Random } from '../random.ts';

export interface SamplingSettings {
  /** Divides the logits: 1 is the model's own distribution, below 1 sharper, 0 always the likeliest token. */
  readonly temperature: number;
  /** Only the k likeliest tokens; 0 for all. */
  readonly topK: number;
  /** The fewest likeliest tokens that together have this probability, 0..1; 1 for all. */
  readonly topP: number;
}

export const DEFAULT_SAMPLING: SamplingSettings = { temperature: 0.8, topK: 40, topP: 1 };

/** @throws AssayError `SAMPLING` naming the setting that makes no sense. */
export function checkSampling({ temperature, topK, topP }: SamplingSettings): void {
  const wrong = (expected: string, received: number) =>
    new AssayError('SAMPLING', { summary: 'tokens cannot be drawn that way', expected, received: String(received) });
  if (!(temperature >= 0 && temperature < Number.POSITIVE_INFINITY))
    throw wrong('a temperature of 0 or more', temperature);
  if (!(Number.isInteger(topK) && topK >= 0)) throw wrong('top-k as a whole number, 0 for all tokens', topK);
  if (!(topP > 0 && topP <= 1)) throw wrong('top-p above 0 and up to 1', topP);
}

/**
 * @param logits `[vocabulary]`
 * @param barred tokens that may not be drawn
 * @returns the token's number; of equal logits the lower number counts as likelier
 */
export function sampleToken(
  logits: Float32Array,
  { temperature, topK, topP }: SamplingSettings,
  random: Random,
  barred: ReadonlySet<number> = new Set(),
): number {
  const order = [...logits.keys()].filter((token) => !barred.has(token));
  order.sort((a, b) => logits[b]! - logits[a]! || a - b);
  if (temperature === 0) return order[0]!;
  const candidates = topK > 0 ? order.slice(0, topK) : order;
  const largest = logits[candidates[0]!]!;
  const weights = candidates.map((token) => Math.exp((logits[token]! - largest) / temperature));
  let kept = weights.reduce((sum, weight) => sum + weight, 0);
  let count = candidates.length;
  if (topP < 1) {
    const nucleus = kept * topP;
    kept = 0;
    count = 0;
    while (kept < nucleus) kept += weights[count++]!;
  }
  let left = random.nextFloat() * kept;
  for (let i = 0; i < count; i++) {
    left -= weights[i]!;
    if (left < 0) return candidates[i]!;
  }
  return candidates[count - 1]!; // rounding left a rest
}
