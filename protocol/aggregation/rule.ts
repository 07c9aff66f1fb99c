/**
 * A robust rule is two small pieces: an integer mixing matrix computed from the Gram matrix (`preAggregation`), then a
 * coordinate-wise `combine` of the mixed rows. This file names the rules and says what each needs; the pieces are in
 * `preAggregation/` and `combine/`.
 */
import { AssayError } from '../errors.ts';

/** In the order of the Solidity enum `PreAggregation`. */
export const PRE_AGGREGATIONS = ['none', 'multiKrum', 'nearestNeighborMixing'] as const;
export type PreAggregation = (typeof PRE_AGGREGATIONS)[number];

/** In the order of the Solidity enum `Combine`. */
export const COMBINES = ['mean', 'median', 'trimmedMean'] as const;
export type Combine = (typeof COMBINES)[number];

export interface Rule {
  readonly preAggregation: PreAggregation;
  readonly combine: Combine;
  /** f: Byzantine participants tolerated. */
  readonly byzantine: number;
  /** m of Multi-Krum; 0 stands for n - f. Zero for every other rule. */
  readonly selected: number;
}

/** Most participants in a round: the largest n whose fraud proofs fit in one transaction. Bounds every sum below. */
export const MAX_PARTICIPANTS = 100;

const NAMES: Record<string, Pick<Rule, 'preAggregation' | 'combine'> & { readonly selected?: number }> = {
  fedavg: { preAggregation: 'none', combine: 'mean' },
  median: { preAggregation: 'none', combine: 'median' },
  'trimmed-mean': { preAggregation: 'none', combine: 'trimmedMean' },
  krum: { preAggregation: 'multiKrum', combine: 'mean', selected: 1 },
  'multi-krum': { preAggregation: 'multiKrum', combine: 'mean' },
  'nnm+fedavg': { preAggregation: 'nearestNeighborMixing', combine: 'mean' },
  'nnm+median': { preAggregation: 'nearestNeighborMixing', combine: 'median' },
  'nnm+trimmed-mean': { preAggregation: 'nearestNeighborMixing', combine: 'trimmedMean' },
};

/** What `parseRule` takes and `ruleName` gives. */
export const RULE_NAMES: readonly string[] = Object.keys(NAMES);

/**
 * The rule of that name. `byzantine` is f; plain averaging ignores it. `selected` is m of `multi-krum`;
 * 0 or none: n - f.
 * @throws AssayError `RULE_NAME` for an unknown name, `RULE_PARAMETERS` for an m that the rule would ignore.
 * @example
 * parseRule('nnm+trimmed-mean', 2);
 * // { preAggregation: 'nearestNeighborMixing', combine: 'trimmedMean', byzantine: 2, selected: 0 }
 */
export function parseRule(name: string, byzantine: number, selected?: number): Rule {
  const pieces = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
  if (pieces === undefined) {
    throw new AssayError('RULE_NAME', {
      summary: 'no such aggregation rule',
      expected: RULE_NAMES.join(' | '),
      received: name,
    });
  }
  const { preAggregation, combine, selected: fixed } = pieces;
  const rule = { preAggregation, combine, byzantine: name === 'fedavg' ? 0 : byzantine };
  if (name === 'multi-krum') return { ...rule, selected: selected ?? 0 };
  const result = { ...rule, selected: fixed ?? 0 };
  if (selected) {
    const received = { ...result, selected };
    if (selected !== fixed) throw ruleError(received, `no choice of m for ${name}; only multi-krum has one`);
  }
  return result;
}

/** The name that `parseRule` understands. */
export function ruleName(rule: Rule): string {
  if (rule.preAggregation === 'multiKrum') return rule.selected === 1 ? 'krum' : 'multi-krum';
  return RULE_NAMES.find(
    (name) => NAMES[name]!.preAggregation === rule.preAggregation && NAMES[name]!.combine === rule.combine,
  )!;
}

/** Whether the rule needs the Gram matrix of the updates. */
export function needsGram(rule: Rule): boolean {
  return rule.preAggregation !== 'none';
}

/**
 * Fewest updates the rule is defined for: 2f + 1, in the Krum family 2f + 3 and at least m + f (Blanchard et al. 2017,
 * section 4; Yin et al. 2018). The Solidity twin is contracts/libraries/RuleParameters.sol.
 * @throws AssayError `RULE_PARAMETERS` for parameters that no number of participants can satisfy.
 */
export function minimumUpdates(rule: Rule): number {
  const { byzantine: f, selected: m, preAggregation, combine } = rule;
  if (!Number.isInteger(f) || f < 0 || !Number.isInteger(m) || m < 0) {
    throw ruleError(rule, 'f and m are whole numbers, 0 or more');
  }
  if (preAggregation !== 'multiKrum' && m !== 0) throw ruleError(rule, 'm is for the Krum family only');
  if (preAggregation === 'multiKrum' && combine !== 'mean') throw ruleError(rule, 'Krum selects rows for a mean');
  const least = preAggregation === 'multiKrum' ? Math.max(2 * f + 3, m + f) : 2 * f + 1;
  if (least > MAX_PARTICIPANTS)
    throw ruleError(rule, `at most ${MAX_PARTICIPANTS} participants; this rule needs ${least}`);
  return least;
}

/** @throws AssayError `TOO_FEW_UPDATES` when n rows are not enough for the rule, or more than MAX_PARTICIPANTS. */
export function checkRowCount(rule: Rule, n: number): void {
  const least = minimumUpdates(rule);
  if (n < least || n > MAX_PARTICIPANTS) {
    throw new AssayError('TOO_FEW_UPDATES', {
      summary: `${ruleName(rule)} with f = ${rule.byzantine} is not defined for this number of updates`,
      expected: `${least} to ${MAX_PARTICIPANTS} updates`,
      received: String(n),
    });
  }
}

function ruleError(rule: Rule, expected: string): AssayError {
  return new AssayError('RULE_PARAMETERS', {
    summary: 'impossible rule parameters',
    expected,
    received: `${rule.preAggregation} + ${rule.combine}, f = ${rule.byzantine}, m = ${rule.selected}`,
  });
}
