/** The place of fraud proofs: a submission or a publication is voided, and honest people lose nothing by it. */
import { expect } from 'chai';
import { baseParameters, expectRevert, Phase, Role, STAKE, World, zeroHash } from './support/world.ts';

describe('voiding', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create({ harness: true });
  });
  afterEach(() => world.close());
  const judge = () => world.wallets[9]!;
  const people = () => [0, 1, 2, 3].map((i) => world.participant(i));

  it('is not reachable from outside in the real contract', async () => {
    const real = await world.connection.viem.getContractAt('Federation', world.federation);
    expect(
      real.abi.filter((entry) => 'name' in entry && /void/i.test(entry.name) && entry.type === 'function'),
    ).to.deep.equal([]);
  });

  describe('a submission', () => {
    const voidSubmission = (index: number, round = 1n) => world.send(judge(), 'voidSubmission', [round, index]);

    it('C-50 C-51: does not count any more; it must be there, and is voided once', async () => {
      await expectRevert(voidSubmission(0), 'WrongPhase');
      for (const person of people()) await world.commit(person, 1);
      await world.reveal(world.participant(1), 1);
      await expectRevert(voidSubmission(0), 'SubmissionNotFound', [1n, 0]);
      await expectRevert(voidSubmission(9), 'SubmissionNotFound', [1n, 9]);
      const receipt = await voidSubmission(1);
      expect(world.event(receipt, 'SubmissionVoided').index).to.equal(1);
      await expectRevert(voidSubmission(1), 'SubmissionAlreadyVoided', [1n, 1]);
      for (const i of [0, 2, 3]) await world.reveal(world.participant(i), 1);
      const { voidedBitmap, phase, revealed } = await world.round(1);
      expect([voidedBitmap, phase, revealed]).to.deep.equal([2n, Phase.Aggregate, 4]);
      await world.publish(await world.leader(1), 1);
      await expectRevert(voidSubmission(1), 'SubmissionAlreadyVoided', [1n, 1]);
      expect((await world.round(1)).voidedBitmap).to.equal(2n);
      expect((await world.round(2)).voidedBitmap).to.equal(0n);
      await world.finalize(1);
      await expectRevert(voidSubmission(2), 'WrongPhase', [1n, Phase.Final, Phase.Reveal]);
      await expectRevert(voidSubmission(2, 2n), 'WrongPhase', [2n, Phase.Open, Phase.Reveal]);
      await expectRevert(voidSubmission(2, 3n), 'WrongPhase', [3n, Phase.None, Phase.Reveal]);
    });

    it('after the publication takes the model along: the next aggregator does it again, the first pays for its turn', async () => {
      const [first, second] = [world.aggregator(0), world.aggregator(1)];
      await world.play(1);
      await world.play(2);
      const receipt = await voidSubmission(2);
      expect(world.eventNames(receipt)).to.deep.equal([
        'SubmissionVoided',
        'RoundVoided',
        'TurnMissed',
        'PenaltyBurned',
        'AggregatePhaseOpened',
      ]);
      expect(world.event(receipt, 'RoundVoided').lastRound).to.equal(3n);
      const missed = world.event(receipt, 'TurnMissed');
      expect([missed.turn, missed.penalty]).to.deep.equal([0, baseParameters.missedTurnPenalty]);
      expect(missed.aggregator).to.match(new RegExp(first.account.address, 'i'));
      const redo = await world.round(1);
      expect([redo.phase, redo.turn, redo.voidedBitmap]).to.deep.equal([Phase.Aggregate, 1, 4n]);
      // Like everybody whose turn produced nothing, it may try again when its turn comes.
      expect((await world.aggregatorOf(first)).activeUntilRound).to.equal(2 ** 32 - 1);
      await world.publish(second, 1, 1);
      expect(await world.phase(2)).to.equal(Phase.Open);
      expect((await world.aggregatorOf(second)).stake).to.equal(2n * STAKE);
      await world.checkBooks();
    });

    it('after the publication, with too few left: the round is abandoned, and the next one starts from its base', async () => {
      await world.play(1);
      await voidSubmission(2);
      await world.publish(await world.leader(1), 1, 1);
      await world.play(2);
      const receipt = await voidSubmission(0);
      expect(world.eventNames(receipt)).to.deep.equal([
        'SubmissionVoided',
        'RoundVoided',
        'TurnMissed',
        'PenaltyBurned',
        'RoundAbandoned',
        'RoundOpened',
        'RoundFinalized',
      ]);
      expect(await world.phase(1)).to.equal(Phase.Abandoned);
      const next = await world.round(2);
      expect([next.phase, next.baseModelRoot]).to.deep.equal([Phase.Open, baseParameters.genesisModelRoot]);
      await world.play(2);
      await world.finalize(2);
      await world.checkBooks();
    });

    it('of the last round, with too few left: the federation ends with the model before', async () => {
      world.federation = await world.createFederation({ totalRounds: 1, minParticipants: 3 });
      for (const person of people()) await world.register(person);
      for (const i of [0, 1]) await world.registerAggregator(world.aggregator(i));
      await world.play(1);
      await voidSubmission(0);
      await voidSubmission(1);
      expect(await world.phase(1)).to.equal(Phase.Abandoned);
      expect([await world.currentRound(), await world.read('lastFinalRound')]).to.deep.equal([1, 1n]);
      for (const person of people()) await world.send(person, 'requestExit', [Role.Participant]);
      await world.increase(100);
      for (const person of people()) await world.send(person, 'withdraw', [Role.Participant]);
      await world.checkBooks();
    });

    it('too many voided in Reveal: the round is abandoned when reveals close', async () => {
      for (const person of people()) await world.commit(person, 1);
      await world.reveal(world.participant(0), 1);
      await world.reveal(world.participant(1), 1);
      await voidSubmission(0);
      await voidSubmission(1);
      await world.reveal(world.participant(2), 1);
      const receipt = await world.reveal(world.participant(3), 1);
      expect(world.event(receipt, 'RoundAbandoned').validUpdates).to.equal(2);
      expect(await world.currentRound()).to.equal(2);
    });

    it('too many voided in Aggregate: the round is abandoned at once', async () => {
      await world.contribute(1);
      await voidSubmission(0);
      const receipt = await voidSubmission(3);
      expect(world.eventNames(receipt)).to.deep.equal([
        'SubmissionVoided',
        'RoundAbandoned',
        'RoundOpened',
        'RoundFinalized',
      ]);
      expect(await world.phase(1)).to.equal(Phase.Abandoned);
      expect((await world.round(2)).baseModelRoot).to.equal(baseParameters.genesisModelRoot);
    });
  });

  describe('a publication', () => {
    const voidPublication = (round: number) => world.send(judge(), 'voidPublication', [BigInt(round)]);

    it('C-52: can be voided until its round is final', async () => {
      await expectRevert(voidPublication(1), 'WrongPhase', [1n, Phase.Open, Phase.Challenge]);
      await world.play(1);
      await world.finalize(1);
      await expectRevert(voidPublication(1), 'WrongPhase', [1n, Phase.Final, Phase.Challenge]);
      await expectRevert(voidPublication(5), 'WrongPhase', [5n, Phase.None, Phase.Challenge]);
    });

    it('returns its round to the next aggregator and takes the rounds built on it along', async () => {
      await world.play(1);
      await world.play(2);
      await world.play(3);
      await world.commit(world.participant(0), 4);
      const receipt = await voidPublication(2);
      expect(world.eventNames(receipt)).to.deep.equal(['RoundVoided', 'AggregatePhaseOpened']);
      expect(world.event(receipt, 'RoundVoided').lastRound).to.equal(4n);
      expect(await world.currentRound()).to.equal(2);
      expect(await Promise.all([1, 2, 3, 4].map((round) => world.phase(round)))).to.deep.equal([
        Phase.Challenge,
        Phase.Aggregate,
        Phase.None,
        Phase.None,
      ]);
      const redo = await world.round(2);
      expect([redo.turn, redo.modelRoot, redo.publicationHash]).to.deep.equal([1, zeroHash, zeroHash]);
      expect(redo.revealed).to.equal(4);
      // Aggregator 1 published round 2, so aggregator 0 does it again.
      await expectRevert(world.publish(world.aggregator(1), 2, 1), 'NotTheLeader');
      await world.publish(world.aggregator(0), 2, 1);
      const third = await world.round(3);
      expect([third.phase, third.opening, third.accumulator, third.seed]).to.deep.equal([
        Phase.Open,
        5,
        zeroHash,
        zeroHash,
      ]);
      // Round 3 had been published: nothing of that is left.
      expect([third.modelRoot, third.publicationHash, third.voidedBitmap]).to.deep.equal([zeroHash, zeroHash, 0n]);
      expect(third.aggregator).to.match(/^0x0+$/);
      expect(third.baseModelRoot).to.equal((await world.publication(2, 1)).modelRoot);
      await world.checkBooks();
    });

    it('voids commits and reveals made on it at no loss: nobody pays, everybody goes on', async () => {
      await world.play(1);
      for (const person of people()) await world.commit(person, 2);
      await world.reveal(world.participant(0), 2);
      await voidPublication(1);
      await world.increase(5000);
      const [alice, bob] = people();
      for (const person of [alice!, bob!]) {
        await expectRevert(world.send(judge(), 'settleMissedReveal', [person.account.address]), 'NothingToSettle');
        expect(await world.read('hasCommitted', [2n, person.account.address])).to.equal(false);
      }
      await expectRevert(world.reveal(bob!, 2), 'WrongPhase', [2n, Phase.None, Phase.Reveal]);
      await expectRevert(world.commit(bob!, 2), 'WrongPhase', [2n, Phase.None, Phase.Commit]);
      await world.publish(await world.leader(1), 1, 1);
      await expectRevert(world.send(judge(), 'settleMissedReveal', [bob!.account.address]), 'NothingToSettle');
      // The base model is another one, so the old seal cannot open: everybody seals again, even the same update.
      for (const person of people()) await world.commit(person, 2);
      for (const person of people()) await world.reveal(person, 2);
      await world.publish(await world.leader(2), 2);
      for (const person of people()) expect((await world.participantOf(person)).stake).to.equal(STAKE);
      await world.checkBooks();
    });

    it('keeps the stake of who took part in the redone round, and frees it when that is final', async () => {
      await world.play(1);
      await world.commit(world.participant(0), 2);
      await voidPublication(1);
      await world.send(world.participant(0), 'requestExit', [Role.Participant]);
      await world.send(world.aggregator(0), 'requestExit', [Role.Aggregator]);
      await world.increase(60);
      const withdraw = () => world.send(world.participant(0), 'withdraw', [Role.Participant]);
      await expectRevert(withdraw(), 'StakeAtRisk', [world.participant(0).account.address, 1n, 0n]);
      // Its publication is void, so its stake answers for nothing.
      await world.send(world.aggregator(0), 'withdraw', [Role.Aggregator]);
      await world.publish(await world.leader(1), 1, 1);
      await expectRevert(withdraw(), 'StakeAtRisk', [world.participant(0).account.address, 1n, 0n]);
      await world.finalize(1);
      await withdraw();
      await world.checkBooks();
    });

    it('keeps no stake for rounds that are not there any more, even when the federation rests', async () => {
      for (const round of [1, 2, 3]) await world.play(round);
      for (const person of people()) await world.commit(person, 4);
      await voidPublication(2);
      const leavers = [world.participant(0), world.aggregator(0)];
      await world.send(world.participant(0), 'requestExit', [Role.Participant]);
      await world.send(world.aggregator(0), 'requestExit', [Role.Aggregator]);
      await world.increase(60);
      // Aggregator 0 published rounds 1 and 3; the third is void.
      for (const [i, role] of [Role.Participant, Role.Aggregator].entries()) {
        await expectRevert(world.send(leavers[i]!, 'withdraw', [role]), 'StakeAtRisk');
      }
      await world.publish(await world.leader(2), 2, 1);
      await world.finalize(1);
      for (const [i, role] of [Role.Participant, Role.Aggregator].entries()) {
        await expectRevert(world.send(leavers[i]!, 'withdraw', [role]), 'StakeAtRisk', [
          leavers[i]!.account.address,
          2n,
          1n,
        ]);
      }
      await world.finalize(2);
      await world.send(leavers[0]!, 'withdraw', [Role.Participant]);
      await world.send(leavers[1]!, 'withdraw', [Role.Aggregator]);
      expect((await world.round(3)).phase).to.equal(Phase.Open);
      await world.checkBooks();
    });

    it('of the last round can be voided, too', async () => {
      world.federation = await world.createFederation({ totalRounds: 1 });
      for (const person of people()) await world.register(person);
      for (const i of [0, 1]) await world.registerAggregator(world.aggregator(i));
      await world.play(1);
      await voidPublication(1);
      expect(await world.phase(1)).to.equal(Phase.Aggregate);
      await world.publish(world.aggregator(1), 1, 1);
      await world.finalize(1);
      await expectRevert(voidPublication(1), 'WrongPhase');
    });

    it('turns that were paid for before do not shield from a new one', async () => {
      await world.contribute(1);
      await world.passDeadline(1);
      await world.publish(world.aggregator(1), 1);
      await voidPublication(1);
      await world.passDeadline(1);
      const receipt = await world.send(judge(), 'advance', [1n]);
      const { turn, aggregator } = world.event(receipt, 'TurnMissed');
      expect(turn).to.equal(2);
      expect(aggregator).to.match(new RegExp(world.aggregator(0).account.address, 'i'));
    });
  });
});
