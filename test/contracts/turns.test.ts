/** Whose turn it is to publish, what a missed turn costs, and that joining or leaving moves nobody's turn. */
import { expect } from 'chai';
import { BURN_ADDRESS, expectRevert, Phase, Role, STAKE, World } from './support/world.ts';

const PENALTY = STAKE / 5n;

describe('turns', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create({ aggregators: 3 });
  });
  afterEach(() => world.close());
  const order = async (round: number) => {
    const names: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const leader = await world.leader(round);
      names.push(world.wallets.indexOf(leader) - 30);
      await world.passDeadline(round);
    }
    return names;
  };

  it('go round, from round to round and from turn to turn, for ever', async () => {
    await world.contribute(1);
    expect(await world.scratch(() => order(1))).to.deep.equal([0, 1, 2, 0]);
    await world.publish(world.aggregator(0), 1);
    await world.contribute(2);
    expect(await world.scratch(() => order(2))).to.deep.equal([1, 2, 0, 1]);
    expect((await world.round(2)).leader).to.match(new RegExp(world.aggregator(1).account.address, 'i'));
  });

  it('C-31: belong to one aggregator', async () => {
    await world.contribute(1);
    const { deadline } = await world.round(1);
    await expectRevert(world.publish(world.aggregator(1), 1), 'NotTheLeader', [
      1n,
      0,
      world.aggregator(0).account.address,
      world.aggregator(1).account.address,
    ]);
    await expectRevert(world.publish(world.participant(0), 1), 'NotTheLeader');
    await world.nextBlockAt(deadline);
    await expectRevert(world.publish(world.aggregator(0), 1), 'NotTheLeader');
    await world.publish(world.aggregator(1), 1);
  });

  it('nobody leads before Aggregate', async () => {
    expect(await world.read('leader', [1n])).to.match(/^0x0+$/);
    expect(await world.read('leader', [0n])).to.match(/^0x0+$/);
    expect(await world.read('leader', [7n])).to.match(/^0x0+$/);
  });

  it('when missed cost the penalty, which is burned, and the next one publishes', async () => {
    await world.contribute(1);
    await world.passDeadline(1);
    const burnedBefore = await world.balance(BURN_ADDRESS);
    const receipt = await world.publish(world.aggregator(1), 1);
    const missed = world.event(receipt, 'TurnMissed');
    expect([missed.turn, missed.penalty]).to.deep.equal([0, PENALTY]);
    expect(missed.aggregator).to.match(new RegExp(world.aggregator(0).account.address, 'i'));
    expect(world.event(receipt, 'PenaltyBurned').amount).to.equal(PENALTY);
    expect((await world.balance(BURN_ADDRESS)) - burnedBefore).to.equal(PENALTY);
    expect(await world.read('totalBurned')).to.equal(PENALTY);
    expect((await world.aggregatorOf(world.aggregator(0))).stake).to.equal(2n * STAKE - PENALTY);
    await world.checkBooks();
  });

  it('C-43: an idle night costs each aggregator one penalty, not one per turn', async () => {
    await world.contribute(1);
    await world.increase(200 * 1000);
    expect((await world.round(1)).turn).to.be.at.least(1000);
    await world.send(world.wallets[9]!, 'advance', [1n]);
    await world.increase(200 * 50);
    await world.send(world.wallets[9]!, 'advance', [1n]);
    for (let i = 0; i < 3; i++) {
      expect((await world.aggregatorOf(world.aggregator(i))).stake).to.equal(2n * STAKE - PENALTY);
    }
    expect(await world.read('totalBurned')).to.equal(3n * PENALTY);
    await world.publish(await world.leader(1), 1);
  });

  it('end for who cannot pay for missing another: it rests until it tops up', async () => {
    world.federation = await world.createFederation({ missedTurnPenalty: 2n * STAKE });
    for (let i = 0; i < 4; i++) await world.register(world.participant(i));
    await world.registerAggregator(world.aggregator(0));
    await world.registerAggregator(world.aggregator(1));
    await world.contribute(1);
    await world.passDeadline(1);
    await world.publish(world.aggregator(1), 1);
    const broke = await world.aggregatorOf(world.aggregator(0));
    expect([broke.stake, broke.activeUntilRound]).to.deep.equal([0n, 1]);
    await world.contribute(2);
    expect(await world.scratch(() => order(2))).to.deep.equal([1, 1, 1, 1]);
    await world.topUp(world.aggregator(0), Role.Aggregator, STAKE);
    expect((await world.aggregatorOf(world.aggregator(0))).activeUntilRound).to.equal(1);
    const receipt = await world.topUp(world.aggregator(0), Role.Aggregator, STAKE);
    expect(world.event(receipt, 'StakeAdded').stake).to.equal(2n * STAKE);
    expect((await world.aggregatorOf(world.aggregator(0))).activeFromRound).to.equal(3);
    expect(await world.scratch(() => order(2))).to.deep.equal([1, 1, 1, 1]);
    await world.publish(world.aggregator(1), 2);
    await world.contribute(3);
    expect(await world.scratch(() => order(3))).to.deep.equal([0, 1, 0, 1]);
    await world.checkBooks();
  });

  it('do not move in a round under way: joining and leaving count from the next', async () => {
    await world.commit(world.participant(0), 1);
    await world.registerAggregator(world.aggregator(3));
    await world.send(world.aggregator(0), 'requestExit', [Role.Aggregator]);
    for (let i = 1; i < 4; i++) await world.commit(world.participant(i), 1);
    for (let i = 0; i < 4; i++) await world.reveal(world.participant(i), 1);
    expect(await world.scratch(() => order(1))).to.deep.equal([0, 1, 2, 0]);
    await world.publish(world.aggregator(0), 1);
    await world.contribute(2);
    // Active in round 2: 1, 2, 3; the second round starts at the second of them.
    expect(await world.scratch(() => order(2))).to.deep.equal([2, 3, 1, 2]);
  });

  describe('when everybody who stands in a round has missed a turn', () => {
    const dead = 0;
    const reserve = 1;
    beforeEach(async () => {
      world.federation = await world.createFederation();
      for (let i = 0; i < 4; i++) await world.register(world.participant(i));
      await world.registerAggregator(world.aggregator(dead));
      await world.commit(world.participant(0), 1);
    });

    const publishedBy = async (i: number) => {
      await world.publish(world.aggregator(i), 1);
      expect(await world.phase(1)).to.equal(Phase.Challenge);
      await world.checkBooks();
    };
    const finishCommits = async () => {
      for (let i = 1; i < 4; i++) await world.commit(world.participant(i), 1);
      for (let i = 0; i < 4; i++) await world.reveal(world.participant(i), 1);
    };

    it('C-44: who stands ready for a later round leads this one: one dead aggregator ends no federation', async () => {
      await world.registerAggregator(world.aggregator(reserve));
      expect((await world.aggregatorOf(world.aggregator(reserve))).activeFromRound).to.equal(2);
      await finishCommits();
      expect(await world.scratch(() => order(1))).to.deep.equal([dead, dead, dead, dead]);
      await world.passDeadline(1);
      const receipt = await world.send(world.participant(0), 'advance', [1n]);
      expect(world.eventNames(receipt)).to.include.members(['TurnMissed', 'AggregatePhaseOpened']);
      expect((await world.aggregatorOf(world.aggregator(reserve))).activeFromRound).to.equal(1);
      const turns = await world.scratch(() => order(1));
      expect(turns.slice(0, 2).sort()).to.deep.equal([dead, reserve]);
      if (turns[0] === dead) await world.passDeadline(1);
      await publishedBy(reserve);
    });

    it('nobody pays for it a second time, however long it lasts', async () => {
      await world.registerAggregator(world.aggregator(reserve));
      await finishCommits();
      await world.passDeadline(1);
      await world.send(world.participant(0), 'advance', [1n]);
      const burned = await world.read('totalBurned');
      expect(burned).to.equal(STAKE / 5n);
      await world.increase(5000);
      await world.send(world.participant(0), 'advance', [1n]);
      expect(await world.read('totalBurned')).to.equal(burned);
      expect((await world.aggregatorOf(world.aggregator(reserve))).stake).to.equal(2n * STAKE);
    });

    it('who joins then stands in it at once, not before', async () => {
      await finishCommits();
      await world.scratch(async () => {
        await world.registerAggregator(world.aggregator(reserve));
        expect((await world.aggregatorOf(world.aggregator(reserve))).activeFromRound).to.equal(2);
      });
      await world.passDeadline(1);
      const joined = await world.registerAggregator(world.aggregator(reserve));
      expect(world.event(joined, 'AggregatorRegistered').activeFromRound).to.equal(1);
      expect(world.eventNames(joined)).to.include('AggregatePhaseOpened');
      if ((await world.scratch(() => order(1)))[0] === dead) await world.passDeadline(1);
      await publishedBy(reserve);
    });

    it('who is about to leave is not called', async () => {
      await world.registerAggregator(world.aggregator(reserve));
      await world.send(world.aggregator(reserve), 'requestExit', [Role.Aggregator]);
      await finishCommits();
      await world.passDeadline(1);
      await world.send(world.participant(0), 'advance', [1n]);
      expect(await world.scratch(() => order(1))).to.deep.equal([dead, dead, dead, dead]);
    });
  });

  it('before the first commit joining and leaving count at once', async () => {
    await world.send(world.aggregator(0), 'requestExit', [Role.Aggregator]);
    await world.registerAggregator(world.aggregator(3));
    await world.contribute(1);
    expect(await world.scratch(() => order(1))).to.deep.equal([1, 2, 3, 1]);
  });

  it('without any aggregator a round waits, and goes on with the first that joins, which pays for no turn before', async () => {
    for (let i = 0; i < 3; i++) await world.send(world.aggregator(i), 'requestExit', [Role.Aggregator]);
    await world.contribute(1);
    expect(await world.read('leader', [1n])).to.match(/^0x0+$/);
    await world.increase(100_000);
    const joined = await world.registerAggregator(world.aggregator(3));
    expect((await world.aggregatorOf(world.aggregator(3))).activeFromRound).to.equal(1);
    const opened = world.event(joined, 'AggregatePhaseOpened');
    expect(opened.leader).to.match(new RegExp(world.aggregator(3).account.address, 'i'));
    expect((await world.round(1)).deadline).to.equal(opened.deadline);
    const before = (await world.aggregatorOf(world.aggregator(3))).stake;
    await world.publish(world.aggregator(3), 1);
    expect(await world.phase(1)).to.equal(Phase.Challenge);
    expect((await world.aggregatorOf(world.aggregator(3))).stake).to.equal(before);
    expect(await world.read('totalBurned')).to.equal(0n);
    await world.checkBooks();
  });

  it('without any aggregator a round goes on with one that tops up, which pays for no turn before', async () => {
    world.federation = await world.createFederation({ missedTurnPenalty: 2n * STAKE });
    for (let i = 0; i < 4; i++) await world.register(world.participant(i));
    await world.registerAggregator(world.aggregator(0));
    await world.contribute(1);
    await world.passDeadline(1);
    await world.publish(world.aggregator(0), 1); // its next turn; it has paid its whole stake
    await world.contribute(2);
    await world.increase(100_000);
    await world.topUp(world.aggregator(0), Role.Aggregator, 2n * STAKE);
    await world.publish(world.aggregator(0), 2);
    expect((await world.aggregatorOf(world.aggregator(0))).stake).to.equal(2n * STAKE);
    await world.checkBooks();
  });

  it('of an aggregator that has withdrawn pass, and its place is given again', async () => {
    await world.commit(world.participant(0), 1);
    await world.send(world.aggregator(0), 'requestExit', [Role.Aggregator]);
    await world.increase(60);
    await world.send(world.aggregator(0), 'withdraw', [Role.Aggregator]);
    for (let i = 1; i < 4; i++) await world.commit(world.participant(i), 1);
    for (let i = 0; i < 4; i++) await world.reveal(world.participant(i), 1);
    await expectRevert(world.publish(world.aggregator(0), 1), 'NotRegistered');
    await world.passDeadline(1);
    const receipt = await world.publish(world.aggregator(1), 1);
    expect(world.event(receipt, 'TurnMissed').penalty).to.equal(0n);
    await world.finalize(1);
    expect(await world.read('aggregators')).to.have.length(3);
    await world.registerAggregator(world.aggregator(3));
    const places = (await world.read('aggregators')) as { account: string }[];
    const expected = [1, 2, 3].map((i) => world.aggregator(i).account.address.toLowerCase());
    expect(places.map(({ account }) => account.toLowerCase())).to.deep.equal(expected);
    for (let i = 1; i < 4; i++) {
      const { account } = world.aggregator(i);
      expect((await world.aggregatorOf(world.aggregator(i))).account).to.match(new RegExp(account.address, 'i'));
    }
    await world.checkBooks();
  });
});
