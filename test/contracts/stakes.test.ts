/** What a stake answers for, what it pays, and when it may leave. */
import { expect } from 'chai';
import { BURN_ADDRESS, expectRevert, Phase, Role, STAKE, World } from './support/world.ts';

const PENALTY = STAKE / 10n;

describe('stakes', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());
  const alice = () => world.participant(0);
  const address = () => alice().account.address;
  /** Round 1 without the reveal of participant 0. */
  const missReveal = async () => {
    for (let i = 0; i < 4; i++) await world.commit(world.participant(i), 1);
    for (let i = 1; i < 4; i++) await world.reveal(world.participant(i), 1);
    await world.passDeadline(1);
  };

  describe('a missed reveal', () => {
    it('C-40: costs the penalty once, charged by anybody, never before it is missed', async () => {
      await expectRevert(world.send(world.wallets[9]!, 'settleMissedReveal', [address()]), 'NothingToSettle', [
        address(),
      ]);
      for (let i = 0; i < 4; i++) await world.commit(world.participant(i), 1);
      await expectRevert(world.send(world.wallets[9]!, 'settleMissedReveal', [address()]), 'NothingToSettle');
      for (let i = 1; i < 4; i++) await world.reveal(world.participant(i), 1);
      await expectRevert(world.send(world.wallets[9]!, 'settleMissedReveal', [address()]), 'NothingToSettle');
      await world.passDeadline(1);
      const { address: other } = world.participant(1).account;
      await expectRevert(world.send(world.wallets[9]!, 'settleMissedReveal', [other]), 'NothingToSettle');
      expect((await world.participantOf(alice())).penaltyDue).to.equal(PENALTY);
      const before = await world.balance(BURN_ADDRESS);
      const receipt = await world.send(world.wallets[9]!, 'settleMissedReveal', [address()]);
      const { round, penalty, stake } = world.event(receipt, 'RevealMissed');
      expect([round, penalty, stake]).to.deep.equal([1n, PENALTY, STAKE - PENALTY]);
      expect((await world.balance(BURN_ADDRESS)) - before).to.equal(PENALTY);
      expect((await world.participantOf(alice())).penaltyDue).to.equal(0n);
      await expectRevert(world.send(world.wallets[9]!, 'settleMissedReveal', [address()]), 'NothingToSettle');
      await world.checkBooks();
    });

    it('C-13: takes who falls below the stake out of the rounds, until it tops up', async () => {
      await missReveal();
      await world.publish(await world.leader(1), 1);
      await world.send(world.wallets[9]!, 'settleMissedReveal', [address()]);
      expect((await world.participantOf(alice())).active).to.equal(false);
      expect((await world.round(2)).expected).to.equal(3);
      await expectRevert(world.commit(alice(), 2), 'StakeTooLow', [STAKE - PENALTY, STAKE]);
      await world.topUp(alice(), Role.Participant, PENALTY - 1n);
      await expectRevert(world.commit(alice(), 2), 'StakeTooLow');
      const receipt = await world.topUp(alice(), Role.Participant, 1n);
      expect(world.event(receipt, 'StakeAdded').stake).to.equal(STAKE);
      expect((await world.round(2)).expected).to.equal(4);
      await world.commit(alice(), 2);
      await world.checkBooks();
    });

    it('is charged at the next commit of who can afford it', async () => {
      await world.topUp(alice(), Role.Participant, PENALTY);
      await missReveal();
      await world.publish(await world.leader(1), 1);
      const receipt = await world.commit(alice(), 2);
      expect(world.eventNames(receipt)).to.deep.equal([
        'RevealMissed',
        'PenaltyBurned',
        'CommitPhaseOpened',
        'UpdateCommitted',
      ]);
      expect((await world.participantOf(alice())).stake).to.equal(STAKE);
    });

    it('blocks the commit of who cannot: nothing is half done', async () => {
      await missReveal();
      await world.publish(await world.leader(1), 1);
      await expectRevert(world.commit(alice(), 2), 'StakeTooLow', [STAKE - PENALTY, STAKE]);
      expect((await world.participantOf(alice())).stake).to.equal(STAKE);
      const receipt = await world.topUp(alice(), Role.Participant, PENALTY);
      expect(world.eventNames(receipt)).to.include('RevealMissed');
      await world.commit(alice(), 2);
    });

    it('settled in the middle of Commit, does not hold up the others', async () => {
      await missReveal();
      await world.publish(await world.leader(1), 1);
      for (let i = 1; i < 4; i++) await world.commit(world.participant(i), 2);
      expect(await world.phase(2)).to.equal(Phase.Commit);
      const receipt = await world.send(world.wallets[9]!, 'settleMissedReveal', [address()]);
      expect(world.eventNames(receipt)).to.include('RevealPhaseOpened');
      expect(await world.phase(2)).to.equal(Phase.Reveal);
    });

    it('an odd penalty is charged to the last wei', async () => {
      world.federation = await world.createFederation({ participantStake: 7n, missedRevealPenalty: 7n });
      for (let i = 0; i < 4; i++) await world.register(world.participant(i), 7n);
      await world.registerAggregator(world.aggregator(0));
      await missReveal();
      await world.send(world.wallets[9]!, 'settleMissedReveal', [address()]);
      expect((await world.participantOf(alice())).stake).to.equal(0n);
      expect(await world.read('totalBurned')).to.equal(7n);
      await world.checkBooks();
    });
  });

  describe('leaving', () => {
    const leave = async () => {
      await world.send(alice(), 'requestExit', [Role.Participant]);
      await world.increase(60);
    };
    const withdraw = () => world.send(alice(), 'withdraw', [Role.Participant]);

    it('C-05: is asked for once, by who is there', async () => {
      await expectRevert(world.send(world.wallets[9]!, 'requestExit', [Role.Participant]), 'NotRegistered');
      await expectRevert(world.send(world.wallets[9]!, 'requestExit', [Role.Aggregator]), 'NotRegistered');
      await expectRevert(withdraw(), 'ExitNotRequested', [address(), Role.Participant]);
      await leave();
      await expectRevert(world.send(alice(), 'requestExit', [Role.Participant]), 'ExitAlreadyRequested');
      await expectRevert(world.topUp(alice(), Role.Participant, 1n), 'ExitAlreadyRequested');
    });

    it('C-42: takes the delay', async () => {
      const receipt = await world.send(alice(), 'requestExit', [Role.Participant]);
      const { withdrawableFrom } = world.event(receipt, 'ExitRequested') as { withdrawableFrom: bigint };
      expect(withdrawableFrom).to.equal((await world.now()) + 50n);
      await world.nextBlockAt(withdrawableFrom - 1n);
      await expectRevert(withdraw(), 'WithdrawalTooEarly', [withdrawableFrom]);
      await world.nextBlockAt(withdrawableFrom);
      const before = await world.balance(address());
      const paid = await withdraw();
      expect(world.event(paid, 'Withdrawn').amount).to.equal(STAKE);
      expect((await world.balance(address())) - before).to.equal(STAKE - paid.gasUsed * paid.effectiveGasPrice);
      await expectRevert(withdraw(), 'NotRegistered');
      await world.checkBooks();
    });

    it('C-41: waits until the last round the stake answers for is final', async () => {
      await world.play(1);
      await world.play(2);
      await leave();
      await expectRevert(withdraw(), 'StakeAtRisk', [address(), 2n, 0n]);
      await world.finalize(1);
      await expectRevert(withdraw(), 'StakeAtRisk', [address(), 2n, 1n]);
      await world.finalize(2);
      await withdraw();
      await world.checkBooks();
    });

    it('C-41: holds for an aggregator and the rounds it published', async () => {
      const publisher = world.aggregator(0);
      await world.play(1);
      await world.send(publisher, 'requestExit', [Role.Aggregator]);
      await world.increase(60);
      await expectRevert(world.send(publisher, 'withdraw', [Role.Aggregator]), 'StakeAtRisk', [
        publisher.account.address,
        1n,
        0n,
      ]);
      await world.finalize(1);
      const receipt = await world.send(publisher, 'withdraw', [Role.Aggregator]);
      expect(world.event(receipt, 'Withdrawn').amount).to.equal(2n * STAKE);
      await expectRevert(world.send(publisher, 'withdraw', [Role.Aggregator]), 'NotRegistered');
      await world.checkBooks();
    });

    it('takes an unrevealed commit back, so a round that never fills up locks nobody in', async () => {
      await world.commit(alice(), 1);
      const receipt = await world.send(alice(), 'requestExit', [Role.Participant]);
      expect(world.eventNames(receipt)).to.deep.equal(['ExitRequested', 'CommitRetracted']);
      const { committed, expected } = await world.round(1);
      expect([committed, expected]).to.deep.equal([0, 3]);
      await expectRevert(world.commit(alice(), 1), 'NotExpected');
      await world.increase(60);
      await withdraw();
      for (let i = 1; i < 4; i++) await world.commit(world.participant(i), 1);
      expect(await world.phase(1)).to.equal(Phase.Reveal);
    });

    it('of the one everybody waits for closes the phase', async () => {
      for (let i = 1; i < 4; i++) await world.commit(world.participant(i), 1);
      const receipt = await world.send(alice(), 'requestExit', [Role.Participant]);
      expect(world.eventNames(receipt)).to.deep.equal(['ExitRequested', 'RevealPhaseOpened']);
    });

    it('in Reveal does not free of revealing: the penalty is paid on the way out', async () => {
      for (let i = 0; i < 4; i++) await world.commit(world.participant(i), 1);
      await leave();
      await world.scratch(() => world.reveal(alice(), 1));
      for (let i = 1; i < 4; i++) await world.reveal(world.participant(i), 1);
      await expectRevert(withdraw(), 'StakeAtRisk', [address(), 1n, 0n]);
      await world.passDeadline(1);
      const receipt = await withdraw();
      expect(world.event(receipt, 'RevealMissed').penalty).to.equal(PENALTY);
      expect(world.event(receipt, 'Withdrawn').amount).to.equal(STAKE - PENALTY);
      await world.checkBooks();
    });

    it('a request pays what is owed', async () => {
      await missReveal();
      const receipt = await world.send(alice(), 'requestExit', [Role.Participant]);
      expect(world.eventNames(receipt)).to.include.members(['RevealMissed', 'ExitRequested']);
    });

    it('frees the index for the next participant, who starts from nothing', async () => {
      await world.send(world.participant(2), 'requestExit', [Role.Participant]);
      await world.increase(60);
      await world.send(world.participant(2), 'withdraw', [Role.Participant]);
      const receipt = await world.register(world.participant(7));
      expect(world.event(receipt, 'ParticipantRegistered').index).to.equal(2);
      await world.register(world.participant(2));
      expect((await world.participantOf(world.participant(2))).index).to.equal(4);
      expect(await world.read('participantCount')).to.equal(5);
    });

    it('of everybody leaves an empty contract', async () => {
      await world.play(1);
      await world.finalize(1);
      for (let i = 0; i < 4; i++) await world.send(world.participant(i), 'requestExit', [Role.Participant]);
      for (let i = 0; i < 2; i++) await world.send(world.aggregator(i), 'requestExit', [Role.Aggregator]);
      await world.increase(60);
      for (let i = 0; i < 4; i++) await world.send(world.participant(i), 'withdraw', [Role.Participant]);
      for (let i = 0; i < 2; i++) await world.send(world.aggregator(i), 'withdraw', [Role.Aggregator]);
      expect(await world.balance(world.federation)).to.equal(0n);
    });
  });

  it('grow by topping up, in the role that is named, and only there', async () => {
    await expectRevert(world.topUp(alice(), Role.Participant, 0n), 'ZeroAmount');
    await expectRevert(world.topUp(alice(), Role.Aggregator, 1n), 'NotRegistered');
    await world.topUp(alice(), Role.Participant, 5n);
    await world.topUp(world.aggregator(0), Role.Aggregator, 7n);
    expect((await world.participantOf(alice())).stake).to.equal(STAKE + 5n);
    expect((await world.aggregatorOf(world.aggregator(0))).stake).to.equal(2n * STAKE + 7n);
    await world.checkBooks();
  });
});
