import type { Cell } from '../../../client/simulation/cell.ts';
import { cellsOf, checkGrid, type Grid } from '../../../client/simulation/grid.ts';

/** A grid over the small data of the other tests, whose runs take milliseconds. */
export function smallGrid(more: Record<string, unknown> = {}): Grid {
  return checkGrid(
    {
      format: 'assay-grid/1',
      name: 'small',
      hidden: [],
      participants: 7,
      byzantine: 2,
      rounds: 3,
      training: { localSteps: 2, batchSize: 8, learningRate: 0.2, workerMomentum: 0.5 },
      rules: ['nnm+trimmed-mean'],
      alphas: [1],
      seeds: [1],
      ...more,
    },
    'test',
  );
}

export const smallCell = (more: Record<string, unknown> = {}): Cell => cellsOf(smallGrid(more))[0]!;
