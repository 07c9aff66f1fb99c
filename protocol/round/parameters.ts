/**
 * The parameters of a federation: fixed when it is created, read from its contract by everybody. The contract's
 * `ParameterValidation.validate` refuses what `checkLearningParameters` refuses, and impossible windows and stakes.
 */

import { minimumUpdates, type Rule } from '../aggregation/rule.ts';
import { checkServerStep, type ServerStep, stateVectors } from '../aggregation/serverStep.ts';
import type { Hex } from '../encoding/bytes.ts';
import { stateLayout, type VectorLayout, vectorLayout } from '../encoding/layout.ts';
import { AssayError } from '../errors.ts';

/** `normSqBound` of a federation that bounds no norm: the largest u64. */
export const NO_NORM_BOUND = 2n ** 64n - 1n;

/** What the numbers of a round depend on; the rest of the parameters is about who may act and when. */
export interface LearningParameters {
  /** d. */
  readonly dimension: number;
  /** K. */
  readonly chunkSize: number;
  /** F. */
  readonly modelFractionBits: number;
  /** G. */
  readonly updateFractionBits: number;
  /** Largest squared L2 norm of an update in units of 2^-2G; NO_NORM_BOUND for none. */
  readonly normSqBound: bigint;
  readonly rule: Rule;
  readonly serverStep: ServerStep;
}

/** All of them; contracts/types/FederationParameters.sol says what each is for. */
export interface FederationParameters extends LearningParameters {
  /**
   * Whether fraud proofs about the rule's numbers are accepted: then the rule is one that the contract can judge
   * (`isEnforceable`). A federation without is audited only.
   */
  readonly enforced: boolean;
  /** Binary CIDv1 of the manifest. */
  readonly manifestCid: Uint8Array;
  readonly genesisModelRoot: Hex;
  readonly genesisModelCid: Uint8Array;
  readonly openMembership: boolean;
  /** Registered participants needed before round 1 opens. */
  readonly minParticipants: number;
  /** Fewest valid updates that are aggregated; below it a round is abandoned. */
  readonly minUpdates: number;
  readonly maxParticipants: number;
  /** 0: no end. */
  readonly totalRounds: number;
  /** Stakes and penalties in wei. */
  readonly participantStake: bigint;
  readonly aggregatorStake: bigint;
  readonly missedRevealPenalty: bigint;
  readonly missedTurnPenalty: bigint;
  readonly commitWindowSeconds: number;
  readonly revealWindowSeconds: number;
  readonly aggregateWindowSeconds: number;
  readonly challengeWindowSeconds: number;
  readonly withdrawalDelaySeconds: number;
  /** ERC-20 in which stakes, bonds and rewards are paid; the zero address for the chain's native coin. */
  readonly stakeToken: Hex;
  readonly answerWindowSeconds: number;
  /** Posted with a fraud proof. */
  readonly proofBond: bigint;
  /** Wei (or token units) per unit of gas by which bonds of availability challenges are sized. */
  readonly bondGasPrice: bigint;
  /** Paid from the reward pool for a final round. */
  readonly roundReward: bigint;
  readonly aggregatorRewardBps: number;
  /** How much of the participants' part follows the contribution score; 0 for a rule without a Gram matrix. */
  readonly contributionRewardBps: number;
}

/** The layout of the federation's vectors. @throws AssayError `LAYOUT` */
export function layoutOf(parameters: Pick<LearningParameters, 'dimension' | 'chunkSize'>): VectorLayout {
  return vectorLayout(parameters.dimension, parameters.chunkSize);
}

/** The layout of the tree over a published model, or over a server state with all its vectors. @throws AssayError `LAYOUT` */
export function treeLayout(
  parameters: Pick<LearningParameters, 'dimension' | 'chunkSize' | 'serverStep'>,
  kind: 'model' | 'state',
): VectorLayout {
  const layout = layoutOf(parameters);
  return kind === 'model' ? layout : stateLayout(layout, stateVectors(parameters.serverStep));
}

/** F - G: how far a combined update is shifted to become a model step. */
export function fractionShift(
  parameters: Pick<LearningParameters, 'modelFractionBits' | 'updateFractionBits'>,
): number {
  return parameters.modelFractionBits - parameters.updateFractionBits;
}

/**
 * Refuses what no round could be computed with.
 * @throws AssayError `LAYOUT`, `RULE_PARAMETERS`, `SERVER_STEP`, `FRACTION_BITS` or `NORM_BOUND`, for the first that
 * cannot work.
 */
export function checkLearningParameters(parameters: LearningParameters): void {
  layoutOf(parameters);
  minimumUpdates(parameters.rule);
  checkServerStep(parameters.serverStep);
  const shift = fractionShift(parameters);
  const { modelFractionBits: F, updateFractionBits: G } = parameters;
  if (!Number.isInteger(F) || !Number.isInteger(G) || G < 1 || F > 30 || shift < 0 || shift > 16) {
    throw new AssayError('FRACTION_BITS', {
      summary: 'impossible fixed-point parameters',
      expected: '1 <= updateFractionBits <= modelFractionBits <= 30, at most 16 apart',
      received: `modelFractionBits = ${F}, updateFractionBits = ${G}`,
    });
  }
  if (parameters.normSqBound < 1n || parameters.normSqBound > NO_NORM_BOUND) {
    throw new AssayError('NORM_BOUND', {
      summary: 'impossible norm bound',
      expected: `1 <= normSqBound <= ${NO_NORM_BOUND} (which stands for no bound)`,
      received: String(parameters.normSqBound),
    });
  }
}
