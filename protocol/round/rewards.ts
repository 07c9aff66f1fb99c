/**
 * How a final round's reward is divided. Every part is rounded down; what is left over is the aggregator's.
 *
 *     aggregator   = reward * aggregatorRewardBps / 10,000
 *     contribution = rest * contributionRewardBps / 10,000        the rest of the rest is shared equally
 *     score_i      = max(0, sum over j of G[i][j])
 *
 * The score is the projection of an update on the sum of all: what it contributed to where the round went. Zero for who
 * pulled backwards; all zero: equal scores. Recomputable by anyone from the committed Gram matrix. The Solidity twin is
 * contracts/FederationRewards.sol.
 */
import { gramEntry, type InnerProducts } from '../aggregation/gram.ts';
import { AssayError } from '../errors.ts';

const WHOLE_BPS = 10_000n;

export interface RewardShares {
  readonly aggregatorRewardBps: number;
  /** Of the participants' part; 0 for a rule without a Gram matrix. */
  readonly contributionRewardBps: number;
}

export interface RewardSplit {
  readonly aggregator: bigint;
  /** For each valid update by index. */
  readonly participants: readonly bigint[];
}

/** The contribution score of every row. */
export function contributionScores(gram: InnerProducts): bigint[] {
  return Array.from({ length: gram.n }, (_, i) => {
    let score = 0n;
    for (let j = 0; j < gram.n; j++) score += gramEntry(gram, i, j);
    return score > 0n ? score : 0n;
  });
}

/**
 * Who gets what of a round's reward. `n` valid updates; `gram` of them, null when no part follows the score.
 * @throws AssayError `REWARD_SHARES` for shares above the whole, no updates, or a missing Gram matrix.
 */
export function splitReward(reward: bigint, n: number, shares: RewardShares, gram: InnerProducts | null): RewardSplit {
  const { aggregatorRewardBps, contributionRewardBps } = shares;
  if ([aggregatorRewardBps, contributionRewardBps].some((bps) => !(bps >= 0 && bps <= 10_000)) || n < 1) {
    throw shareError(
      'shares of 0 to 10,000 and at least one update',
      `${aggregatorRewardBps}, ${contributionRewardBps}, n = ${n}`,
    );
  }
  if (contributionRewardBps > 0 && gram?.n !== n) throw shareError(`the Gram matrix of ${n} updates`, String(gram?.n));
  const rest = reward - (reward * BigInt(aggregatorRewardBps)) / WHOLE_BPS;
  const contribution = (rest * BigInt(contributionRewardBps)) / WHOLE_BPS;
  const equal = (rest - contribution) / BigInt(n);
  let scores = contributionRewardBps > 0 ? contributionScores(gram!) : Array.from({ length: n }, () => 1n);
  if (scores.every((score) => score === 0n)) scores = scores.map(() => 1n);
  const total = scores.reduce((sum, score) => sum + score, 0n);
  const participants = scores.map((score) => equal + (contribution * score) / total);
  return { aggregator: reward - participants.reduce((sum, part) => sum + part, 0n), participants };
}

function shareError(expected: string, received: string): AssayError {
  return new AssayError('REWARD_SHARES', { summary: 'this reward cannot be divided', expected, received });
}
