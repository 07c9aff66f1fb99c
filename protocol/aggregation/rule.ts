/**
 * A robust rule is two small pieces: integer mixing matrices computed from the Gram matrix (`preAggregations`, applied
 * one after the other), then a coordinate-wise `combine` of the mixed rows. This file names the rules and says what
 * each needs; the pieces are in `preAggregation/` and `combine/`. Spec: docs/spec/rules.md.
 */
import { AssayError } from '../errors.ts';

/** In the order of the Solidity enum `PreAggregation`. 'none' never appears in a rule. */
export const PRE_AGGREGATIONS = [
  'none',
  'multiKrum',
  'nearestNeighborMixing',
  'bucketing',
  'adaptiveClipping',
  'iteratedKrum',
  'geometricMedian',
  'centeredClipping',
  'minimumDiameter',
  'monna',
  'covarianceFilter',
  'foolsGold',
  'signGuard',
  'flTrust',
] as const;
export type PreAggregation = Exclude<(typeof PRE_AGGREGATIONS)[number], 'none'>;

/** In the order of the Solidity enum `Combine`. */
export const COMBINES = ['mean', 'median', 'trimmedMean', 'meaMed', 'bulyan'] as const;
export type Combine = (typeof COMBINES)[number];

export interface Rule {
  /** Stages in the order in which they are applied; none: the rows are the updates. At most MAX_STAGES. */
  readonly preAggregations: readonly PreAggregation[];
  readonly combine: Combine;
  /** f: Byzantine participants tolerated. */
  readonly byzantine: number;
  /** m of Multi-Krum; 0 stands for n - f. Zero for every other rule. */
  readonly selected: number;
  /** s of bucketing; zero for every other rule. */
  readonly bucketSize: number;
  /** T of the geometric median, L of centred clipping; zero for every other rule. */
  readonly iterations: number;
  /** Participant index of FLTrust's root and of MoNNA's own row; zero for every other rule. */
  readonly reference: number;
  /** tau of centred clipping in units of 2^-G; zero for every other rule. */
  readonly radius: bigint;
}

/** Most participants in a round: the largest n whose fraud proofs fit in one transaction. Bounds every sum below. */
export const MAX_PARTICIPANTS = 100;
/** Most stages of a rule: the chain packs them into 32 bits. */
const MAX_STAGES = 4;
const MAX_ITERATIONS = 64;
/** Greatest f of minimum-diameter averaging, whose search may take 1.7^f steps. */
export const MAX_DIAMETER_BYZANTINE = 12;

/** Stages that leave rows for what follows; the others end in the aggregate and are last. */
const PREPARING: ReadonlySet<PreAggregation> = new Set(['nearestNeighborMixing', 'bucketing', 'adaptiveClipping']);
/** Stages that look for one participant's row, which bucketing would take away. */
const REFERENCES: ReadonlySet<PreAggregation> = new Set(['monna', 'flTrust']);
const ITERATES: ReadonlySet<PreAggregation> = new Set(['geometricMedian', 'centeredClipping']);
/** Each alone; their arithmetic fits in one transaction. */
const ENFORCEABLE_STAGES: ReadonlySet<PreAggregation> = new Set(['multiKrum', ...PREPARING]);

const STAGE_NAMES: Record<PreAggregation, string> = {
  multiKrum: 'multi-krum',
  nearestNeighborMixing: 'nnm',
  bucketing: 'bucketing',
  adaptiveClipping: 'arc',
  iteratedKrum: 'bulyan',
  geometricMedian: 'geometric-median',
  centeredClipping: 'centered-clipping',
  minimumDiameter: 'mda',
  monna: 'monna',
  covarianceFilter: 'caf',
  foolsGold: 'foolsgold',
  signGuard: 'signguard',
  flTrust: 'fltrust',
};
const COMBINE_NAMES: Record<Combine, string> = {
  mean: 'fedavg',
  median: 'median',
  trimmedMean: 'trimmed-mean',
  meaMed: 'meamed',
  bulyan: 'bulyan',
};
const KRUM = 'krum';

