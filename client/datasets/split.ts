import { AssayError } from '../../protocol/errors.ts';
import { createRandom, permutation, type SeedPart } from '../random.ts';
import { type Dataset, type DatasetSplit, takeRows } from './dataset.ts';

/**
 * Keeps a seeded random share of the samples away from training; both sides keep at least one.
 * @throws AssayError HOLD_OUT
 */
export function holdOut(dataset: Dataset, share: number, seed: SeedPart): DatasetSplit {
  const held = Math.max(1, Math.round(dataset.size * share));
  if (!(share > 0 && share < 1) || held >= dataset.size) {
    throw new AssayError('HOLD_OUT', {
      summary: `${dataset.name} cannot be split into training and held-out samples`,
      expected: 'a share between 0 and 1 that leaves samples on both sides',
      received: `share ${share} of ${dataset.size} samples`,
      fix: 'use holdout=0.2, or more data',
    });
  }
  const order = permutation(createRandom(seed, 'hold-out'), dataset.size);
  return {
    test: takeRows(dataset, order.slice(0, held).sort()),
    train: takeRows(dataset, order.slice(held).sort()),
  };
}
