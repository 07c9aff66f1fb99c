/** The options that describe a new federation, and the contract parameters that follow from them. */
import type { Command } from 'commander';
import { zeroAddress } from 'viem';
import { normSqBoundOf } from '../../client/update/clipUpdate.ts';
import { minimumUpdates, needsGram } from '../../protocol/aggregation/rule.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { cidToBytes } from '../../protocol/encoding/cid.ts';
import { DEFAULT_MODEL_FRACTION_BITS, DEFAULT_UPDATE_FRACTION_BITS } from '../../protocol/encoding/fixedPoint.ts';
import { DEFAULT_CHUNK_SIZE } from '../../protocol/encoding/layout.ts';
import { AssayError } from '../../protocol/errors.ts';
import { checkLearningParameters, type FederationParameters, NO_NORM_BOUND } from '../../protocol/round/parameters.ts';
import { parseAddress } from '../options/address.ts';
import { decimal, etherOption, integer } from '../options/values.ts';
import {
  checkReference,
  planRule,
  planServerStep,
  type RuleSettings,
  type ServerSettings,
  withRuleSettings,
  withServerSettings,
} from './ruleSettings.ts';

export interface FederationSettings extends RuleSettings, ServerSettings {
  /** L2 norm in units of weights, or 'none'. */
  readonly normBound?: string;
  readonly participants: number;
  readonly maxParticipants?: number;
  readonly minUpdates?: number;
  readonly rounds: number;
  readonly stake: bigint;
  readonly aggregatorStake: bigint;
  readonly missedRevealPenalty: bigint;
  readonly missedTurnPenalty: bigint;
  readonly commitWindow: number;
  readonly revealWindow: number;
  readonly aggregateWindow: number;
  readonly challengeWindow: number;
  readonly withdrawalDelay: number;
  readonly answerWindow: number;
  readonly proofBond: bigint;
  /** Gwei (or 1e9 units of the token). */
  readonly bondGasPrice: number;
  /** Per final round, as long as the pool lasts; 0 for none. */
  readonly roundReward: bigint;
  /** The aggregator's part of it, 0..1. */
  readonly aggregatorShare: number;
  /** How much of the participants' part follows the contribution score, 0..1. */
  readonly contributionShare: number;
  /** ERC-20 of everything that is staked, posted and paid; left out for the native coin. */
  readonly stakeToken?: string;
}

/** Shares on the chain are parts of 10,000. */
const BPS = 10_000;
/** One gwei in wei. */
const GWEI = 1e9;

export function withFederationSettings(command: Command): Command {
  return withServerSettings(withRuleSettings(command))
    .option('--byzantine <f>', 'Byzantine participants the rule must survive', integer(0, 49), 0)
    .option('--norm-bound <norm>', "largest L2 norm of an update in units of weights, or none; default: the model's")
    .option('--participants <n>', 'participants needed before round 1 opens', integer(1, 100), 3)
    .option('--max-participants <n>', 'most participants; default: as many as are needed', integer(1, 100))
    .option('--min-updates <n>', 'fewest updates that are aggregated; default: what the rule needs', integer(1, 100))
    .option('--rounds <n>', 'rounds to run; 0 for no end', integer(0, 2 ** 31), 10)
    .addOption(etherOption('--stake <ether>', 'stake of a participant', '1'))
    .addOption(etherOption('--aggregator-stake <ether>', 'stake of an aggregator', '10'))
    .addOption(etherOption('--missed-reveal-penalty <ether>', 'burned for a commit that is not revealed', '0.1'))
    .addOption(etherOption('--missed-turn-penalty <ether>', 'burned for a turn in which nothing is published', '0.1'))
    .option('--commit-window <seconds>', 'from the first commit of a round', integer(1), 3600)
    .option('--reveal-window <seconds>', 'from the end of commits', integer(1), 3600)
    .option('--aggregate-window <seconds>', "length of an aggregator's turn", integer(1), 3600)
    .option('--challenge-window <seconds>', 'from publication to finality', integer(1), 86_400)
    .option(
      '--withdrawal-delay <seconds>',
      'from a request to leave to the withdrawal of the stake',
      integer(0),
      86_400,
    )
    .option('--answer-window <seconds>', 'time to answer an availability challenge', integer(1), 3600)
    .addOption(etherOption('--proof-bond <ether>', 'posted with a fraud proof, lost when the number was right', '0.1'))
    .option(
      '--bond-gas-price <gwei>',
      'pays for the answer to an availability challenge: its bond is the gas of an answer at this price, at least',
      decimal(0, 1e6),
      2,
    )
    .addOption(
      etherOption(
        '--round-reward <ether>',
        'paid for each final round, while the pool lasts (assay rewards fund)',
        '0',
      ),
    )
    .option('--aggregator-share <share>', "the aggregator's part of a round's reward", decimal(0, 1), 0.2)
    .option(
      '--contribution-share <share>',
      "how much of the participants' part follows the contribution score; needs a rule with a Gram matrix",
      decimal(0, 1),
      0,
    )
    .option('--stake-token <address>', 'ERC-20 (18 decimals) for stakes, bonds and rewards; default: the native coin');
}

