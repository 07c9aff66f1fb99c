/**
 * The rules of docs/spec/rules.md once more, as naively as possible: big integers, distances straight from the
 * coordinates, stages applied to rows one after the other, no chunks. What protocol/aggregation is held to.
 */
import { adaptiveClipping } from '../../../protocol/aggregation/preAggregation/adaptiveClipping.ts';
import { bucketing } from '../../../protocol/aggregation/preAggregation/bucketing.ts';
import { centeredClipping } from '../../../protocol/aggregation/preAggregation/centeredClipping.ts';
import { covarianceFilter } from '../../../protocol/aggregation/preAggregation/covarianceFilter.ts';
import { flTrust } from '../../../protocol/aggregation/preAggregation/flTrust.ts';
import { foolsGold } from '../../../protocol/aggregation/preAggregation/foolsGold.ts';
import { geometricMedian } from '../../../protocol/aggregation/preAggregation/geometricMedian.ts';
import { minimumDiameter } from '../../../protocol/aggregation/preAggregation/minimumDiameter.ts';
import { monna } from '../../../protocol/aggregation/preAggregation/monna.ts';
import { signGuard } from '../../../protocol/aggregation/preAggregation/signGuard.ts';
import type { Stage } from '../../../protocol/aggregation/preAggregation/stage.ts';
import type { PreAggregation, Rule } from '../../../protocol/aggregation/rule.ts';
import type { RoundContext } from '../../../protocol/round/roundIo.ts';
import { plainContext } from '../../../protocol/round/roundIo.ts';

export interface Aggregate {
  readonly numerators: bigint[];
  readonly denominator: bigint;
}

/** A row of updates, or of what mixing made of them. */
type Row = ArrayLike<number | bigint>;

const sum = (values: readonly bigint[]) => values.reduce((a, b) => a + b, 0n);
const ascending = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);

export function distance(x: Row, y: Row): bigint {
  return sum(Array.from(x, (value, k) => (BigInt(value) - BigInt(y[k]!)) ** 2n));
}

/** The other rows, nearest first, the lower index first among equals. */
function neighbours(rows: readonly Row[], i: number): number[] {
  const others = rows.map((_, j) => j).filter((j) => j !== i);
  const far = rows.map((row) => distance(rows[i]!, row));
  return others.sort((a, b) => ascending(far[a]!, far[b]!) || a - b);
}

export function referenceKrumScores(rows: readonly Row[], f: number): bigint[] {
  const n = rows.length;
  return rows.map((row, i) =>
    sum(
      neighbours(rows, i)
        .slice(0, n - f - 2)
        .map((j) => distance(row, rows[j]!)),
    ),
  );
}

export function referenceSelection(rows: readonly Row[], f: number, selected: number): number[] {
  const scores = referenceKrumScores(rows, f);
  const order = rows.map((_, i) => i).sort((a, b) => ascending(scores[a]!, scores[b]!) || a - b);
  return order.slice(0, selected || rows.length - f).sort((a, b) => a - b);
}

type BigRows = readonly (readonly bigint[])[];

const dot = (x: readonly bigint[], y: readonly bigint[]) => sum(x.map((value, k) => value * y[k]!));

/** Rows over a denominator that they have in common. */
interface Scaled {
  readonly rows: BigRows;
  readonly denominator: bigint;
}

/** Stages whose definition is short enough to be said again. */
function definedStage(name: PreAggregation, rule: Rule, rows: BigRows): Scaled | null {
  const { byzantine: f, selected } = rule;
  const n = rows.length;
  const pick = (indices: readonly number[]) => ({ rows: indices.map((i) => rows[i]!), denominator: 1n });
  if (name === 'multiKrum') return pick(referenceSelection(rows, f, selected));
  if (name === 'nearestNeighborMixing') {
    const near = (i: number) => [i, ...neighbours(rows, i).slice(0, n - f - 1)];
    const mixed = rows.map((row, i) => row.map((_value, k) => sum(near(i).map((j) => rows[j]![k]!))));
    return { rows: mixed, denominator: BigInt(n - f) };
  }
  if (name === 'iteratedKrum') {
    let left = rows.map((_, i) => i);
    const taken: number[] = [];
    while (taken.length < n - 2 * f) {
      const count = Math.max(1, left.length - f - 2);
      const scores = left.map((i) => {
        const far = left.filter((j) => j !== i).map((j) => distance(rows[i]!, rows[j]!));
        return sum(far.sort(ascending).slice(0, count));
      });
      const best = left[scores.indexOf([...scores].sort(ascending)[0]!)]!;
      taken.push(best);
      left = left.filter((i) => i !== best);
    }
    return pick(taken.sort((a, b) => a - b));
  }
  return null;
}

