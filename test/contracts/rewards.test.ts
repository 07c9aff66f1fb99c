/** What final rounds pay, to whom, and how it is paid out. */
import { expect } from 'chai';
import { type Abi, type Address, type Hex, isAddressEqual } from 'viem';
import { splitReward } from '../../protocol/round/rewards.ts';
import { type GramRound, gramRound, scattered } from './support/gramRound.ts';
import { callOf } from './support/signed.ts';
import { expectRevert, type Parameters, Phase, Role, STAKE, World, zeroHash } from './support/world.ts';

const REWARD = STAKE / 7n;
const NOTHING = {
  modelRoot: zeroHash,
  stateRoot: zeroHash,
  gramRoot: zeroHash,
  mixingHash: zeroHash,
  submissionSet: zeroHash,
  modelCid: '0x' as Hex,
  evidenceCid: '0x' as Hex,
};

describe('rewards', () => {
  let world: World;
  afterEach(() => world.close());

  const create = async (parameters: Partial<Parameters> = {}, harness = false) => {
    world = await World.create({ parameters: { roundReward: REWARD, ...parameters }, harness });
  };
  const people = () => [0, 1, 2, 3].map((i) => world.participant(i));
  const anybody = () => world.wallets[25]!;
  const credit = (account: Address): Promise<bigint> => world.read('creditOf', [account]);
  const credits = () => Promise.all(people().map(({ account }) => credit(account.address)));
  const distribute = async (round: number, publication: object = NOTHING, opening: Hex = '0x') =>
    world.send(anybody(), 'distributeRewards', [BigInt(round), await world.reveals(round), publication, opening]);

  describe('of a round', () => {
    it('are reserved when it becomes final, as far as the pool goes, and no later round can take them', async () => {
      await create();
      const funded = await world.fundRewards(anybody(), (REWARD * 3n) / 2n);
      expect(world.event(funded, 'RewardsFunded')).to.include({ amount: (REWARD * 3n) / 2n, pool: (REWARD * 3n) / 2n });
      for (const round of [1, 2, 3]) await world.play(round);
      expect(await world.read('rewardOf', [1n])).to.equal(0n);
      await expectRevert(distribute(1), 'NothingToDistribute', [1n]);
      for (const round of [1, 2, 3]) await world.finalize(round);
      expect(await Promise.all([1n, 2n, 3n].map((round) => world.read('rewardOf', [round])))).to.deep.equal([
        REWARD,
        REWARD / 2n,
        0n,
      ]);
      expect(await world.read('rewardPool')).to.equal(0n);
      await world.checkBooks();
      await distribute(2);
      await distribute(1);
      await expectRevert(distribute(3), 'NothingToDistribute', [3n]);
      await world.checkBooks();
    });

    it('C-130: are divided once, equally beside the aggregator’s part, the dust is the aggregator’s', async () => {
      await create({ aggregatorRewardBps: 2_345 });
      await world.fundRewards(anybody(), 10n * STAKE);
      await world.play(1);
      const { aggregator } = await world.round(1);
      await expectRevert(distribute(1), 'NothingToDistribute', [1n]);
      await world.finalize(1);
      const shares = { aggregatorRewardBps: 2_345, contributionRewardBps: 0 };
      const split = splitReward(REWARD, 4, shares, null);
      const receipt = await distribute(1);
      expect(await credits()).to.deep.equal(split.participants);
      expect(await credit(aggregator)).to.equal(split.aggregator);
      expect(world.event(receipt, 'RewardsDistributed')).to.include({
        round: 1n,
        toAggregator: split.aggregator,
        toParticipants: REWARD - split.aggregator,
      });
      expect(split.aggregator % 1000n, 'there was dust').to.not.equal(((REWARD * 2_345n) / 10_000n) % 1000n);
      await expectRevert(distribute(1), 'NothingToDistribute', [1n]);
      await world.checkBooks();
    });

    it('C-131: go to exactly those whose updates counted', async () => {
      await create({}, true);
      await world.fundRewards(anybody(), STAKE);
      await world.contribute(1);
      await world.send(anybody(), 'voidSubmission', [1n, 2]);
      await world.publish(await world.leader(1), 1);
      await world.finalize(1);
      const reveals = await world.reveals(1);
      const send = (list: object[]) => world.send(anybody(), 'distributeRewards', [1n, list, NOTHING, '0x']);
      await expectRevert(send(reveals.slice(1)), 'WrongReveals');
      await expectRevert(send([reveals[1]!, reveals[0]!, ...reveals.slice(2)]), 'WrongReveals');
      await expectRevert(
        send([{ ...reveals[0]!, participant: anybody().account.address }, ...reveals.slice(1)]),
        'WrongReveals',
      );
      await send(reveals);
      const split = splitReward(REWARD, 3, { aggregatorRewardBps: 2_000, contributionRewardBps: 0 }, null);
      expect(await credits()).to.deep.equal([split.participants[0], split.participants[1], 0n, split.participants[2]]);
      await world.checkBooks();
    });

    it('go to who published in the end, and nothing to an abandoned round', async () => {
      await create({}, true);
      await world.fundRewards(anybody(), STAKE);
      await world.play(1);
      const { aggregator: first } = await world.round(1);
      await world.send(anybody(), 'voidPublication', [1n]);
      await world.publish(await world.leader(1), 1, 1);
      const { aggregator: second } = await world.round(1);
      expect(second).to.not.equal(first);
      for (const person of people()) await world.commit(person, 2);
      await world.passDeadline(2);
      expect(await world.phase(2)).to.equal(Phase.Abandoned);
      await world.increase(1000);
      await world.send(anybody(), 'finalizeRound', [1n]);
      expect(await world.read('lastFinalRound')).to.equal(2n);
      await distribute(1);
      expect(await credit(first)).to.equal(0n);
      expect((await credit(second)) > 0n).to.equal(true);
      await expectRevert(distribute(2), 'NothingToDistribute', [2n]);
      expect(await world.read('rewardPool')).to.equal(STAKE - REWARD);
      await world.checkBooks();
    });

    it('reach who has left meanwhile', async () => {
      await create();
      await world.fundRewards(anybody(), STAKE);
      await world.play(1);
      await world.finalize(1);
      const [alice] = people();
      await world.send(alice!, 'requestExit', [Role.Participant]);
      await world.increase(60);
      await world.send(alice!, 'withdraw', [Role.Participant]);
      await distribute(1);
      const receipt = await world.send(alice!, 'withdrawCredit');
      expect(world.event(receipt, 'CreditWithdrawn').amount).to.equal((REWARD - REWARD / 5n) / 4n);
      await world.checkBooks();
    });
  });

  describe('by contribution', () => {
    const shares = { aggregatorRewardBps: 1_111, contributionRewardBps: 6_543 };

    /** Round 1 with this Gram matrix committed, up to its finality. */
    async function played(made: GramRound) {
      await world.contribute(1);
      const publication = { ...(await world.publication(1)), gramRoot: made.gramRoot };
      await world.send(await world.leader(1), 'publishRound', [1n, publication]);
      await world.finalize(1);
      return publication;
    }

    for (const seed of ['a', 'b', 'c']) {
      it(`follow the published Gram matrix, as the protocol's split has it (${seed})`, async () => {
        await create(shares);
        await world.fundRewards(anybody(), STAKE);
        const made = await gramRound(4, scattered(seed, seed === 'c' ? 60 : 40));
        const publication = await played(made);
        const split = splitReward(REWARD, 4, shares, made.gram);
        await distribute(1, publication, made.opening);
        expect(await credits()).to.deep.equal(split.participants);
        const { aggregator } = await world.round(1);
        expect(await credit(aggregator)).to.equal(split.aggregator);
        await world.checkBooks();
      });
    }

    it('give nothing for pulling backwards, and the scored part to all alike when everybody did', async () => {
      await create(shares);
      await world.fundRewards(anybody(), STAKE);
      // Row 0 pulls against the others; 4 x 4, upper triangle.
      const against = [9n, -4n, -4n, -4n, 9n, 5n, 5n, 9n, 5n, 9n];
      const made = await gramRound(4, (span, index) => (span === 0 ? against[index]! : 0n));
      const publication = await played(made);
      const split = splitReward(REWARD, 4, shares, made.gram);
      expect(split.participants[0]! < split.participants[1]!).to.equal(true);
      await distribute(1, publication, made.opening);
      expect(await credits()).to.deep.equal(split.participants);
      await world.close();

      await create(shares);
      await world.fundRewards(anybody(), STAKE);
      const none = await gramRound(4, (span, index) => (span === 0 && against[index]! < 0n ? -90n : 0n));
      const publication2 = await played(none);
      await distribute(1, publication2, none.opening);
      expect(new Set(await credits()).size).to.equal(1);
      expect(await credits()).to.deep.equal(splitReward(REWARD, 4, shares, none.gram).participants);
    });

    it('of a model so small that its Gram tree is one leaf', async () => {
      await create({ ...shares, dimension: 4_000n });
      await world.fundRewards(anybody(), STAKE);
      const made = await gramRound(4, scattered('small'), 4_000);
      const publication = await played(made);
      await distribute(1, publication, made.opening);
      expect(await credits()).to.deep.equal(splitReward(REWARD, 4, shares, made.gram).participants);
    });

    it('C-132: follow no other matrix', async () => {
      await create(shares);
      await world.fundRewards(anybody(), STAKE);
      const made = await gramRound(4, scattered('true'));
      const better = await gramRound(4, scattered('better'));
      const publication = await played(made);
      await expectRevert(
        distribute(1, { ...publication, gramRoot: better.gramRoot }, better.opening),
        'WrongPublication',
      );
      await expectRevert(distribute(1, publication, better.opening), 'ProofDoesNotOpen', ['root']);
      await expectRevert(distribute(1, publication, made.opening.slice(0, -2) as Hex), 'ProofDoesNotOpen', ['root']);
      await expectRevert(distribute(1, publication, `${made.opening}00`), 'ProofDoesNotOpen', ['root']);
      await expectRevert(distribute(1, publication, '0x'), 'ProofDoesNotOpen', ['root']);
      await distribute(1, publication, made.opening);
    });
  });

  describe('are paid on request', () => {
    it('C-125: once, and whoever re-enters finds nothing', async () => {
      await create();
      const owner = world.wallets[20]!;
      const deployed = await world.connection.viem.deployContract('SmartWallet', [], { client: { wallet: owner } });
      const wallet = { address: deployed.address, abi: deployed.abi as Abi };
      const through = (call: Hex, value = 0n) =>
        world.sendTo(wallet.address, wallet.abi, owner, 'execute', [world.federation, call], value);
      world.others.push(wallet.address);
      await through(callOf(world, 'registerAggregator', ['', 2n * STAKE, '0x']), 2n * STAKE);
      await world.fundRewards(anybody(), 10n * STAKE);
      await world.contribute(1);
      const leads = async () => isAddressEqual(await world.read('leader', [1n]), wallet.address);
      while (!(await leads())) await world.passDeadline(1);
      await through(callOf(world, 'publishRound', [1n, await world.publication(1)]));
      await world.finalize(1);
      await distribute(1);
      const earned = await credit(wallet.address);
      expect(earned > 0n).to.equal(true);
      const again = callOf(world, 'withdrawCredit', []);
      await world.sendTo(wallet.address, wallet.abi, owner, 'whenTouched', [world.federation, again]);
      await through(again);
      expect(await world.balance(wallet.address)).to.equal(earned);
      const reader = await world.connection.viem.getPublicClient();
      expect(await reader.readContract({ ...wallet, functionName: 'reentered' })).to.equal(false);
      const refusal = (await reader.readContract({ ...wallet, functionName: 'refusal' })) as Hex;
      expect(refusal.length, 'it was tried').to.be.above(10);
      await expectRevert(through(again), 'NothingToWithdraw', [wallet.address]);
      await world.checkBooks();
    });

    it('to nobody who has earned nothing', async () => {
      await create();
      await expectRevert(world.send(anybody(), 'withdrawCredit'), 'NothingToWithdraw', [anybody().account.address]);
      await expectRevert(world.fundRewards(anybody(), 0n), 'ZeroAmount');
    });
  });

  describe('that are left over', () => {
    it('C-133: return to the owner after the last round, and not before', async () => {
      await create({ totalRounds: 2 });
      const owner = world.wallets[0]!;
      await world.fundRewards(anybody(), 5n * STAKE);
      const reclaim = (wallet = owner) => world.send(wallet, 'reclaimRewards');
      await expectRevert(reclaim(), 'RewardsStillNeeded', [0n, 2n]);
      for (const round of [1, 2]) await world.play(round);
      await world.finalize(1);
      await expectRevert(reclaim(), 'RewardsStillNeeded', [1n, 2n]);
      await world.finalize(2);
      await expectRevert(reclaim(anybody()), 'OwnableUnauthorizedAccount');
      const receipt = await reclaim();
      expect(world.event(receipt, 'RewardsReclaimed').amount).to.equal(5n * STAKE - 2n * REWARD);
      await expectRevert(reclaim(), 'NothingToWithdraw');
      // What the rounds were promised is still theirs.
      await distribute(1);
      await distribute(2);
      await world.checkBooks();
    });

    it('stay in a federation without a last round', async () => {
      await create();
      await world.fundRewards(anybody(), STAKE);
      await expectRevert(world.send(world.wallets[0]!, 'reclaimRewards'), 'RewardsStillNeeded', [0n, 0n]);
    });
  });
});
