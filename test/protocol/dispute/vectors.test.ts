import { expect } from 'chai';
import { judgeProof, PROOF_KINDS } from '../../../protocol/dispute/fraudProof.ts';
import { splitReward } from '../../../protocol/round/rewards.ts';
import { disputeVectors } from '../support/disputeVectors.ts';
import { expectAssayError } from '../support/expectAssayError.ts';
import { loadVectors } from '../support/vectors.ts';

describe('the verdicts of the vectors', () => {
  const vectors = disputeVectors();

  for (const { name, round, proof, verdict } of vectors) {
    it(`${verdict}: ${name} (${proof.kind})`, () => {
      if (verdict === 'malformed') expectAssayError('PROOF_MALFORMED', () => judgeProof(round, proof));
      else expect(judgeProof(round, proof)).to.equal(verdict);
    });
  }

  it('convict and acquit by every kind of proof with a bond', () => {
    for (const kind of PROOF_KINDS.slice(0, 6)) {
      const verdicts = new Set(vectors.filter(({ proof }) => proof.kind === kind).map(({ verdict }) => verdict));
      expect([...verdicts], kind).to.include.members(['guilty', 'innocent']);
    }
  });
});

describe('the rewards of the vectors', () => {
  interface Case {
    readonly name: string;
    readonly reward: string;
    readonly aggregatorRewardBps: number;
    readonly contributionRewardBps: number;
    readonly rows: number;
    readonly gram: string[];
    readonly participants: string[];
    readonly aggregator: string;
  }
  for (const { name, reward, rows, gram, participants, aggregator, ...shares } of loadVectors<Case>('rewards.json')
    .cases) {
    it(name, () => {
      const split = splitReward(BigInt(reward), rows, shares, { n: rows, values: gram.map(BigInt) });
      expect(split).to.deep.equal({ aggregator: BigInt(aggregator), participants: participants.map(BigInt) });
    });
  }
});
