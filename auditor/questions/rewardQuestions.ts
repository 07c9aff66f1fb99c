/** Was a final round's reward divided as the protocol says? */
import type { Finding } from '../../protocol/dispute/finding.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { splitReward } from '../../protocol/round/rewards.ts';
import type { Submission } from '../../protocol/round/submission.ts';
import type { RoundFacts } from '../chain/assembleRounds.ts';
import type { ChainFacts } from '../chain/chainFacts.ts';
import { CONTRACT, finding } from '../finding.ts';
import type { Replay } from '../replay/replayRound.ts';

/** Nothing is said where a part follows the Gram matrix and this audit did not compute it. */
export function rewardHolds(
  { parameters }: ChainFacts,
  { round, published, reward, distribution }: RoundFacts,
  rows: readonly Submission[],
  replay: Replay | null,
): Finding[] {
  if (distribution === null || published === null) return [];
  const gram = replay?.gram ?? null;
  if (parameters.contributionRewardBps > 0 && gram === null) return [];
  const split = splitReward(reward ?? 0n, rows.length, parameters, gram);
  const expected = new Map<Hex, bigint>();
  const owe = (account: Hex, amount: bigint) => {
    if (amount > 0n) expected.set(account, (expected.get(account) ?? 0n) + amount);
  };
  owe(published.aggregator, split.aggregator);
  rows.forEach(({ participant }, i) => {
    owe(participant, split.participants[i]!);
  });
  const { toAggregator, toParticipants, credits } = distribution;
  const shares = toAggregator === split.aggregator && toParticipants === (reward ?? 0n) - split.aggregator;
  const each = credits === null || text(credits) === text(expected);
  if (shares && each) return [];
  const message = 'The reward of the round was not divided as its rules say.';
  const received =
    credits === null ? `${toAggregator} to the aggregator, ${toParticipants} to participants` : text(credits);
  return [finding('chainInconsistent', round, CONTRACT, message, { expected: text(expected), received })];
}

function text(credits: ReadonlyMap<Hex, bigint>): string {
  const sorted = [...credits].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([account, amount]) => `${account}: ${amount}`).join(', ');
}
