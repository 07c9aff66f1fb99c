import type { InnerProducts } from '../../../protocol/aggregation/gram.ts';
import type { Mixing } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import * as stages from '../../../protocol/aggregation/preAggregation/preAggregate.ts';
import type { Rule } from '../../../protocol/aggregation/rule.ts';
import type { RoundContext } from '../../../protocol/round/roundIo.ts';
import { plainContext } from '../../../protocol/round/roundIo.ts';

/** W = pre(G) of updates of participants 0 to n - 1, unless the context says otherwise. */
export function preAggregate(rule: Rule, gram: InnerProducts, context: RoundContext = plainContext(gram.n)): Mixing {
  return stages.preAggregate(rule, gram, { ...context, signs: null, dimension: 1 });
}
