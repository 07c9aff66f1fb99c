import { expect } from 'chai';
import { getAddress, zeroAddress } from 'viem';
import { parseRule } from '../../../protocol/aggregation/rule.ts';
import { Q16 } from '../../../protocol/aggregation/serverStep.ts';
import { payloadCid } from '../../../protocol/encoding/cid.ts';
import { NO_NORM_BOUND } from '../../../protocol/round/parameters.ts';
import { type FederationSettings, planParameters, type StoredGenesis } from '../../../scripts/federation/settings.ts';
import { expectError } from '../../client/support/expectError.ts';

/** Every number differs from every other, so that none can stand in another's place. */
const SETTINGS: FederationSettings = {
  rule: 'multi-krum',
  byzantine: 2,
  selected: 4,
  server: 'fedAvgM',
  serverLearningRate: 0.75,
  serverMomentum: 0.9,
  participants: 9,
  maxParticipants: 12,
  minUpdates: 8,
  rounds: 17,
  stake: 101n,
  aggregatorStake: 102n,
  missedRevealPenalty: 103n,
  missedTurnPenalty: 104n,
  commitWindow: 201,
  revealWindow: 202,
  aggregateWindow: 203,
  challengeWindow: 204,
  withdrawalDelay: 205,
  answerWindow: 206,
  proofBond: 105n,
  bondGasPrice: 0.3,
  roundReward: 106n,
  aggregatorShare: 0.25,
  contributionShare: 0.5,
  stakeToken: `0x${'4d'.repeat(20)}`,
};
const GENESIS: StoredGenesis = {
  manifestCid: payloadCid(Uint8Array.of(1)),
  modelCid: payloadCid(Uint8Array.of(2)),
  modelRoot: `0x${'3c'.repeat(32)}`,
  dimension: 450,
  maxUpdateNorm: 3,
};
const plan = (change: Partial<FederationSettings> = {}) => planParameters({ ...SETTINGS, ...change }, GENESIS, false);
/** Squared norms are counted in quantisation steps of 2^-16. */
const bound = (norm: number) => BigInt(Math.floor((norm * 65_536) ** 2));

describe('settings of a new federation', () => {
  it('each setting arrives at its own parameter', () => {
    expect(plan()).to.deep.include({
      rule: parseRule('multi-krum', 2, { selected: 4 }),
      enforced: true,
      serverStep: {
        optimizer: 'fedAvgM',
        learningRateQ16: 0.75 * Q16,
        momentumQ16: Math.round(0.9 * Q16),
        secondMomentQ16: 0,
        adaptivity: 0,
      },
      genesisModelRoot: GENESIS.modelRoot,
      dimension: 450,
      openMembership: false,
      minParticipants: 9,
      maxParticipants: 12,
      minUpdates: 8,
      totalRounds: 17,
      participantStake: 101n,
      aggregatorStake: 102n,
      missedRevealPenalty: 103n,
      missedTurnPenalty: 104n,
      commitWindowSeconds: 201,
      revealWindowSeconds: 202,
      aggregateWindowSeconds: 203,
      challengeWindowSeconds: 204,
      withdrawalDelaySeconds: 205,
      answerWindowSeconds: 206,
      proofBond: 105n,
      bondGasPrice: 300_000_000n,
      roundReward: 106n,
      aggregatorRewardBps: 2500,
      contributionRewardBps: 5000,
      stakeToken: getAddress(`0x${'4d'.repeat(20)}`),
    });
    expect(planParameters(SETTINGS, GENESIS, true).openMembership).to.equal(true);
  });

  it('refuses to start from a participant that the federation has no place for', async () => {
    const { selected: _, ...rest } = SETTINGS;
    const trusted = { ...rest, rule: 'fltrust', auditOnly: true, contributionShare: 0 };
    expect(planParameters({ ...trusted, reference: 11 }, GENESIS, false).rule.reference).to.equal(11);
    await expectError(() => planParameters({ ...trusted, reference: 12 }, GENESIS, false), 'REFERENCE', /0 to 11/);
  });

  it('refuses contribution scores where there is no Gram matrix, and a token that is no address', async () => {
    const { selected: _, ...rest } = SETTINGS;
    const byCoordinate = { ...rest, rule: 'trimmed-mean' };
    await expectError(
      () => planParameters(byCoordinate, GENESIS, false),
      'CONTRIBUTION_SHARE',
      /a rule of the Krum or NNM family[\s\S]*--contribution-share 0.5 with --rule trimmed-mean/,
    );
    expect(planParameters({ ...byCoordinate, contributionShare: 0 }, GENESIS, false).contributionRewardBps).to.equal(0);
    await expectError(() => plan({ stakeToken: '0x12' }), 'ADDRESS', /40 hexadecimal digits/);
  });

  it('what is left out follows from the rest: as many as are needed, and what the rule needs', () => {
    const { maxParticipants: _, minUpdates: __, selected: ___, stakeToken: ____, ...rest } = SETTINGS;
    const parameters = planParameters(rest, GENESIS, false);
    expect(parameters).to.include({ maxParticipants: 9, minUpdates: 7, stakeToken: zeroAddress });
    expect(parameters.rule.selected).to.equal(0);
  });

  it("the norm bound: the model's, a number, or none", () => {
    expect(plan().normSqBound).to.equal(bound(3));
    expect(plan({ normBound: '0.5' }).normSqBound).to.equal(bound(0.5));
    expect(plan({ normBound: 'none' }).normSqBound).to.equal(NO_NORM_BOUND);
  });

  it('refuses a norm bound that bounds nothing, and a rule that is not defined for so few', async () => {
    for (const normBound of ['0', '-1', '', ' ', 'NaN', 'Infinity', '65536', 'nothing']) {
      await expectError(() => plan({ normBound }), 'NORM_BOUND', /a positive number below 65536, or none/);
    }
    await expectError(
      () => plan({ participants: 6, minUpdates: 7 }),
      'TOO_FEW_PARTICIPANTS',
      /--participants 7 or more[\s\S]*Received: 6/,
    );
  });
});