/** What `parseRule` takes and `ruleName` gives, stages before it joined by `+`: the last word of a rule's name. */
export const LAST_WORDS: readonly string[] = [
  ...Object.values(COMBINE_NAMES).filter((name) => name !== 'bulyan'),
  KRUM,
  ...Object.entries(STAGE_NAMES).flatMap(([stage, name]) => (PREPARING.has(stage as PreAggregation) ? [] : [name])),
];
/** The words that may come before it. */
export const FIRST_WORDS: readonly string[] = [...PREPARING].map((stage) => STAGE_NAMES[stage]);

/** Rules by name that stand for all others in tests and help texts; `parseRule` takes any composition. */
export const RULE_NAMES: readonly string[] = [
  'fedavg',
  'median',
  'trimmed-mean',
  'meamed',
  'krum',
  'multi-krum',
  'nnm+fedavg',
  'nnm+median',
  'nnm+trimmed-mean',
  'nnm+meamed',
];

/** What a rule's name leaves open. */
export interface RuleOptions {
  /** m of `multi-krum`; 0 or none: n - f. */
  readonly selected?: number | undefined;
  /** s of `bucketing`; none: 2. */
  readonly bucketSize?: number | undefined;
  /** Of `geometric-median` (none: 8) and `centered-clipping` (none: 3). */
  readonly iterations?: number | undefined;
  /** Participant index for `fltrust` and `monna`; none: 0. */
  readonly reference?: number | undefined;
  /** tau of `centered-clipping`, which has no default, in units of 2^-G. */
  readonly radius?: bigint | undefined;
}

/**
 * The rule of that name: stages joined by `+` in the order in which they are applied, then the combine; a name that ends
 * in a stage means the mean of what the stage leaves. `byzantine` is f; plain averaging ignores it.
 * @throws AssayError `RULE_NAME` for an unknown name, `RULE_PARAMETERS` for an option that the rule would ignore.
 * @example
 * parseRule('nnm+trimmed-mean', 2).preAggregations; // ['nearestNeighborMixing']
 * parseRule('nnm+trimmed-mean', 2).combine; // 'trimmedMean'
 */
export function parseRule(name: string, byzantine: number, options: RuleOptions = {}): Rule {
  const words = name.split('+');
  const combine = (Object.keys(COMBINE_NAMES) as Combine[]).find((known) => COMBINE_NAMES[known] === words.at(-1));
  const stageWords = combine === undefined || combine === 'bulyan' ? words : words.slice(0, -1);
  const stages = stageWords.map((word) =>
    word === KRUM ? 'multiKrum' : (Object.keys(STAGE_NAMES) as PreAggregation[]).find((s) => STAGE_NAMES[s] === word),
  );
  if (stages.some((stage) => stage === undefined)) {
    throw new AssayError('RULE_NAME', {
      summary: 'no such aggregation rule',
      expected: `${LAST_WORDS.join(' | ')}, after any of ${FIRST_WORDS.map((word) => `${word}+`).join(' ')}`,
      received: name,
      fix: 'docs/spec/rules.md explains every word',
    });
  }
  const preAggregations = stages as PreAggregation[];
  const has = (stage: PreAggregation) => preAggregations.includes(stage);
  const rule: Rule = {
    preAggregations,
    combine: combine ?? 'mean',
    byzantine: name === 'fedavg' ? 0 : byzantine,
    selected: words.includes(KRUM) ? 1 : (options.selected ?? 0),
    bucketSize: options.bucketSize ?? (has('bucketing') ? 2 : 0),
    iterations: options.iterations ?? (has('geometricMedian') ? 8 : has('centeredClipping') ? 3 : 0),
    reference: options.reference ?? 0,
    radius: options.radius ?? 0n,
  };
  if (words.includes(KRUM) && options.selected && options.selected !== 1) {
    throw ruleError({ ...rule, selected: options.selected }, 'no choice of m for krum; only multi-krum has one');
  }
  checkOptions(rule);
  return rule;
}

