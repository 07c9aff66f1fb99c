/**
 * The rules of docs/spec/rules.md once more, as naively as possible: big integers, distances straight from the coordinates,
 * no Gram matrix, no chunks. What protocol/aggregation is held to.
 */
import type { Rule } from '../../../protocol/aggregation/rule.ts';

export interface Aggregate {
  readonly numerators: bigint[];
  readonly denominator: bigint;
}

const sum = (values: readonly bigint[]) => values.reduce((a, b) => a + b, 0n);
const ascending = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);

export function distance(x: ArrayLike<number>, y: ArrayLike<number>): bigint {
  return sum(Array.from(x, (value, k) => BigInt(value - y[k]!) ** 2n));
}

/** The other rows, nearest first, the lower index first among equals. */
function neighbours(rows: readonly ArrayLike<number>[], i: number): number[] {
  const others = rows.map((_, j) => j).filter((j) => j !== i);
  const far = rows.map((row) => distance(rows[i]!, row));
  return others.sort((a, b) => ascending(far[a]!, far[b]!) || a - b);
}

export function referenceKrumScores(rows: readonly ArrayLike<number>[], f: number): bigint[] {
  const n = rows.length;
  return rows.map((row, i) =>
    sum(
      neighbours(rows, i)
        .slice(0, n - f - 2)
        .map((j) => distance(row, rows[j]!)),
    ),
  );
}

export function referenceSelection(rows: readonly ArrayLike<number>[], f: number, selected: number): number[] {
  const scores = referenceKrumScores(rows, f);
  const order = rows.map((_, i) => i).sort((a, b) => ascending(scores[a]!, scores[b]!) || a - b);
  return order.slice(0, selected || rows.length - f).sort((a, b) => a - b);
}

export function referenceAggregate(rule: Rule, rows: readonly ArrayLike<number>[]): Aggregate {
  const { combine, byzantine: f, selected } = rule;
  const preAggregation = rule.preAggregations[0];
  const n = rows.length;
  let mixed: bigint[][] = rows.map((row) => Array.from(row, BigInt));
  let scale = 1n;
  if (preAggregation === 'multiKrum') {
    mixed = referenceSelection(rows, f, selected).map((i) => mixed[i]!);
  } else if (preAggregation === 'nearestNeighborMixing') {
    scale = BigInt(n - f);
    mixed = rows.map((_, i) => {
      const group = [i, ...neighbours(rows, i).slice(0, n - f - 1)];
      return Array.from(rows[i]!, (_value, k) => sum(group.map((j) => BigInt(rows[j]![k]!))));
    });
  }
  const d = mixed[0]!.length;
  const m = mixed.length;
  const columns = Array.from({ length: d }, (_, k) => mixed.map((row) => row[k]!).sort(ascending));
  if (combine === 'mean') return { numerators: columns.map(sum), denominator: scale * BigInt(m) };
  if (combine === 'trimmedMean') {
    return { numerators: columns.map((column) => sum(column.slice(f, m - f))), denominator: scale * BigInt(m - 2 * f) };
  }
  if (combine === 'meaMed') {
    const nearest = columns.map((column) => {
      const center = column[Math.floor((m - 1) / 2)]! + column[Math.floor(m / 2)]!;
      const far = (x: bigint) => (2n * x < center ? center - 2n * x : 2n * x - center);
      return sum([...column].sort((a, b) => ascending(far(a), far(b)) || ascending(a, b)).slice(0, m - f));
    });
    return { numerators: nearest, denominator: scale * BigInt(m - f) };
  }
  // Twice the median, whatever the parity of m.
  const numerators = columns.map((column) => column[Math.floor((m - 1) / 2)]! + column[Math.floor(m / 2)]!);
  return { numerators, denominator: 2n * scale };
}