/** The other stages, whose own tests hold their weights to the papers: here, W on the rows as they are. */
const WEIGHING: Partial<Record<PreAggregation, Stage>> = {
  adaptiveClipping,
  bucketing,
  centeredClipping,
  covarianceFilter,
  flTrust,
  foolsGold,
  geometricMedian,
  minimumDiameter,
  monna,
  signGuard,
};

/** Stage by stage on the rows themselves: what one product of matrices must be equal to. */
function mixedByStages(rule: Rule, updates: BigRows, history: readonly bigint[], context: RoundContext): Scaled {
  let rows = updates;
  let memory = history;
  let scale = 1n;
  let { indices } = context;
  const signs = updates.map((row) => ({
    positive: row.filter((x) => x > 0n).length,
    zero: row.filter((x) => x === 0n).length,
    negative: row.filter((x) => x < 0n).length,
  }));
  for (const name of rule.preAggregations) {
    let next = definedStage(name, rule, rows);
    if (next === null) {
      const known = name === 'centeredClipping' ? [...rows, memory] : rows;
      const values = known.flatMap((x, i) => known.slice(i).map((y) => dot(x, y)));
      const gram = { n: known.length, values };
      const dimension = updates[0]!.length;
      const mixing = WEIGHING[name]!(gram, rule, { ...context, indices, signs, dimension, scale });
      const weight = (r: number, i: number) => BigInt(mixing.weights[r * known.length + i]!);
      const mixed = Array.from({ length: mixing.rows }, (_, r) =>
        known[0]!.map((_value, k) => sum(known.map((row, i) => weight(r, i) * row[k]!))),
      );
      next = { rows: mixed, denominator: BigInt(mixing.denominator) };
      if (name === 'bucketing') indices = mixed.map((_, r) => r);
    }
    memory = memory.map((value) => value * next.denominator);
    scale *= next.denominator;
    ({ rows } = next);
  }
  return { rows, denominator: scale };
}

/** @param history used by centred clipping alone */
export function referenceAggregate(
  rule: Rule,
  updates: readonly ArrayLike<number>[],
  history: ArrayLike<number> = [],
  context: RoundContext = plainContext(updates.length),
): Aggregate {
  const { combine, byzantine: f } = rule;
  const big = updates.map((row) => Array.from(row, BigInt));
  const { rows: mixed, denominator: scale } = mixedByStages(rule, big, Array.from(history, BigInt), context);
  const d = mixed[0]!.length;
  const m = mixed.length;
  const columns = Array.from({ length: d }, (_, k) => mixed.map((row) => row[k]!).sort(ascending));
  if (combine === 'mean') return { numerators: columns.map(sum), denominator: scale * BigInt(m) };
  if (combine === 'trimmedMean') {
    return { numerators: columns.map((column) => sum(column.slice(f, m - f))), denominator: scale * BigInt(m - 2 * f) };
  }
  if (combine === 'meaMed' || combine === 'bulyan') {
    const count = combine === 'meaMed' ? m - f : m - 2 * f;
    const nearest = columns.map((column) => {
      const center = column[Math.floor((m - 1) / 2)]! + column[Math.floor(m / 2)]!;
      const far = (x: bigint) => (2n * x < center ? center - 2n * x : 2n * x - center);
      return sum([...column].sort((a, b) => ascending(far(a), far(b)) || ascending(a, b)).slice(0, count));
    });
    return { numerators: nearest, denominator: scale * BigInt(count) };
  }
  // Twice the median, whatever the parity of m.
  const numerators = columns.map((column) => column[Math.floor((m - 1) / 2)]! + column[Math.floor(m / 2)]!);
  return { numerators, denominator: 2n * scale };
}
