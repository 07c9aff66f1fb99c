import { combineChunk, combineDenominator } from '../../../protocol/aggregation/combine/combineChunk.ts';
import { gramOfRows } from '../../../protocol/aggregation/gram.ts';
import { type Mixing, mixChunk } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { preAggregate, type SignCounts } from '../../../protocol/aggregation/preAggregation/preAggregate.ts';
import { needsGram, needsSigns, type Rule, usesHistory } from '../../../protocol/aggregation/rule.ts';
import type { RoundContext } from '../../../protocol/round/roundIo.ts';
import { plainContext } from '../../../protocol/round/roundIo.ts';
import type { Aggregate } from './reference.ts';

/**
 * The history row of rows of that many coordinates, as after a round that moved every coordinate a little: 7, -6, 5,
 * ...
 */
export function sampleHistory(d: number): Int16Array {
  return Int16Array.from({ length: d }, (_, k) => (k % 2 === 0 ? 1 : -1) * (7 - (k % 8)));
}

export function signsOf(row: Int16Array): SignCounts {
  const count = (sign: number) => row.reduce((sum, value) => sum + Number(Math.sign(value) === sign), 0);
  return { positive: count(1), zero: count(0), negative: count(-1) };
}

/** The rows that a rule mixes: the updates, and the history row where it uses one. */
export function mixedRowsOf(rule: Rule, rows: readonly Int16Array[]): readonly Int16Array[] {
  return usesHistory(rule) ? [...rows, sampleHistory(rows[0]!.length)] : rows;
}

/** W of whole rows; null for a rule without. */
export function mixingOfRows(
  rule: Rule,
  rows: readonly Int16Array[],
  context: RoundContext = plainContext(rows.length),
): Mixing | null {
  if (!needsGram(rule)) return null;
  const signs = needsSigns(rule) ? rows.map(signsOf) : null;
  return preAggregate(rule, gramOfRows(mixedRowsOf(rule, rows)), { ...context, signs, dimension: rows[0]!.length });
}

/** What protocol/ makes of whole rows, before the server step. */
export function aggregateRows(
  rule: Rule,
  rows: readonly Int16Array[],
  context: RoundContext = plainContext(rows.length),
): Aggregate {
  const mixing = mixingOfRows(rule, rows, context);
  const mixed = mixing === null ? rows : mixChunk(mixing, mixedRowsOf(rule, rows));
  const numerators = combineChunk(rule.combine, rule.byzantine, mixed);
  const denominator = combineDenominator(rule.combine, mixed.length, rule.byzantine) * (mixing?.denominator ?? 1);
  return { numerators: Array.from(numerators, BigInt), denominator: BigInt(denominator) };
}

/** Whether two aggregates are the same rational numbers. */
export function sameAggregate(a: Aggregate, b: Aggregate): boolean {
  return (
    a.numerators.length === b.numerators.length &&
    a.numerators.every((numerator, k) => numerator * b.denominator === b.numerators[k]! * a.denominator)
  );
}