export interface StoredGenesis {
  readonly manifestCid: string;
  readonly modelCid: string;
  readonly modelRoot: Hex;
  readonly dimension: number;
  /** L2 norm that suits the model, used unless the settings name another. */
  readonly maxUpdateNorm: number;
}

/** @throws AssayError naming the first setting that cannot work. */
export function planParameters(
  settings: FederationSettings,
  genesis: StoredGenesis,
  openMembership: boolean,
): FederationParameters {
  const { rule, enforced } = planRule(settings);
  const parameters: FederationParameters = {
    manifestCid: cidToBytes(genesis.manifestCid),
    genesisModelCid: cidToBytes(genesis.modelCid),
    genesisModelRoot: genesis.modelRoot,
    dimension: genesis.dimension,
    chunkSize: DEFAULT_CHUNK_SIZE,
    modelFractionBits: DEFAULT_MODEL_FRACTION_BITS,
    updateFractionBits: DEFAULT_UPDATE_FRACTION_BITS,
    normSqBound: parseNormBound(settings.normBound, genesis.maxUpdateNorm),
    rule,
    enforced,
    serverStep: planServerStep(settings),
    openMembership,
    minParticipants: settings.participants,
    minUpdates: settings.minUpdates ?? minimumUpdates(rule),
    maxParticipants: settings.maxParticipants ?? settings.participants,
    totalRounds: settings.rounds,
    participantStake: settings.stake,
    aggregatorStake: settings.aggregatorStake,
    missedRevealPenalty: settings.missedRevealPenalty,
    missedTurnPenalty: settings.missedTurnPenalty,
    commitWindowSeconds: settings.commitWindow,
    revealWindowSeconds: settings.revealWindow,
    aggregateWindowSeconds: settings.aggregateWindow,
    challengeWindowSeconds: settings.challengeWindow,
    withdrawalDelaySeconds: settings.withdrawalDelay,
    stakeToken: settings.stakeToken === undefined ? zeroAddress : parseAddress(settings.stakeToken),
    answerWindowSeconds: settings.answerWindow,
    proofBond: settings.proofBond,
    bondGasPrice: BigInt(Math.round(settings.bondGasPrice * GWEI)),
    roundReward: settings.roundReward,
    aggregatorRewardBps: Math.round(settings.aggregatorShare * BPS),
    contributionRewardBps: Math.round(settings.contributionShare * BPS),
  };
  checkLearningParameters(parameters);
  checkReference(rule, parameters.maxParticipants);
  if (parameters.contributionRewardBps > 0 && !(needsGram(rule) && enforced)) {
    throw new AssayError('CONTRIBUTION_SHARE', {
      summary: needsGram(rule)
        ? 'contribution scores are computed from a Gram matrix that somebody can be held to, not in an audit-only federation'
        : `${settings.rule} commits to no Gram matrix, from which contribution scores are computed`,
      expected: '--contribution-share 0, or a rule of the Krum or NNM family without --audit-only',
      received: `--contribution-share ${settings.contributionShare} with --rule ${settings.rule}${enforced ? '' : ' --audit-only'}`,
    });
  }
  if (parameters.minParticipants < parameters.minUpdates) {
    throw new AssayError('TOO_FEW_PARTICIPANTS', {
      summary: `${settings.rule} with f = ${rule.byzantine} is not defined for that few participants`,
      expected: `--participants ${parameters.minUpdates} or more`,
      received: String(parameters.minParticipants),
      fix: 'add participants, or tolerate fewer Byzantine ones with --byzantine',
    });
  }
  return parameters;
}

function parseNormBound(text: string | undefined, preset: number): bigint {
  if (text === undefined) return normSqBoundOf(preset, DEFAULT_UPDATE_FRACTION_BITS);
  if (text === 'none') return NO_NORM_BOUND;
  const norm = Number(text);
  if (text.trim() !== '' && norm > 0 && norm < 65_536) return normSqBoundOf(norm, DEFAULT_UPDATE_FRACTION_BITS);
  throw new AssayError('NORM_BOUND', {
    summary: 'not a norm bound',
    expected: 'a positive number below 65536, or none',
    received: text,
  });
}