/** The name that `parseRule` understands. */
export function ruleName(rule: Rule): string {
  const words = rule.preAggregations.map((stage) =>
    stage === 'multiKrum' && rule.selected === 1 ? KRUM : STAGE_NAMES[stage],
  );
  const last = rule.preAggregations.at(-1);
  const isSaid = rule.combine === 'bulyan' || (rule.combine === 'mean' && last !== undefined && !PREPARING.has(last));
  return [...words, ...(isSaid ? [] : [COMBINE_NAMES[rule.combine]])].join('+');
}

/** Stages as the chain stores them: one a byte, the first to be applied in the lowest. */
export function packStages(preAggregations: readonly PreAggregation[]): number {
  return preAggregations.reduce((packed, stage, i) => packed + PRE_AGGREGATIONS.indexOf(stage) * 256 ** i, 0);
}

/** @throws AssayError `RULE_PARAMETERS` for a stage that nobody knows. */
export function unpackStages(packed: number): PreAggregation[] {
  const stages: PreAggregation[] = [];
  for (let rest = packed; rest > 0; rest = Math.floor(rest / 256)) {
    const stage = PRE_AGGREGATIONS[rest % 256];
    if (stage === undefined || stage === 'none') {
      throw new AssayError('RULE_PARAMETERS', {
        summary: 'the contract names a stage that this version of Assay does not know',
        expected: `1 to ${PRE_AGGREGATIONS.length - 1} in each byte`,
        received: `0x${packed.toString(16)}`,
        fix: 'use the version of Assay that the federation was created with, or a newer one',
      });
    }
    stages.push(stage);
  }
  return stages;
}

/** Whether the rule needs the Gram matrix of the updates: every rule that mixes them. */
export function needsGram(rule: Rule): boolean {
  return rule.preAggregations.length > 0;
}

/** Whether the rule needs the counts of signs of every row. */
export function needsSigns(rule: Rule): boolean {
  return rule.preAggregations.includes('signGuard');
}

/**
 * Whether the rule mixes one row more than there are updates: the history row, the step that the model made last
 * (`historyChunk`), from which centred clipping goes on.
 */
export function usesHistory(rule: Rule): boolean {
  return rule.preAggregations.includes('centeredClipping');
}

/**
 * Whether the contract judges fraud proofs about the rule; the others are for federations that are audited only. The
 * Solidity twin is contracts/libraries/RuleParameters.sol.
 */
export function isEnforceable(rule: Rule): boolean {
  const { preAggregations: stages, combine } = rule;
  return combine !== 'bulyan' && stages.length <= 1 && stages.every((stage) => ENFORCEABLE_STAGES.has(stage));
}

/**
 * Fewest updates the rule is defined for, counted from its end: 2f + 1 rows; for Krum 2f + 3 and at least m + f
 * (Blanchard et al. 2017, section 4); for Bulyan 4f + 3 (El Mhamdi et al. 2018, section 4). Buckets of s rows leave one
 * row of s, so r rows after bucketing need (r - 1) s + 1 before (Karimireddy et al. 2022). The Solidity twin is
 * contracts/libraries/RuleParameters.sol.
 * @throws AssayError `RULE_PARAMETERS` for parameters that no number of participants can satisfy.
 */
