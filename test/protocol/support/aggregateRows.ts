import { combineChunk, combineDenominator } from '../../../protocol/aggregation/combine/combineChunk.ts';
import { gramOfRows } from '../../../protocol/aggregation/gram.ts';
import { mixChunk } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { needsGram, type Rule } from '../../../protocol/aggregation/rule.ts';
import { preAggregate } from './preAggregateRows.ts';
import type { Aggregate } from './reference.ts';

/** What protocol/ makes of whole rows, before the server step. */
export function aggregateRows(rule: Rule, rows: readonly Int16Array[]): Aggregate {
  const mixing = needsGram(rule) ? preAggregate(rule, gramOfRows(rows)) : null;
  const mixed = mixing === null ? rows : mixChunk(mixing, rows);
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
