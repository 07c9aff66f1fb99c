/** Who may take part, and how one registers. */
import { expect } from 'chai';
import { expectRevert, Phase, Role, STAKE, World } from './support/world.ts';

describe('membership', () => {
  let world: World;
  const fresh = (options: Parameters<typeof World.create>[0]) => async () => {
    world = await World.create(options);
  };
  afterEach(() => world.close());

  describe('a closed federation', () => {
    beforeEach(async () => {
      world = await World.create({ parameters: { openMembership: false }, participants: 0, aggregators: 0 });
    });

    it('C-01: only members register, in either role', async () => {
      const [owner, alice] = [world.wallets[0]!, world.participant(0)];
      const { address } = alice.account;
      await expectRevert(world.register(alice), 'NotAMember', [address]);
      await expectRevert(world.registerAggregator(alice), 'NotAMember', [address]);
      expect(await world.read('isMember', [address])).to.equal(false);
      const receipt = await world.send(owner, 'addMembers', [[address]]);
      expect(world.event(receipt, 'MemberAdded').account).to.match(new RegExp(address, 'i'));
      expect(await world.read('isMember', [address])).to.equal(true);
      await world.register(alice);
      await world.registerAggregator(alice);
    });

    it('only the owner edits the list, each account once', async () => {
      const [owner, alice] = [world.wallets[0]!, world.participant(0)];
      const list = [[alice.account.address]];
      await expectRevert(world.send(alice, 'addMembers', list), 'OwnableUnauthorizedAccount');
      await expectRevert(world.send(alice, 'removeMembers', list), 'OwnableUnauthorizedAccount');
      await expectRevert(world.send(owner, 'removeMembers', list), 'NotAMember');
      await world.send(owner, 'addMembers', list);
      await expectRevert(world.send(owner, 'addMembers', list), 'AlreadyAMember');
    });

    it('ownership moves in two steps', async () => {
      const [owner, alice] = [world.wallets[0]!, world.participant(0)];
      await world.send(owner, 'transferOwnership', [alice.account.address]);
      await expectRevert(world.send(alice, 'addMembers', [[]]), 'OwnableUnauthorizedAccount');
      await world.send(alice, 'acceptOwnership');
      await world.send(alice, 'addMembers', [[alice.account.address]]);
    });

    it('the owner cannot choose who counts: whoever is removed after the first commit still counts in that round', async () => {
      const [owner] = world.wallets;
      const people = [0, 1, 2, 3].map((i) => world.participant(i));
      const aggregator = world.aggregator(0);
      await world.send(owner!, 'addMembers', [[...people, aggregator].map(({ account }) => account.address)]);
      for (const person of people) await world.register(person);
      await world.registerAggregator(aggregator);
      await world.commit(people[0]!, 1);
      await world.commit(people[1]!, 1);
      const removed = [people[1]!, people[2]!, aggregator];
      const receipt = await world.send(owner!, 'removeMembers', [removed.map(({ account }) => account.address)]);
      expect(world.eventNames(receipt).sort()).to.deep.equal([
        ...Array(3).fill('ExitRequested'),
        ...Array(3).fill('MemberRemoved'),
      ]);
      expect((await world.round(1)).expected).to.equal(4);
      await world.commit(people[2]!, 1);
      await world.commit(people[3]!, 1);
      expect(await world.phase(1)).to.equal(Phase.Reveal);
      for (const person of people) await world.reveal(person, 1);
      await world.publish(aggregator, 1);
      const second = await world.round(2);
      expect([second.phase, second.expected]).to.deep.equal([Phase.Open, 2]);
      await expectRevert(world.commit(people[2]!, 2), 'NotExpected');
      await expectRevert(world.send(people[2]!, 'requestExit', [Role.Participant]), 'ExitAlreadyRequested');
    });

    it('a removed participant that committed stays counted when the window is extended', async () => {
      const [owner] = world.wallets;
      const people = [0, 1, 2, 3].map((i) => world.participant(i));
      const aggregator = world.aggregator(0);
      await world.send(owner!, 'addMembers', [[...people, aggregator].map(({ account }) => account.address)]);
      for (const person of people) await world.register(person);
      await world.registerAggregator(aggregator);
      const gone = [people[0]!, people[1]!].map(({ account }) => account.address);
      await world.commit(people[0]!, 1);
      await world.send(owner!, 'removeMembers', [gone]);
      await world.commit(people[1]!, 1);
      await world.passDeadline(1);
      // Two committed and left, two are awaited: neither commit may close the phase before the other.
      expect((await world.round(1)).expected).to.equal(4);
      await world.commit(people[2]!, 1);
      expect(await world.phase(1)).to.equal(Phase.Commit);
      await world.commit(people[3]!, 1);
      expect(await world.phase(1)).to.equal(Phase.Reveal);
    });
  });

  describe('registering', () => {
    beforeEach(fresh({ participants: 0, aggregators: 0, parameters: { maxParticipants: 5 } }));

    it('C-04: with less than the stake is refused; more is kept', async () => {
      await expectRevert(world.register(world.participant(0), STAKE - 1n), 'StakeTooLow', [STAKE - 1n, STAKE]);
      await expectRevert(world.registerAggregator(world.aggregator(0), STAKE), 'StakeTooLow', [STAKE, 2n * STAKE]);
      await world.register(world.participant(0), STAKE + 5n);
      expect((await world.participantOf(world.participant(0))).stake).to.equal(STAKE + 5n);
      await world.checkBooks();
    });

    it('C-02: happens once per role; one account may have both', async () => {
      const both = world.participant(0);
      await world.register(both);
      await world.registerAggregator(both);
      await expectRevert(world.register(both), 'AlreadyRegistered', [both.account.address, Role.Participant]);
      await expectRevert(world.registerAggregator(both), 'AlreadyRegistered', [both.account.address, Role.Aggregator]);
      await world.checkBooks();
    });

    it('C-03: ends at the maximum of participants, and at 32 aggregators', async () => {
      for (let i = 0; i < 5; i++) await world.register(world.participant(i));
      await expectRevert(world.register(world.participant(5)), 'TooManyParticipants', [5]);
      for (let i = 0; i < 32; i++) await world.registerAggregator(world.wallets[i]!);
      await expectRevert(world.registerAggregator(world.wallets[32]!), 'TooManyAggregators', [32]);
    });

    it('gives indices in order, which name the participants', async () => {
      for (let i = 0; i < 3; i++) {
        const receipt = await world.register(world.participant(i));
        const { index, stake, gateway } = world.event(receipt, 'ParticipantRegistered');
        expect([index, stake, gateway]).to.deep.equal([i, STAKE, 'http://127.0.0.1:7001']);
      }
      expect(await world.read('participantCount')).to.equal(3);
      const second = await world.read('participantAt', [1]);
      expect(second.account).to.match(new RegExp(world.participant(1).account.address, 'i'));
      expect((await world.read('participantAt', [4])).account).to.match(/^0x0+$/);
    });

    it('C-06: gateways are announced, changed and bounded', async () => {
      const alice = world.participant(0);
      await expectRevert(world.send(alice, 'setGateway', ['http://x']), 'NotRegistered');
      await world.register(alice);
      const receipt = await world.send(alice, 'setGateway', ['http://x']);
      expect(world.event(receipt, 'GatewayChanged').gateway).to.equal('http://x');
      await expectRevert(world.send(alice, 'setGateway', ['x'.repeat(257)]), 'GatewayTooLong', [257n, 256n]);
      await world.send(alice, 'setGateway', ['x'.repeat(256)]);
    });

    it('opens round 1 when the participants are there, and an aggregator, in either order', async () => {
      for (let i = 0; i < 4; i++) await world.register(world.participant(i));
      expect(await world.currentRound()).to.equal(0);
      const receipt = await world.registerAggregator(world.aggregator(0));
      const { round, opening, expected } = world.event(receipt, 'RoundOpened');
      expect([round, opening, expected]).to.deep.equal([1n, 1, 4]);
      expect(await world.phase(1)).to.equal(Phase.Open);

      world.federation = await world.createFederation();
      await world.registerAggregator(world.aggregator(0));
      for (let i = 0; i < 3; i++) await world.register(world.participant(i));
      expect(await world.currentRound()).to.equal(0);
      const last = await world.register(world.participant(3));
      expect(world.eventNames(last)).to.deep.equal(['ParticipantRegistered', 'RoundOpened']);
    });
  });

  describe('joining later', () => {
    beforeEach(fresh({}));

    it('C-11: before the first commit takes part at once, after it from the next round on', async () => {
      await world.register(world.participant(4));
      expect((await world.round(1)).expected).to.equal(5);
      for (let i = 0; i < 4; i++) await world.commit(world.participant(i), 1);
      await world.register(world.participant(5));
      expect((await world.round(1)).expected).to.equal(5);
      await expectRevert(world.commit(world.participant(5), 1), 'NotExpected');
      await world.commit(world.participant(4), 1);
      for (let i = 0; i < 5; i++) await world.reveal(world.participant(i), 1);
      await world.publish(await world.leader(1), 1);
      expect((await world.round(2)).expected).to.equal(6);
      await world.commit(world.participant(5), 2);
    });

    it('includes whoever waits when the window is extended', async () => {
      await world.commit(world.participant(0), 1);
      await world.register(world.participant(4));
      await expectRevert(world.commit(world.participant(4), 1), 'NotExpected');
      await world.passDeadline(1);
      expect((await world.round(1)).expected).to.equal(5);
      const receipt = await world.commit(world.participant(4), 1);
      expect(world.eventNames(receipt)).to.deep.equal(['CommitWindowExtended', 'UpdateCommitted']);
    });
  });
});
