/** Rules that stand for all: every stage and every combine alone, and the compositions that the field uses. */
import { parseRule, RULE_NAMES, type Rule } from '../../../protocol/aggregation/rule.ts';

export const SAMPLE_RULES: readonly string[] = [
  ...RULE_NAMES,
  'bulyan',
  'geometric-median',
  'centered-clipping',
  'mda',
  'monna',
  'caf',
  'foolsgold',
  'signguard',
  'fltrust',
  'bucketing+fedavg',
  'bucketing+median',
  'bucketing+krum',
  'bucketing+centered-clipping',
  'arc+trimmed-mean',
  'arc+multi-krum',
  'nnm+bulyan',
  'nnm+geometric-median',
  'arc+nnm+trimmed-mean',
  'arc+bucketing+nnm+meamed',
].filter((name, i, names) => names.indexOf(name) === i);

/** The rule of that name with parameters that suit small numbers. `selected` is m of Multi-Krum, 0 stands for n - f. */
export function sampleRule(name: string, byzantine: number, selected = 0): Rule {
  return parseRule(name, byzantine, {
    ...(name.includes('multi-krum') ? { selected } : {}),
    ...(name.includes('geometric-median') ? { iterations: 32 } : {}),
    ...(name.includes('centered-clipping') ? { radius: 300n } : {}),
  });
}
