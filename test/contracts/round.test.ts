/** The life of a round in its order: Open, Commit, Reveal, Aggregate, Challenge, Final; or Abandoned. */
import { expect } from 'chai';
import { encodeAbiParameters, type Hex, keccak256 } from 'viem';
import { publicationHash } from '../../protocol/round/publication.ts';
import { accumulateAll, type Submission } from '../../protocol/round/submission.ts';
import { baseParameters, cidOf, expectRevert, hash, NO_BOUND, Phase, STAKE, World, zeroHash } from './support/world.ts';

describe('a round', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());
  const people = () => [0, 1, 2, 3].map((i) => world.participant(i));

  it('runs from Open to Final and leaves every trace the auditors need', async () => {
    const opened = await world.round(1);
    expect(opened.baseModelRoot).to.equal(baseParameters.genesisModelRoot);
    expect([opened.phase, opened.opening, opened.deadline]).to.deep.equal([Phase.Open, 1, 0n]);

    const first = await world.commit(world.participant(0), 1);
    const started = world.event(first, 'CommitPhaseOpened');
    expect([started.expected, started.deadline]).to.deep.equal([4, (await world.now()) + 600n]);
    for (const person of people().slice(1, 3)) await world.commit(person, 1);
    const closing = await world.commit(world.participant(3), 1);
    expect(world.event(closing, 'RevealPhaseOpened').deadline).to.equal((await world.now()) + 300n);

    const order = [2, 0, 3, 1].map((i) => world.participant(i));
    const submissions: Submission[] = [];
    for (const person of order) {
      const update = world.update(person, 1);
      const receipt = await world.reveal(person, 1, update);
      const { index, root, normSq, cid } = world.event(receipt, 'UpdateRevealed');
      expect([root, normSq, cid]).to.deep.equal([update.root, update.normSq, update.cid]);
      submissions.push({
        index: index as number,
        participant: person.account.address,
        root: update.root,
        normSq: update.normSq,
        cid: Buffer.from(update.cid.slice(2), 'hex'),
      });
    }
    expect(submissions.map(({ index }) => index)).to.deep.equal([2, 0, 3, 1]);
    const revealed = await world.round(1);
    expect(revealed.accumulator).to.equal(accumulateAll(submissions));
    expect([revealed.phase, revealed.committed, revealed.revealed]).to.deep.equal([Phase.Aggregate, 4, 4]);
    expect(revealed.deadline).to.equal((await world.now()) + 200n);

    const leader = await world.leader(1);
    const receipt = await world.publish(leader, 1);
    expect(world.eventNames(receipt)).to.deep.equal(['RoundPublished', 'RoundOpened']);
    const publication = await world.publication(1);
    expect(world.event(receipt, 'RoundPublished')).to.include(publication);
    const published = await world.round(1);
    const bytes = (cid: Hex) => Buffer.from(cid.slice(2), 'hex');
    const expected = {
      ...publication,
      modelCid: bytes(publication.modelCid),
      evidenceCid: bytes(publication.evidenceCid),
    };
    expect(published.publicationHash).to.equal(publicationHash(expected));
    expect(published.aggregator).to.match(new RegExp(leader.account.address, 'i'));
    expect(published.deadline).to.equal(published.publishedAt + 1000n);
    expect((await world.round(2)).baseModelRoot).to.equal((await world.publication(1)).modelRoot);

    await world.passDeadline(1);
    const final = await world.send(world.wallets[9]!, 'finalizeRound', [1n]);
    expect(world.event(final, 'RoundFinalized').modelRoot).to.equal((await world.publication(1)).modelRoot);
    expect(await world.phase(1)).to.equal(Phase.Final);
    expect(await world.read('lastFinalRound')).to.equal(1n);
    await world.checkBooks();
  });

  it('ends after the last round', async () => {
    world.federation = await world.createFederation({ totalRounds: 1 });
    for (const person of people()) await world.register(person);
    await world.registerAggregator(world.aggregator(0));
    await world.contribute(1);
    const receipt = await world.publish(world.aggregator(0), 1);
    expect(world.eventNames(receipt)).to.deep.equal(['RoundPublished']);
    expect(await world.currentRound()).to.equal(1);
    expect(await world.phase(2)).to.equal(Phase.None);
    await expectRevert(world.send(world.participant(0), 'commitUpdate', [2n, hash('x')]), 'WrongPhase', [2n, 0, 2]);
    await world.finalize(1);
  });

  describe('Commit', () => {
    it('C-10: takes commits for the current round only', async () => {
      const alice = world.participant(0);
      for (const round of [0n, 2n]) {
        await expectRevert(world.send(alice, 'commitUpdate', [round, hash('x')]), 'WrongPhase', [round, 0, 2]);
      }
      for (const person of people()) await world.commit(person, 1);
      await expectRevert(world.send(alice, 'commitUpdate', [1n, hash('x')]), 'WrongPhase', [1n, Phase.Reveal, 2]);
    });

    it('C-12: takes one commit per participant', async () => {
      await world.commit(world.participant(0), 1);
      expect(await world.read('hasCommitted', [1n, world.participant(0).account.address])).to.equal(true);
      expect(await world.read('hasCommitted', [1n, world.participant(1).account.address])).to.equal(false);
      await expectRevert(world.commit(world.participant(0), 1), 'AlreadyCommitted', [
        1n,
        world.participant(0).account.address,
      ]);
    });

    it('C-14: refuses the empty hash, and strangers', async () => {
      await expectRevert(world.send(world.participant(0), 'commitUpdate', [1n, zeroHash]), 'EmptyCommitHash');
      await expectRevert(world.send(world.participant(8), 'commitUpdate', [1n, hash('x')]), 'NotRegistered');
    });

    it('at the deadline with enough commits goes on, to the second', async () => {
      for (const person of people().slice(0, 3)) await world.commit(person, 1);
      const { deadline } = await world.round(1);
      await world.scratch(async () => {
        await world.nextBlockAt(deadline - 1n);
        await world.commit(world.participant(3), 1);
      });
      const seal = await world.seal(world.participant(3), 1, world.update(world.participant(3), 1));
      await world.nextBlockAt(deadline);
      await expectRevert(world.send(world.participant(3), 'commitUpdate', [1n, seal]), 'WrongPhase', [
        1n,
        Phase.Reveal,
        2,
      ]);
      await world.mine(1);
      const now = await world.round(1);
      expect([now.phase, now.deadline]).to.deep.equal([Phase.Reveal, deadline + 300n]);
    });

    it('at the deadline with too few commits adds whole windows', async () => {
      await world.commit(world.participant(0), 1);
      const { deadline } = await world.round(1);
      await world.increase(600 * 3 + 10);
      const seen = await world.round(1);
      expect([seen.phase, seen.deadline]).to.deep.equal([Phase.Commit, deadline + 600n * 3n]);
      const receipt = await world.send(world.wallets[9]!, 'advance', [1n]);
      expect(world.event(receipt, 'CommitWindowExtended').deadline).to.equal(deadline + 600n * 3n);
      for (const person of people().slice(1)) await world.commit(person, 1);
      expect(await world.phase(1)).to.equal(Phase.Reveal);
    });
  });

  describe('Reveal', () => {
    const close = async () => {
      for (const person of people()) await world.commit(person, 1);
    };

    it('C-20: takes reveals after commits are closed only', async () => {
      await world.commit(world.participant(0), 1);
      await expectRevert(world.reveal(world.participant(0), 1), 'WrongPhase', [1n, Phase.Commit, Phase.Reveal]);
    });

    it('C-21 C-22: of committed updates, once', async () => {
      for (const person of people().slice(0, 3)) await world.commit(person, 1);
      await world.passDeadline(1);
      await expectRevert(world.reveal(world.participant(3), 1), 'NotCommitted', [
        1n,
        world.participant(3).account.address,
      ]);
      await expectRevert(world.reveal(world.participant(8), 1), 'NotCommitted');
      await world.reveal(world.participant(0), 1);
      expect(await world.read('hasRevealed', [1n, world.participant(0).account.address])).to.equal(true);
      expect(await world.read('hasRevealed', [1n, world.participant(1).account.address])).to.equal(false);
      await expectRevert(world.reveal(world.participant(0), 1), 'AlreadyRevealed');
    });

    it('C-26: of exactly what was sealed', async () => {
      await close();
      const alice = world.participant(0);
      const update = world.update(alice, 1);
      for (const change of [{ root: hash('y') }, { normSq: 5n }, { cid: cidOf('y') }, { salt: hash('y') }]) {
        await expectRevert(world.reveal(alice, 1, { ...update, ...change }), 'CommitHashMismatch');
      }
      await expectRevert(world.reveal(alice, 1, world.update(world.participant(1), 1)), 'CommitHashMismatch');
      await world.reveal(alice, 1);
    });

    it('C-26: a seal squatted by another, or replayed from another round or contract, opens nothing', async () => {
      const [alice, bob, carol, dave] = people();
      const squatted = await world.seal(alice!, 1, world.update(alice!, 1));
      await world.send(bob!, 'commitUpdate', [1n, squatted]);
      const elsewhere = await world.seal(carol!, 1, world.update(carol!, 1), world.factory);
      await world.send(carol!, 'commitUpdate', [1n, elsewhere]);
      await world.commit(alice!, 1);
      await world.commit(dave!, 1);
      await expectRevert(world.reveal(bob!, 1, world.update(alice!, 1)), 'CommitHashMismatch');
      await expectRevert(world.reveal(carol!, 1), 'CommitHashMismatch');
      await world.reveal(alice!, 1);
      await world.passDeadline(1);
      expect(await world.phase(1)).to.equal(Phase.Abandoned);
      // The same seal does not open in round 2, though the base model is the same.
      for (const person of [bob!, carol!, dave!]) await world.topUp(person, 0, STAKE);
      await world.send(alice!, 'commitUpdate', [2n, squatted]);
      for (const person of [bob!, carol!, dave!]) await world.commit(person, 2);
      await expectRevert(world.reveal(alice!, 2, world.update(alice!, 1)), 'CommitHashMismatch');
    });

    it('C-23 C-24 C-25: with a root, within the norm bound, under a real CID', async () => {
      const [alice, bob, carol, dave] = people();
      const zero = { ...world.update(alice!, 1), root: zeroHash };
      const loud = { ...world.update(bob!, 1), normSq: 1_000_001n };
      const most = { ...world.update(carol!, 1), normSq: 1_000_000n };
      const nowhere = { ...world.update(dave!, 1), cid: '0x1234' as Hex };
      await world.commit(alice!, 1, zero);
      await world.commit(bob!, 1, loud);
      await world.commit(carol!, 1, most);
      await world.commit(dave!, 1, nowhere);
      await expectRevert(world.reveal(alice!, 1, zero), 'ZeroRoot');
      await expectRevert(world.reveal(bob!, 1, loud), 'NormAboveBound', [1_000_001n, 1_000_000n]);
      await world.reveal(carol!, 1, most);
      await expectRevert(world.reveal(dave!, 1, nowhere), 'InvalidCid', ['0x1234']);
    });

    it('without a norm bound takes the largest norm there is', async () => {
      world.federation = await world.createFederation({ normSqBound: NO_BOUND });
      for (const person of people()) await world.register(person);
      await world.registerAggregator(world.aggregator(0));
      const alice = world.participant(0);
      const update = { ...world.update(alice, 1), normSq: NO_BOUND };
      await world.commit(alice, 1, update);
      for (const person of people().slice(1)) await world.commit(person, 1);
      await world.reveal(alice, 1, update);
    });

    it('of a root that somebody revealed before is taken: a copy is voided by proof, not looked up at every reveal', async () => {
      const [alice, bob, carol, dave] = people();
      const copy = { ...world.update(alice!, 1), salt: hash('mine') };
      await world.commit(bob!, 1, copy);
      for (const person of [alice!, carol!, dave!]) await world.commit(person, 1);
      for (const person of [alice!, carol!, dave!]) await world.reveal(person, 1);
      const receipt = await world.reveal(bob!, 1, copy);
      expect(world.event(receipt, 'UpdateRevealed')).to.include({ index: 1, root: copy.root });
      expect(await world.phase(1)).to.equal(Phase.Aggregate);
      expect((await world.round(1)).revealed).to.equal(4);
    });

    it('at the deadline with enough reveals goes on without the missing one', async () => {
      await close();
      for (const person of people().slice(0, 3)) await world.reveal(person, 1);
      const { deadline } = await world.round(1);
      await world.scratch(async () => {
        await world.nextBlockAt(deadline - 1n);
        await world.reveal(world.participant(3), 1);
      });
      await world.nextBlockAt(deadline);
      await expectRevert(world.reveal(world.participant(3), 1), 'WrongPhase', [1n, Phase.Aggregate, Phase.Reveal]);
      await world.mine(1);
      const seen = await world.round(1);
      expect([seen.phase, seen.deadline]).to.deep.equal([Phase.Aggregate, deadline + 200n]);
      await world.publish(await world.leader(1), 1);
    });

    it('at the deadline with too few reveals is Abandoned: the model stays and the next round opens', async () => {
      await close();
      for (const person of people().slice(0, 2)) await world.reveal(person, 1);
      await world.passDeadline(1);
      // Nobody poked, yet every view already answers as of now.
      expect(await world.phase(1)).to.equal(Phase.Abandoned);
      expect(await world.currentRound()).to.equal(2);
      const virtual = await world.round(2);
      expect([virtual.phase, virtual.opening, virtual.expected]).to.deep.equal([Phase.Open, 2, 4]);
      expect(virtual.baseModelRoot).to.equal(baseParameters.genesisModelRoot);
      const receipt = await world.commit(world.participant(0), 2);
      expect(world.eventNames(receipt)).to.deep.equal([
        'RoundAbandoned',
        'RoundOpened',
        'RoundFinalized',
        'CommitPhaseOpened',
        'UpdateCommitted',
      ]);
      const { opening, expected, baseModelRoot } = await world.round(2);
      expect([opening, expected, baseModelRoot]).to.deep.equal([2, 4, baseParameters.genesisModelRoot]);
      expect((await world.round(1)).modelRoot).to.equal(baseParameters.genesisModelRoot);
      expect(await world.read('lastFinalRound')).to.equal(1n);
    });

    it('both windows may pass unseen: the round is Abandoned for want of reveals', async () => {
      for (const person of people().slice(0, 3)) await world.commit(person, 1);
      await world.increase(10_000);
      expect(await world.phase(1)).to.equal(Phase.Abandoned);
      const receipt = await world.send(world.wallets[9]!, 'advance', [1n]);
      expect(world.eventNames(receipt)).to.deep.equal([
        'RevealPhaseOpened',
        'RoundAbandoned',
        'RoundOpened',
        'RoundFinalized',
      ]);
    });
  });

  describe('the seed (C-32)', () => {
    it('comes from the block that closed the commits, and is fixed at the first action after it', async () => {
      for (const person of people().slice(0, 3)) await world.commit(person, 1);
      const closing = await world.commit(world.participant(3), 1);
      expect((await world.round(1)).seed).to.equal(zeroHash);
      await world.mine(5);
      const receipt = await world.reveal(world.participant(2), 1);
      const { seed } = world.event(receipt, 'SeedFixed');
      const words = [{ type: 'bytes32' }, { type: 'uint64' }, { type: 'address' }] as const;
      expect(seed).to.equal(keccak256(encodeAbiParameters(words, [closing.blockHash, 1n, world.federation])));
      expect((await world.round(1)).seed).to.equal(seed);
      const next = await world.reveal(world.participant(0), 1);
      expect(world.eventNames(next)).to.deep.equal(['UpdateRevealed']);
    });

    it('is anchored anew when the chain has forgotten that block', async () => {
      for (const person of people()) await world.commit(person, 1);
      await world.mine(257);
      const receipt = await world.reveal(world.participant(0), 1);
      expect(world.event(receipt, 'SeedReanchored').blockNumber).to.equal(receipt.blockNumber);
      expect((await world.round(1)).seed).to.equal(zeroHash);
      const next = await world.reveal(world.participant(1), 1);
      expect(world.eventNames(next)).to.deep.equal(['SeedFixed', 'UpdateRevealed']);
    });

    it('must be there before anything is published', async () => {
      for (const person of people()) await world.commit(person, 1);
      await world.mine(257);
      const client = await world.connection.viem.getTestClient();
      await client.setAutomine(false);
      const sent = [];
      for (const person of people()) {
        const { root, normSq, cid, salt } = world.update(person, 1);
        const args = [1n, root, normSq, cid, salt];
        const call = { address: world.federation, abi: world.abi, functionName: 'revealUpdate', args, gas: 300_000n };
        sent.push(await person.writeContract(call));
      }
      await client.mine({ blocks: 1 });
      await client.setAutomine(true);
      // All revealed in the block that anchored the seed anew, and then everybody slept until it was forgotten, too.
      await world.mine(257);
      expect((await world.round(1)).revealed).to.equal(4);
      await expectRevert(world.publish(await world.leader(1), 1), 'SeedNotFixed');
      await world.send(world.wallets[9]!, 'advance', [1n]);
      await world.publish(await world.leader(1), 1);
      expect(sent).to.have.length(4);
    });
  });

  describe('Aggregate', () => {
    it('C-30 C-33: takes one complete publication, in its phase', async () => {
      await expectRevert(world.publish(world.aggregator(0), 1), 'WrongPhase', [1n, Phase.Open, Phase.Aggregate]);
      await world.contribute(1);
      const leader = await world.leader(1);
      const publication = await world.publication(1);
      const send = (change: object) => world.send(leader, 'publishRound', [1n, { ...publication, ...change }]);
      await expectRevert(send({ modelRoot: zeroHash }), 'ZeroRoot');
      await expectRevert(send({ modelCid: '0x01' }), 'InvalidCid');
      await expectRevert(send({ evidenceCid: '0x01' }), 'InvalidCid');
      await send({});
      await expectRevert(send({}), 'WrongPhase', [1n, Phase.Challenge, Phase.Aggregate]);
    });

    it('C-37 C-38: takes no other set of submissions, and roots for what the rule and the step have, no others', async () => {
      await world.contribute(1);
      const leader = await world.leader(1);
      const publication = await world.publication(1);
      const send = (change: object) => world.send(leader, 'publishRound', [1n, { ...publication, ...change }]);
      const other = keccak256('0x37');
      await expectRevert(send({ submissionSet: other }), 'WrongSubmissionSet', [publication.submissionSet, other]);
      await expectRevert(send({ submissionSet: zeroHash }), 'WrongSubmissionSet');
      await expectRevert(send({ stateRoot: other }), 'UnexpectedRoot', ['stateRoot', other]);
      await expectRevert(send({ gramRoot: zeroHash }), 'UnexpectedRoot', ['gramRoot', zeroHash]);
      await expectRevert(send({ mixingHash: zeroHash }), 'UnexpectedRoot', ['mixingHash', zeroHash]);
      await send({});
    });
  });

  describe('Challenge', () => {
    it('C-34 C-35: rounds become final in order, each after its whole window', async () => {
      await expectRevert(world.send(world.wallets[9]!, 'finalizeRound', [1n]), 'WrongPhase', [
        1n,
        Phase.Open,
        Phase.Challenge,
      ]);
      await world.play(1);
      await world.play(2);
      const { deadline } = await world.round(1);
      const finalize = (round: bigint) => world.send(world.wallets[9]!, 'finalizeRound', [round]);
      await expectRevert(finalize(2n), 'OutOfOrder', [2n, 1n]);
      await world.nextBlockAt(deadline - 1n);
      await expectRevert(finalize(1n), 'ChallengeWindowOpen', [1n, deadline]);
      await world.nextBlockAt(deadline);
      await finalize(1n);
      await expectRevert(finalize(1n), 'OutOfOrder', [1n, 2n]);
      await world.finalize(2);
      await expectRevert(finalize(3n), 'WrongPhase', [3n, Phase.Open, Phase.Challenge]);
      await expectRevert(finalize(4n), 'OutOfOrder', [4n, 3n]);
    });

    it('passes over abandoned rounds', async () => {
      await world.play(1);
      for (const person of people()) await world.commit(person, 2);
      await world.passDeadline(2);
      await world.send(world.wallets[9]!, 'advance', [2n]);
      expect(await world.read('lastFinalRound')).to.equal(0n);
      await world.finalize(1);
      expect(await world.read('lastFinalRound')).to.equal(2n);
      await world.send(world.wallets[9]!, 'finalizeRound', [2n]);
      expect(await world.phase(2)).to.equal(Phase.Abandoned);
    });
  });

  it('C-36: advance names the round that is under way', async () => {
    await expectRevert(world.send(world.wallets[9]!, 'advance', [2n]), 'WrongPhase');
    await world.send(world.wallets[9]!, 'advance', [1n]);
  });
});