export function minimumUpdates(rule: Rule): number {
  checkRule(rule);
  const { byzantine: f, selected: m, bucketSize: s } = rule;
  let least = 2 * f + 1;
  for (const stage of rule.preAggregations.toReversed()) {
    if (stage === 'multiKrum') least = Math.max(2 * f + 3, m + f);
    else if (stage === 'iteratedKrum') least = 4 * f + 3;
    else if (stage === 'bucketing') least = (least - 1) * s + 1;
  }
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

/** What can be said without the number of updates. */
function checkRule(rule: Rule): void {
  const { preAggregations: stages, combine } = rule;
  for (const value of [rule.byzantine, rule.selected, rule.bucketSize, rule.iterations, rule.reference]) {
    if (!Number.isInteger(value) || value < 0 || value > 65_535) {
      throw ruleError(rule, 'f, m and the other parameters are whole numbers from 0 to 65535');
    }
  }
  checkOptions(rule);
  if (stages.length > MAX_STAGES || new Set(stages).size < stages.length) {
    throw ruleError(rule, `at most ${MAX_STAGES} stages, none of them twice`);
  }
  if (stages.slice(0, -1).some((stage) => !PREPARING.has(stage))) {
    throw ruleError(rule, `only ${FIRST_WORDS.join(', ')} before another stage`);
  }
  const last = stages.at(-1);
  if ((last === 'iteratedKrum') !== (combine === 'bulyan')) {
    throw ruleError(rule, "Bulyan's selection together with Bulyan's combine");
  }
  if (last !== undefined && last !== 'iteratedKrum' && !PREPARING.has(last) && combine !== 'mean') {
    throw ruleError(rule, `${STAGE_NAMES[last]} ends in one row: nothing to combine but by a mean`);
  }
  if (last === 'signGuard' && stages.length > 1) throw ruleError(rule, 'signguard on the updates themselves');
  if (last !== undefined && REFERENCES.has(last) && stages.includes('bucketing')) {
    throw ruleError(rule, `no bucketing before ${STAGE_NAMES[last]}, which looks for one participant's row`);
  }
  if (stages.includes('bucketing') && rule.bucketSize < 1) throw ruleError(rule, 'buckets of 1 row or more');
  if (last !== undefined && ITERATES.has(last) && (rule.iterations < 1 || rule.iterations > MAX_ITERATIONS)) {
    throw ruleError(rule, `1 to ${MAX_ITERATIONS} iterations`);
  }
  if (last === 'minimumDiameter' && rule.byzantine > MAX_DIAMETER_BYZANTINE) {
    throw ruleError(rule, `mda with f up to ${MAX_DIAMETER_BYZANTINE}`);
  }
  if (last === 'centeredClipping' && (rule.radius < 1n || rule.radius >= 2n ** 64n)) {
    throw ruleError(rule, 'a clipping radius (--clip-radius, in a grid clipRadius) above 0, below 2^64 units');
  }
}

/** Refuses what the rule would ignore. */
function checkOptions(rule: Rule): void {
  const has = (stages: Iterable<PreAggregation>) => [...stages].some((stage) => rule.preAggregations.includes(stage));
  if (rule.selected !== 0 && !has(['multiKrum'])) throw ruleError(rule, 'm for the Krum family only');
  if (rule.bucketSize !== 0 && !has(['bucketing'])) throw ruleError(rule, 'a bucket size for bucketing only');
  if (rule.iterations !== 0 && !has(ITERATES)) throw ruleError(rule, 'iterations for rules that iterate');
  if (rule.reference !== 0 && !has(REFERENCES)) throw ruleError(rule, 'a reference for monna and fltrust only');
  if (rule.radius !== 0n && !has(['centeredClipping'])) throw ruleError(rule, 'a radius for centered-clipping only');
}

function ruleError(rule: Rule, expected: string): AssayError {
  const { byzantine, selected, bucketSize, iterations, reference, radius } = rule;
  const values = { f: byzantine, m: selected, s: bucketSize, iterations, reference, radius };
  const given = Object.entries(values).filter(([name, value]) => name === 'f' || name === 'm' || Number(value) !== 0);
  return new AssayError('RULE_PARAMETERS', {
    summary: 'impossible rule parameters',
    expected,
    received: [ruleName(rule), ...given.map((each) => each.join(' = '))].join(', '),
    fix: 'docs/spec/rules.md says which stages go together and what each needs',
  });
}
