/**
 * What the tests of single stages share: rules and contexts with one thing set, floats of a mixing, Gram matrices
 * nobody has.
 */
import fc from 'fast-check';
import type { InnerProducts } from '../../../protocol/aggregation/gram.ts';
import type { Mixing } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import type { MixingContext } from '../../../protocol/aggregation/preAggregation/stage.ts';
import type { Rule } from '../../../protocol/aggregation/rule.ts';
import { ZERO_HASH } from '../../../protocol/encoding/bytes.ts';

export function ruleWith(parts: Partial<Rule>): Rule {
  return {
    preAggregations: [],
    combine: 'mean',
    byzantine: 0,
    selected: 0,
    bucketSize: 0,
    iterations: 0,
    reference: 0,
    radius: 0n,
    ...parts,
  };
}

/** Participants 10, 11, 12, ...: an index is not a position. */
export function contextOf(rows: readonly ArrayLike<number>[], parts: Partial<MixingContext> = {}): MixingContext {
  const count = (row: ArrayLike<number>, sign: number) => Array.from(row).filter((v) => Math.sign(v) === sign).length;
  return {
    indices: rows.map((_, i) => 10 + i),
    seed: ZERO_HASH,
    signs: rows.map((row) => ({ positive: count(row, 1), zero: count(row, 0), negative: count(row, -1) })),
    dimension: rows[0]?.length ?? 0,
    scale: 1n,
    ...parts,
  };
}

export function rowsFrom(values: readonly (readonly number[])[]): Int16Array[] {
  return values.map((row) => Int16Array.from(row));
}

/** W over its denominator. */
export function shares({ rows, columns, weights, denominator }: Mixing): number[][] {
  return Array.from({ length: rows }, (_, r) =>
    Array.from(weights.subarray(r * columns, (r + 1) * columns), (weight) => weight / denominator),
  );
}

/** The first mixed row, in floats. */
export function mixedRow(mixing: Mixing, rows: readonly ArrayLike<number>[]): number[] {
  return weightedSum(shares(mixing)[0]!, rows);
}

export function weightedSum(weights: readonly number[], rows: readonly ArrayLike<number>[]): number[] {
  return Array.from(rows[0]!, (_, k) => rows.reduce((sum, row, i) => sum + weights[i]! * row[k]!, 0));
}

export function norm(x: ArrayLike<number>): number {
  return Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));
}

export function minus(x: ArrayLike<number>, y: ArrayLike<number>): number[] {
  return Array.from(x, (value, k) => value - y[k]!);
}

export function dot(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return Array.from(x).reduce((sum, value, k) => sum + value * y[k]!, 0);
}

/** Symmetric matrices of any integers: what a dishonest aggregator may publish as a Gram matrix. */
export function madeUpGram(n: number): fc.Arbitrary<InnerProducts> {
  const entry = fc.oneof(
    fc.bigInt({ min: -3n, max: 3n }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -(2n ** 100n), max: 2n ** 100n }),
  );
  const length = (n * (n + 1)) / 2;
  return fc.array(entry, { minLength: length, maxLength: length }).map((values) => ({ n, values }));
}

/** Rows over d coordinates in general position: no ties worth speaking of. */
export function spreadRows(n: number, d: number, size = 20_000): fc.Arbitrary<Int16Array[]> {
  const value = fc.integer({ min: -size, max: size });
  const row = fc.array(value, { minLength: d, maxLength: d }).map((values) => Int16Array.from(values));
  return fc.array(row, { minLength: n, maxLength: n });
}
