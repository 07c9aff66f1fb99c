/**
 * W of a whole rule: its stages one after the other, each a pure function of the Gram matrix of the rows that the ones
 * before it leave. With W = W2 W1 that matrix is W1 G W1^T, so no stage ever sees a coordinate.
 *
 * A stage works on rows as they are numbered before the common denominator is divided out: `scale` times the real ones.
 */
import { AssayError } from '../../errors.ts';
import { gramEntry, type InnerProducts } from '../gram.ts';
import { type PreAggregation, type Rule, ruleName, usesHistory } from '../rule.ts';
import { adaptiveClipping } from './adaptiveClipping.ts';
import { bucketing } from './bucketing.ts';
import { centeredClipping } from './centeredClipping.ts';
import { covarianceFilter } from './covarianceFilter.ts';
import { flTrust } from './flTrust.ts';
import { foolsGold } from './foolsGold.ts';
import { geometricMedian } from './geometricMedian.ts';
import { iteratedKrum } from './iteratedKrum.ts';
import { minimumDiameter } from './minimumDiameter.ts';
import { composeMixing, type Mixing, mixGram, withPassingRow } from './mixing.ts';
import { monna } from './monna.ts';
import { multiKrum } from './multiKrum.ts';
import { nearestNeighborMixing } from './nearestNeighborMixing.ts';
import { signGuard } from './signGuard.ts';
import type { MixingContext, Stage } from './stage.ts';

export type { MixingContext, SignCounts, Stage } from './stage.ts';

const STAGES: Record<PreAggregation, Stage> = {
  multiKrum: (gram, rule) => multiKrum(gram, rule.byzantine, rule.selected),
  nearestNeighborMixing: (gram, rule) => nearestNeighborMixing(gram, rule.byzantine),
  bucketing,
  adaptiveClipping,
  iteratedKrum,
  geometricMedian,
  centeredClipping,
  minimumDiameter,
  monna,
  covarianceFilter,
  foolsGold,
  signGuard,
  flTrust,
};

/**
 * W = pre(G). `gram` is that of the updates, with the history row as its last exactly when `usesHistory(rule)`, as the
 * columns of the result are; `context.indices` are those of the updates, its scale is 1.
 * @throws AssayError `NO_GRAM` for a rule without stages.
 */
export function preAggregate(rule: Rule, gram: InnerProducts, context: Omit<MixingContext, 'scale'>): Mixing {
  let total: Mixing | null = null;
  let { indices } = context;
  for (const name of rule.preAggregations) {
    const takesHistory = name === 'centeredClipping';
    const passesHistory = usesHistory(rule) && !takesHistory;
    const now: InnerProducts = total === null ? gram : mixGram(total, gram);
    const scale = BigInt(total?.denominator ?? 1);
    const mixing = STAGES[name](passesHistory ? withoutLastRow(now) : now, rule, { ...context, indices, scale });
    const whole = passesHistory ? withPassingRow(mixing) : mixing;
    total = total === null ? whole : composeMixing(whole, total);
    if (name === 'bucketing') indices = Array.from({ length: mixing.rows }, (_, r) => r);
  }
  if (total !== null) return total;
  throw new AssayError('NO_GRAM', {
    summary: 'this rule has no Gram and no mixing matrix',
    expected: 'a rule with a pre-aggregation (see needsGram)',
    received: ruleName(rule),
  });
}

function withoutLastRow(gram: InnerProducts): InnerProducts {
  const n = gram.n - 1;
  const values: bigint[] = [];
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) values.push(gramEntry(gram, i, j));
  return { n, values };
}
