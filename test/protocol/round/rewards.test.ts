import { expect } from 'chai';
import fc from 'fast-check';
import { gramOfRows } from '../../../protocol/aggregation/gram.ts';
import { contributionScores, splitReward } from '../../../protocol/round/rewards.ts';
import { rowsOf, runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';

const rows = (...values: number[][]) => values.map((row) => Int16Array.from(row));

describe('the reward of a round', () => {
  it('by hand: a fifth to the aggregator, half of the rest by score', () => {
    // The sum is (3, 1): scores 3, 1 and, for (-1, 0), max(0, -3).
    const gram = gramOfRows(rows([4, 0], [0, 1], [-1, 0]));
    expect(contributionScores(gram)).to.deep.equal([12n, 1n, 0n]);
    const shares = { aggregatorRewardBps: 2000, contributionRewardBps: 5000 };
    // 1000: 200; 400 equally: 133 each; 400 by 12 : 1 : 0: 369, 30, 0; what is left over is the aggregator's.
    expect(splitReward(1000n, 3, shares, gram)).to.deep.equal({
      aggregator: 1000n - 502n - 163n - 133n,
      participants: [502n, 163n, 133n],
    });
  });

  it('is shared equally without a contribution part, and when everybody’s score is zero', () => {
    const equally = { aggregatorRewardBps: 1000, contributionRewardBps: 0 };
    expect(splitReward(100n, 4, equally, null)).to.deep.equal({ aggregator: 12n, participants: [22n, 22n, 22n, 22n] });
    const still = gramOfRows(rows([0], [0]));
    const all = { aggregatorRewardBps: 0, contributionRewardBps: 10_000 };
    expect(splitReward(7n, 2, all, still)).to.deep.equal({ aggregator: 1n, participants: [3n, 3n] });
  });

  it('is paid out to the last unit, nobody gets less than nothing, and who pulls backwards gets no score', () => {
    const shares = fc.record({
      aggregatorRewardBps: fc.integer({ min: 0, max: 10_000 }),
      contributionRewardBps: fc.integer({ min: 0, max: 10_000 }),
    });
    const updates = fc.integer({ min: 1, max: 6 }).chain((n) => rowsOf(n, 3));
    fc.assert(
      fc.property(updates, shares, fc.bigInt({ min: 0n, max: 2n ** 96n - 1n }), (vectors, bps, reward) => {
        const { aggregator, participants } = splitReward(reward, vectors.length, bps, gramOfRows(vectors));
        expect(participants.reduce((sum, part) => sum + part, aggregator)).to.equal(reward);
        expect([aggregator, ...participants].every((part) => part >= 0n)).to.equal(true);
        const least = (reward * BigInt(bps.aggregatorRewardBps)) / 10_000n;
        expect(aggregator >= least).to.equal(true);
        // The score is the inner product with the sum of all, straight from the coordinates.
        const sum = [0, 1, 2].map((k) => vectors.reduce((total, row) => total + row[k]!, 0));
        const scores = vectors.map((row) =>
          Math.max(
            0,
            row.reduce((total, q, k) => total + q * sum[k]!, 0),
          ),
        );
        expect(contributionScores(gramOfRows(vectors)).map(Number)).to.deep.equal(scores);
      }),
      runs(200),
    );
  });

  it('is refused with impossible shares or without the Gram matrix it needs', () => {
    const half = { aggregatorRewardBps: 0, contributionRewardBps: 5000 };
    expectAssayError('REWARD_SHARES', () => splitReward(1n, 2, half, null));
    expectAssayError('REWARD_SHARES', () => splitReward(1n, 3, half, gramOfRows(rows([1], [2]))));
    expectAssayError('REWARD_SHARES', () => splitReward(1n, 0, { ...half, contributionRewardBps: 0 }, null));
    expectAssayError('REWARD_SHARES', () => splitReward(1n, 1, { ...half, aggregatorRewardBps: 10_001 }, null));
  });
});
