import { type Combine, PRE_AGGREGATIONS, type PreAggregation, type Rule } from '../../../protocol/aggregation/rule.ts';

/** As the test vectors write a rule: one stage at most, and what is left out is zero. */
export interface PlainRule {
  readonly preAggregation: (typeof PRE_AGGREGATIONS)[number];
  readonly combine: Combine;
  readonly byzantine: number;
  readonly selected: number;
}

/** The rule of those pieces. */
export function ruleOf(preAggregation: string, combine: string, byzantine: number, selected = 0): Rule {
  const others = { bucketSize: 0, iterations: 0, reference: 0, radius: 0n };
  const preAggregations = preAggregation === 'none' ? [] : [preAggregation as PreAggregation];
  return { preAggregations, combine: combine as Combine, byzantine, selected, ...others };
}

/** The rule that a vector means. */
export function plainRule({ preAggregation, combine, byzantine, selected }: PlainRule): Rule {
  return ruleOf(preAggregation, combine, byzantine, selected);
}

/** Its first stage by its number on the chain. */
export function stageNumber({ preAggregations }: Pick<Rule, 'preAggregations'>): number {
  return PRE_AGGREGATIONS.indexOf(preAggregations[0] ?? 'none');
}
