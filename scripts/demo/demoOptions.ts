/** What the demonstration can be asked for, and the federation that follows from it. */
import { isRefused } from '../../client/attacks/attack.ts';
import { parseLoneAttack } from '../../client/attacks/registry.ts';
import { minimumUpdates } from '../../protocol/aggregation/rule.ts';
import { checkServerStep } from '../../protocol/aggregation/serverStep.ts';
import { AssayError } from '../../protocol/errors.ts';
import {
  checkReference,
  planRule,
  planServerStep,
  type RuleSettings,
  type ServerSettings,
} from '../federation/ruleSettings.ts';
import type { FederationSettings } from '../federation/settings.ts';
import type { EngineOptions } from '../options/engine.ts';
import type { FactsOptions } from '../options/shared.ts';
import type { DemoTaskName } from './tasks/names.ts';

export interface DemoOptions extends FactsOptions, EngineOptions, RuleSettings, ServerSettings {
  readonly task: DemoTaskName;
  readonly rounds: number;
  readonly clients: number;
  readonly attack: string;
  /** L2 norm, or 'none'; the model's own when left out. */
  readonly normBound?: string;
  readonly alpha: number;
  /** Minibatches of a client in a round; the model's own when left out. */
  readonly localSteps?: number;
  readonly seed: string;
  readonly lyingAggregator: boolean;
  readonly lyingClient: boolean;
  readonly withholdingClient: boolean;
  readonly framingChallenger: boolean;
  readonly keep: boolean;
  readonly out?: string;
  readonly port?: number;
}

/** Who breaks the contract's rules in a demonstration, as the options are called. */
export type Rogue = 'lying-aggregator' | 'lying-client' | 'withholding-client' | 'framing-challenger';
type Rogues = Pick<DemoOptions, 'lyingAggregator' | 'lyingClient' | 'withholdingClient' | 'framingChallenger'>;

/** Clients that break the rules (Byzantine ones only send bad updates): the last ones, in this order. */
export function rogueClients({ lyingClient, withholdingClient }: Rogues): ('lying-client' | 'withholding-client')[] {
  return [
    ...(lyingClient ? (['lying-client'] as const) : []),
    ...(withholdingClient ? (['withholding-client'] as const) : []),
  ];
}

/** Whether anybody breaks the rules: then there is a second aggregator, a watchtower, and time to prove it. */
export function hasRogues(options: Rogues): boolean {
  return options.lyingAggregator || options.framingChallenger || rogueClients(options).length > 0;
}

/**
 * The round in which rogues act: about the middle, so that there are rounds before and after, and an odd one, which the
 * first aggregator leads.
 */
export function rogueRound({ rounds }: Pick<DemoOptions, 'rounds'>): number {
  return 2 * Math.floor((Math.ceil(rounds / 2) - 1) / 2) + 1;
}

/**
 * Whether the Byzantine clients send what the contract does not count: forged norms, copies. They lose their part in the
 * federation by it, so the others must be enough.
 */
export function hasRefusedAttack({ attack, byzantine }: Pick<DemoOptions, 'attack' | 'byzantine'>): boolean {
  return byzantine > 0 && isRefused(parseLoneAttack(attack));
}

/** @throws AssayError for what the parsers of single options cannot see. */
export function checkDemoOptions(options: DemoOptions): void {
  const { rule, byzantine, clients, attack } = options;
  parseLoneAttack(attack);
  // Rogue clients are thrown out, and whose updates are refused: the others must be enough.
  const rogues = rogueClients(options).length + (hasRefusedAttack(options) ? byzantine : 0);
  const { rule: planned, enforced } = planRule(options);
  checkReference(planned, clients);
  checkServerStep(planServerStep(options));
  const least = minimumUpdates(planned) + rogues;
  if (clients < least) {
    throw new AssayError('DEMO_OPTIONS', {
      summary: `${rule} with f = ${byzantine} is not defined for that few clients${rogues === 0 ? '' : ` when ${rogues} of them are thrown out`}`,
      expected: `--clients ${least} or more`,
      received: String(clients),
      fix: 'start more clients, or fewer attackers with --byzantine',
    });
  }
  if (options.lyingAggregator && !enforced) {
    throw new AssayError('DEMO_OPTIONS', {
      summary: 'nobody can prove to the contract that a model is wrong in an audit-only federation',
      expected: '--lying-aggregator without --audit-only',
      received: `--rule ${rule} --audit-only --lying-aggregator`,
    });
  }
  const dishonest = byzantine + rogueClients(options).length;
  if (dishonest < clients) return;
  throw new AssayError('DEMO_OPTIONS', {
    summary: 'nobody would be honest',
    expected: '--byzantine below --clients',
    received: `${dishonest} of ${clients}`,
  });
}

export function demoFederation(options: DemoOptions): FederationSettings {
  const { clients, rounds, normBound } = options;
  const ether = 10n ** 18n;
  return {
    ...ruleSettings(options),
    participants: clients,
    rounds,
    stake: ether,
    aggregatorStake: 10n * ether,
    missedRevealPenalty: ether / 10n,
    missedTurnPenalty: ether / 10n,
    // Deadlines, not delays: every phase closes as soon as all have acted.
    commitWindow: 300,
    // Who committed to what the contract refuses can never reveal: the others wait for it until the window closes.
    revealWindow: hasRefusedAttack(options) ? 20 : 300,
    // An aggregator gives a payload two fifths of its turn to arrive before it asks for it on the chain.
    aggregateWindow: hasRogues(options) ? 30 : 300,
    // Short, so that the demonstration sees its rounds become final; a real federation takes a day. Time to prove a lie.
    challengeWindow: hasRogues(options) ? 15 : 2,
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

/** What the federation takes of the options: those of rule and server step that were given. */
function ruleSettings(options: DemoOptions): RuleSettings & ServerSettings {
  const { rule, byzantine, selected, bucketSize, iterations, clipRadius, reference, auditOnly } = options;
  const { server, serverLearningRate, serverMomentum, serverSecondMoment, serverAdaptivity } = options;
  const given = {
    ...{ selected, bucketSize, iterations, clipRadius, reference, auditOnly },
    ...{ serverLearningRate, serverMomentum, serverSecondMoment, serverAdaptivity },
  };
  const settings = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { rule, byzantine, server, ...settings };
}
