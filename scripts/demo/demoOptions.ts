/** What the demonstration can be asked for, and the federation that follows from it. */
import { parseAttack } from '../../client/attacks/registry.ts';
import { minimumUpdates, parseRule } from '../../protocol/aggregation/rule.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { FederationSettings } from '../federation/settings.ts';
import type { FactsOptions } from '../options/shared.ts';

export interface DemoOptions extends FactsOptions {
  readonly rounds: number;
  readonly clients: number;
  readonly byzantine: number;
  readonly attack: string;
  readonly rule: string;
  /** L2 norm, or 'none'; the model's own when left out. */
  readonly normBound?: string;
  readonly alpha: number;
  readonly seed: string;
  readonly lyingAggregator: boolean;
  readonly keep: boolean;
  readonly out?: string;
  readonly port?: number;
}

/** @throws AssayError for what the parsers of single options cannot see. */
export function checkDemoOptions({ rule, byzantine, clients, attack }: DemoOptions): void {
  parseAttack(attack);
  const least = minimumUpdates(parseRule(rule, byzantine));
  if (clients < least) {
    throw new AssayError('DEMO_OPTIONS', {
      summary: `${rule} with f = ${byzantine} is not defined for that few clients`,
      expected: `--clients ${least} or more`,
      received: String(clients),
      fix: 'start more clients, or fewer attackers with --byzantine',
    });
  }
  if (byzantine < clients) return;
  throw new AssayError('DEMO_OPTIONS', {
    summary: 'nobody would be honest',
    expected: '--byzantine below --clients',
    received: `${byzantine} of ${clients}`,
  });
}

export function demoFederation({ rule, byzantine, clients, rounds, normBound }: DemoOptions): FederationSettings {
  const ether = 10n ** 18n;
  return {
    rule,
    byzantine,
    server: 'fedAvg',
    serverLearningRate: 1,
    serverMomentum: 0,
    participants: clients,
    rounds,
    stake: ether,
    aggregatorStake: 10n * ether,
    missedRevealPenalty: ether / 10n,
    missedTurnPenalty: ether / 10n,
    // Deadlines, not delays: every phase closes as soon as all have acted.
    commitWindow: 300,
    revealWindow: 300,
    aggregateWindow: 300,
    // Short, so that the demonstration sees its rounds become final; a real federation takes a day.
    challengeWindow: 2,
    withdrawalDelay: 0,
    answerWindow: 10,
    proofBond: ether / 10n,
    bondGasPrice: 2,
    roundReward: 0n,
    aggregatorShare: 0,
    contributionShare: 0,
    ...(normBound === undefined ? {} : { normBound }),
  };
}
