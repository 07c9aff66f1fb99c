/**
 * Where a value stands in a plot. Accuracies have a scale of their own, 0 to 1. Perplexities differ by powers of ten, so they
 * stand by their logarithms between the lowest and the highest of a table; bounds between the same, as they are.
 */
import type { ResultTable } from './tables.ts';

export interface Scale {
  /** 0 at the bottom of a chart, 1 at its top. */
  height(value: number): number;
  /** What stands beside a height. */
  tick(height: number): string;
  /** From 0, the worst, to 1; NaN for what is no value. @param shown as in the table */
  goodness(shown: string): number;
}

export function scaleOf({ measure, rows }: Pick<ResultTable, 'measure' | 'rows'>): Scale {
  if (measure.name === 'accuracy') {
    return { height: (value) => value, tick: (height) => height.toFixed(1), goodness: Number };
  }
  const isLog = measure.better === 'lower';
  const to = isLog ? Math.log : (value: number) => value;
  const back = isLog ? Math.exp : (value: number) => value;
  const all = rows.flatMap(({ entries }) => entries.flatMap(({ curve }) => curve.map(({ value }) => to(value))));
  const finite = all.filter(Number.isFinite);
  const [low, high] = finite.length === 0 ? [0, 1] : [Math.min(...finite), Math.max(...finite)];
  const span = high > low ? high - low : 1;
  // A ruined model's value is none: it stands at the edge.
  const height = (value: number): number => Math.max(0, Math.min(1, (to(value) - low) / span));
  return {
    height,
    tick: (part) => Number(back(low + part * span).toPrecision(2)).toString(),
    goodness(shown) {
      const value = shown.endsWith('inf') ? measure.worst : Number(shown);
      return isLog ? 1 - height(value) : height(value);
    },
  };
}
