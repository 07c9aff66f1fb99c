/**
 * W of a whole rule: its stages one after the other, each a pure function of the Gram matrix of the rows that the ones
 * before it leave. With W = W2 W1 that matrix is W1 G W1^T, so no stage ever sees a coordinate.
 *
 * A stage works on rows as they are numbered before the common denominator is divided out: `scale` times the real ones.
 */
import type { Hex } from '../../encoding/bytes.ts';
import { AssayError } from '../../errors.ts';
import { gramEntry, type InnerProducts } from '../gram.ts';
import { type PreAggregation, type Rule, ruleName, usesHistory } from '../rule.ts';
import { composeMixing, type Mixing, mixGram, withPassingRow } from './mixing.ts';
import { multiKrum } from './multiKrum.ts';
import { nearestNeighborMixing } from './nearestNeighborMixing.ts';

/** How many of a row's d coordinates are above, at and below zero. */
export interface SignCounts {
  readonly positive: number;
  readonly zero: number;
  readonly negative: number;
}

/** What a stage may know besides the Gram matrix. */
export interface MixingContext {
  /** Participant index of every row; after bucketing, when rows are nobody's, their positions. */
  readonly indices: readonly number[];
  /** The round's seed, which the contract fixes only after commits are closed. */
  readonly seed: Hex;
  /** Per update; null unless `needsSigns(rule)`. */
  readonly signs: readonly SignCounts[] | null;
  /** d. */
  readonly dimension: number;
  /** The rows of the Gram matrix are this many times the real ones; 1 for updates. Lengths that a rule names are not. */
  readonly scale: bigint;
}

/**
 * One stage. `gram` is that of the rows, for centred clipping with the history row as its last.
 * Pure; the same for any scale of the rows but where the rule names a length.
 */
export type Stage = (gram: InnerProducts, rule: Rule, context: MixingContext) => Mixing;

const STAGES: Partial<Record<PreAggregation, Stage>> = {
  multiKrum: (gram, rule) => multiKrum(gram, rule.byzantine, rule.selected),
  nearestNeighborMixing: (gram, rule) => nearestNeighborMixing(gram, rule.byzantine),
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
    const mixing = stageOf(name)(passesHistory ? withoutLastRow(now) : now, rule, { ...context, indices, scale });
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

function stageOf(name: PreAggregation): Stage {
  const stage = STAGES[name];
  if (stage !== undefined) return stage;
  throw new AssayError('RULE_NAME', { summary: `this version of Assay cannot compute the stage ${name}` });
}

function withoutLastRow(gram: InnerProducts): InnerProducts {
  const n = gram.n - 1;
  const values: bigint[] = [];
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) values.push(gramEntry(gram, i, j));
  return { n, values };
}
