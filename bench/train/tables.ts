/** The columns of the table, for the terminal and for docs/training.md. */
import { type Column, figure, times } from '../text.ts';
import { lossDifference, type TrainRow, timeOf } from './facts.ts';
import type { EngineName } from './plan.ts';

const TITLES: Readonly<Record<EngineName, string>> = {
  embedded: 'embedded ms',
  stock: 'stock ms',
  'tfjs-node': 'tfjs-node ms',
  pytorch: 'PyTorch ms',
};

export function trainColumns(engines: readonly EngineName[]): readonly Column<TrainRow>[] {
  const has = (engine: EngineName) => engines.includes(engine) && engines.includes('embedded');
  const columns: (Column<TrainRow> | null)[] = [
    { title: 'model', width: 44, cell: ({ title }) => title },
    { title: 'weights', width: 9, cell: ({ dimension }) => dimension.toLocaleString('en') },
    ...engines.map((engine) => ({ title: TITLES[engine], width: 12, cell: (row: TrainRow) => time(row, engine) })),
    has('pytorch') ? ratio('embedded / PyTorch', 'embedded', 'pytorch') : null,
    has('stock') ? ratio('stock / embedded', 'stock', 'embedded') : null,
    has('tfjs-node') ? ratio('embedded / tfjs-node', 'embedded', 'tfjs-node') : null,
    has('pytorch') ? { title: 'losses apart', width: 12, cell: (row) => apart(row, 'pytorch') } : null,
  ];
  return columns.filter((column) => column !== null);
}

function time(row: TrainRow, engine: EngineName): string {
  const milliseconds = timeOf(row, engine);
  return milliseconds === null ? '-' : figure(milliseconds);
}

function ratio(title: string, over: EngineName, under: EngineName): Column<TrainRow> {
  return {
    title,
    width: title.length,
    cell: (row) => {
      const [a, b] = [timeOf(row, over), timeOf(row, under)];
      return a === null || b === null ? '-' : times(a / b);
    },
  };
}

function apart(row: TrainRow, engine: EngineName): string {
  const difference = lossDifference(row, engine);
  return difference === null ? '-' : difference.toExponential(0);
}
