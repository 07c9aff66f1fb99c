/** The options that choose the rule and the server step, and what follows from them. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { isEnforceable, minimumUpdates, parseRule, RULE_NAMES, type Rule } from '../../protocol/aggregation/rule.ts';
import {
  Q16,
  SERVER_OPTIMIZERS,
  type ServerOptimizer,
  type ServerStep,
  stateVectors,
} from '../../protocol/aggregation/serverStep.ts';
import { DEFAULT_MODEL_FRACTION_BITS, DEFAULT_UPDATE_FRACTION_BITS } from '../../protocol/encoding/fixedPoint.ts';
import { AssayError } from '../../protocol/errors.ts';
import { decimal, integer, oneOf } from '../options/values.ts';

export interface RuleSettings {
  readonly rule: string;
  readonly byzantine: number;
  readonly selected?: number;
  readonly bucketSize?: number;
  readonly iterations?: number;
  /** L2 norm in units of weights. */
  readonly clipRadius?: number;
  readonly reference?: number;
  /** The contract judges no fraud proof about the rule's numbers; auditors still recompute them. */
  readonly auditOnly?: boolean;
}

export interface ServerSettings {
  readonly server: ServerOptimizer;
  readonly serverLearningRate?: number;
  readonly serverMomentum?: number;
  readonly serverSecondMoment?: number;
  /** In units of weights. */
  readonly serverAdaptivity?: number;
}

export function withRuleSettings(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--rule <name>',
        'aggregation rule, stages joined by +, such as arc+nnm+trimmed-mean (docs/spec/rules.md)',
      )
        .argParser(ruleText)
        .default('nnm+trimmed-mean'),
    )
    .option('--selected <m>', 'm of multi-krum; default: n - f', integer(1, 100))
    .option('--bucket-size <s>', 'rows in a bucket, for bucketing; default: 2', integer(1, 100))
    .option('--iterations <n>', 'of geometric-median (default: 8) and centered-clipping (default: 3)', integer(1, 64))
    .option('--clip-radius <norm>', 'tau of centered-clipping: an L2 norm in units of weights', decimal(1e-4, 65_535))
    .option(
      '--reference <index>',
      'participant index of the root of fltrust or of the row of monna',
      integer(0, 65_535),
    )
    .option('--audit-only', 'allow a rule whose numbers the contract cannot judge: auditors alone check them', false);
}

export function withServerSettings(command: Command): Command {
  return command
    .addOption(new Option('--server <step>', 'server step').argParser(oneOf(...SERVER_OPTIMIZERS)).default('fedAvg'))
    .option(
      '--server-learning-rate <rate>',
      'learning rate of the server step; default: 1, of adaptive steps 0.01',
      decimal(0.0001, 16),
    )
    .option(
      '--server-momentum <beta>',
      'momentum of fedAvgM and (beta1, default: 0.9) of adaptive steps',
      decimal(0, 0.9999),
    )
    .option('--server-second-moment <beta>', 'beta2 of fedAdam and fedYogi; default: 0.99', decimal(0, 0.9999))
    .option(
      '--server-adaptivity <tau>',
      'tau of the adaptive steps, in units of weights; default: 0.001',
      decimal(1e-7, 255),
    );
}

/**
 * The rule of the settings, and whether the contract enforces it.
 * @throws AssayError `RULE_NAME`, `RULE_PARAMETERS`; `AUDIT_ONLY` for a rule that no contract judges, unless that was
 * asked for.
 */
export function planRule(settings: RuleSettings): { readonly rule: Rule; readonly enforced: boolean } {
  const { rule: name, byzantine, selected, bucketSize, iterations, clipRadius, reference, auditOnly } = settings;
  const radius =
    clipRadius === undefined ? undefined : BigInt(Math.round(clipRadius * 2 ** DEFAULT_UPDATE_FRACTION_BITS));
  const rule = parseRule(name, byzantine, { selected, bucketSize, iterations, reference, radius });
  minimumUpdates(rule); // a rule that cannot be is no matter of who checks it
  const enforced = auditOnly !== true;
  if (enforced && !isEnforceable(rule)) {
    throw new AssayError('AUDIT_ONLY', {
      summary: `the contract cannot judge fraud proofs about ${name}`,
      expected: `a rule that it can judge, such as ${RULE_NAMES.join(', ')}; or --audit-only`,
      received: `--rule ${name}`,
      fix: 'add --audit-only: every auditor still recomputes each round to the bit, but who publishes a wrong model is not slashed for it',
    });
  }
  return { rule, enforced };
}

/** @throws AssayError `REFERENCE` for a rule that starts from a participant that the federation has no place for. */
export function checkReference({ reference }: Rule, participants: number): void {
  if (reference < participants) return;
  throw new AssayError('REFERENCE', {
    summary: 'the rule starts from a participant that there cannot be',
    expected: `--reference 0 to ${participants - 1}`,
    received: String(reference),
    fix: 'participants are counted from 0 in the order in which they join',
  });
}

/** The server step of the settings; what is left out has the default of its step. */
export function planServerStep(settings: ServerSettings): ServerStep {
  const { server: optimizer, serverLearningRate, serverMomentum, serverSecondMoment, serverAdaptivity } = settings;
  const step: ServerStep = { optimizer, learningRateQ16: 0, momentumQ16: 0, secondMomentQ16: 0, adaptivity: 0 };
  const adaptive = stateVectors(step) === 3;
  const hasSecondMoment = optimizer === 'fedAdam' || optimizer === 'fedYogi';
  const q16 = (value: number) => Math.round(value * Q16);
  const units = (value: number) => Math.max(1, Math.round(value * 2 ** DEFAULT_MODEL_FRACTION_BITS));
  const tau = serverAdaptivity ?? (adaptive ? 0.001 : undefined);
  return {
    optimizer,
    learningRateQ16: q16(serverLearningRate ?? (adaptive ? 0.01 : 1)),
    momentumQ16: q16(serverMomentum ?? (adaptive ? 0.9 : 0)),
    secondMomentQ16: q16(serverSecondMoment ?? (hasSecondMoment ? 0.99 : 0)),
    adaptivity: tau === undefined ? 0 : units(tau),
  };
}

function ruleText(text: string): string {
  try {
    parseRule(text, 0);
    return text;
  } catch (error) {
    const { expected } = (error as AssayError).details;
    throw new InvalidArgumentError(`Expected ${expected}.`);
  }
}
