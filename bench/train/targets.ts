/** What the embedded engine is to reach, judged by one run. Only what was measured is judged. */
import type { TargetRow } from '../facts.ts';
import { times } from '../text.ts';
import { lossDifference, type TrainRow, timeOf } from './facts.ts';
import { SAME_LOSS, TRAIN_CASES } from './plan.ts';

export function judgeTraining(rows: readonly TrainRow[]): TargetRow[] {
  const targets: TargetRow[] = [];
  for (const row of rows) {
    const { atMostTimesPytorch, atLeastTimesStock } = TRAIN_CASES.find(({ name }) => name === row.name)!;
    const [embedded, pytorch, stock] = [timeOf(row, 'embedded'), timeOf(row, 'pytorch'), timeOf(row, 'stock')];
    if (embedded !== null && pytorch !== null) {
      targets.push({
        target: `${row.title}: time of PyTorch, one thread`,
        wanted: `at most ${atMostTimesPytorch} x`,
        reached: `${(embedded / pytorch).toFixed(2)} x`,
        isReached: embedded <= atMostTimesPytorch * pytorch,
      });
    }
    if (embedded !== null && stock !== null && atLeastTimesStock !== undefined) {
      targets.push({
        target: `${row.title}: as fast as stock TF.js WASM`,
        wanted: `at least ${atLeastTimesStock} x`,
        reached: times(stock / embedded),
        isReached: stock >= atLeastTimesStock * embedded,
      });
    }
  }
  return targets;
}

/** A line for every engine whose losses are not those of the embedded engine: it did other work. */
export function differingLosses(row: TrainRow): string[] {
  return row.engines.flatMap(({ engine }) => {
    const difference = lossDifference(row, engine);
    if (difference === null || difference <= SAME_LOSS) return [];
    return [`note: ${engine}'s losses of ${row.title} differ by ${(100 * difference).toFixed(2)} %`];
  });
}
