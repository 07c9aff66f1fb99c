/** Whoever is convicted loses the whole stake of the role, half of it burned; and what that does to everybody else: nothing. */
import { expect } from 'chai';
import { type Hex, keccak256, toHex, zeroHash } from 'viem';
import { fromRule } from '../../chain/convert.ts';
import { parseRule } from '../../protocol/aggregation/rule.ts';
import { sumLeafPreimage, sumOfSquares } from '../../protocol/commitment/merkleSum.ts';
import { sha256 } from '../../protocol/commitment/sha256.node.ts';
import { BOND, Kind, Proof, type RealPublication, RealWorld, type Wallet } from './support/asking.ts';
import { Randomness } from './support/openings.ts';
import { BURN_ADDRESS, baseParameters, expectRevert, Phase, Role, STAKE, type Update, World } from './support/world.ts';

const FRESH = { aggregators: 0, participants: 0 };

describe('slashing', () => {
  let real: RealWorld;
  let world: World;
  let challenger: Wallet;
  const is = (wallet: Wallet) => new RegExp(wallet.account.address, 'i');
  afterEach(() => world.close());
  const begin = async (options: Parameters<typeof RealWorld.create>[0] = {}) => {
    real = await RealWorld.create(options);
    world = real.world;
    challenger = world.wallets[20]!;
  };
  /** The publisher of a round does not answer, and is convicted. */
  const convictPublisher = async (round: number, published: RealPublication) => {
    const { id } = await real.ask(challenger, { kind: Kind.Model, round, publication: published.publication });
    await real.silence();
    return real.settle(id);
  };
  const order = async (round: number, turns: number) => {
    const names: number[] = [];
    for (let i = 0; i < turns; i++) {
      const { leader } = await world.round(round);
      names.push(world.wallets.findIndex(({ account }) => account.address === leader.toLowerCase()) - 30);
      await world.passDeadline(round);
    }
    return names;
  };

  describe('of a stake', () => {
    it('C-110: gives half to who proved it and burns the rest, the odd unit, too', async () => {
      await begin(FRESH);
      for (const [i, stake] of [STAKE + 1n, STAKE, STAKE, STAKE].entries()) {
        await world.register(world.participant(i), stake);
      }
      await world.registerAggregator(world.aggregator(0), 2n * STAKE + 7n);
      await world.registerAggregator(world.aggregator(1));
      const cases: [() => Promise<Hex>, bigint][] = [
        [async () => (await real.ask(challenger, { kind: Kind.Update, round: 1, index: 0 })).id, STAKE + 1n],
        [
          async () => {
            const { publication } = await real.publish(1);
            return (await real.ask(challenger, { kind: Kind.Model, round: 1, publication })).id;
          },
          2n * STAKE + 7n,
        ],
      ];
      await real.contribute(1);
      for (const [ask, stake] of cases) {
        await world.scratch(async () => {
          const id = await ask();
          await real.silence();
          const burnedBefore = await world.balance(BURN_ADDRESS);
          const receipt = await real.settle(id);
          const slashed = world.event(receipt, 'Slashed');
          expect([slashed.amount, slashed.reward, slashed.burned]).to.deep.equal([
            stake,
            (stake - 1n) / 2n,
            (stake + 1n) / 2n,
          ]);
          expect(slashed.challenger).to.match(is(challenger));
          expect((await world.balance(BURN_ADDRESS)) - burnedBefore).to.equal((stake + 1n) / 2n);
          const credits = world.events(receipt).filter(({ name }) => name === 'Credited');
          expect(credits.map(({ args }) => args.amount)).to.deep.equal([BOND, (stake - 1n) / 2n]);
          await world.checkBooks();
        });
      }
    });

    it('takes what was added to it, too', async () => {
      await begin();
      const published = await real.play(1);
      await world.topUp(world.aggregator(0), Role.Aggregator, 5n * STAKE);
      const slashed = world.event(await convictPublisher(1, published), 'Slashed');
      expect(slashed.amount).to.equal(7n * STAKE);
      await world.checkBooks();
    });

    it('takes the stake of the role alone: who holds both keeps the other', async () => {
      await begin();
      await world.register(world.aggregator(0));
      const published = await (async () => {
        for (const i of [0, 1, 2, 3]) {
          await world.commit(world.participant(i), 1, real.update(world.participant(i), 1));
        }
        await world.commit(world.aggregator(0), 1, real.update(world.aggregator(0), 1));
        for (const i of [0, 1, 2, 3]) {
          await world.reveal(world.participant(i), 1, real.update(world.participant(i), 1));
        }
        await world.reveal(world.aggregator(0), 1, real.update(world.aggregator(0), 1));
        return real.publish(1);
      })();
      await convictPublisher(1, published);
      expect((await world.participantOf(world.aggregator(0))).stake).to.equal(STAKE);
      expect((await world.aggregatorOf(world.aggregator(0))).stake).to.equal(0n);
      expect((await world.participantOf(world.aggregator(0))).active).to.equal(true);
    });
  });

  describe('of a participant', () => {
    /** One chunk, so that the leaf is the root: a lie about the norm is a lie about the leaf's sum. */
    const SMALL = { dimension: 200n, rule: fromRule(parseRule('fedavg', 0)) };
    const lying = (wallet: Wallet, round: number, claimed = 1n): Update & { preimage: Hex } => {
      const random = new Randomness(5);
      const chunk = Int16Array.from({ length: 256 }, (_, i) => (i < 200 ? random.between(-99, 99) : 0));
      expect(BigInt(sumOfSquares(chunk))).to.not.equal(claimed);
      const preimage = sumLeafPreimage(claimed, new Uint8Array(chunk.buffer));
      return {
        ...world.update(wallet, round),
        root: toHex(sha256(preimage)),
        normSq: claimed,
        preimage: toHex(preimage),
      };
    };
    const prove = async (round: number, liar: { preimage: Hex }, accused: number) => {
      const reveals = await real.reveals(round);
      const opening = { level: 0, position: 0, claimedSum: 1n, preimage: liar.preimage, hash: zeroHash, path: [] };
      const args = [BigInt(round), reveals, BigInt(accused), opening];
      return world.send(challenger, 'proveBadSum', args, baseParameters.proofBond);
    };
    beforeEach(async () => {
      world = await World.create({ parameters: SMALL, participants: 5 });
      real = new RealWorld(world);
      challenger = world.wallets[20]!;
    });
    const people = () => [0, 1, 2, 3, 4].map((i) => world.participant(i));
    const contribute = async (round: number, liar?: Update, who = people()) => {
      const made = who.map((person, i) => (i === 2 && liar !== undefined ? liar : world.update(person, round)));
      for (const [i, person] of who.entries()) await world.commit(person, round, made[i]!);
      return made;
    };

    it('in Reveal: its submission does not count, the others reveal, and the round goes on', async () => {
      const liar = lying(world.participant(2), 1);
      const made = await contribute(1, liar);
      await world.reveal(world.participant(2), 1, made[2]!);
      const receipt = await prove(1, liar, 0);
      expect(world.eventNames(receipt)).to.deep.equal([
        'Credited',
        'SubmissionVoided',
        'Slashed',
        'Credited',
        'PenaltyBurned',
      ]);
      expect(world.event(receipt, 'Slashed').proof).to.equal(Proof.BadSum);
      for (const i of [0, 1, 3, 4]) await world.reveal(world.participant(i), 1, made[i]!);
      const { phase, revealed, voidedBitmap } = await world.round(1);
      expect([phase, revealed, voidedBitmap]).to.deep.equal([Phase.Aggregate, 5, 4n]);
      await expectRevert(prove(1, liar, 0), 'SubmissionAlreadyVoided');
      await world.checkBooks();
    });

    it('leaves it out of the rounds that follow until it has a stake again; nobody waits for it', async () => {
      const liar = lying(world.participant(2), 1);
      const made = await contribute(1, liar);
      for (const [i, update] of made.entries()) await world.reveal(world.participant(i), 1, update);
      await prove(1, liar, 2);
      expect(await world.read('activeParticipantCount')).to.equal(4);
      const publication = async (round: number) => ({
        ...(await world.publication(round)),
        ...{ gramRoot: zeroHash, mixingHash: zeroHash },
      });
      const publish = async (round: number) =>
        world.send(await world.leader(round), 'publishRound', [BigInt(round), await publication(round)]);
      await publish(1);
      await world.commit(world.participant(0), 2);
      expect((await world.round(2)).expected).to.equal(4);
      await expectRevert(world.commit(world.participant(2), 2), 'StakeTooLow', [0n, STAKE]);
      for (const i of [1, 3, 4]) await world.commit(world.participant(i), 2);
      expect(await world.phase(2)).to.equal(Phase.Reveal);
      for (const i of [0, 1, 3, 4]) await world.reveal(world.participant(i), 2);
      await publish(2);
      await world.topUp(world.participant(2), Role.Participant, STAKE);
      for (const person of people()) await world.commit(person, 3);
      expect((await world.round(3)).committed).to.equal(5);
      await world.checkBooks();
    });

    it('after the publication, when it has committed to the next round: nothing is waited for, nothing is paid twice', async () => {
      const liar = lying(world.participant(2), 1);
      const made = await contribute(1, liar);
      for (const [i, update] of made.entries()) await world.reveal(world.participant(i), 1, update);
      const roots = { gramRoot: zeroHash, mixingHash: zeroHash };
      const publish = async (round: number) =>
        world.send(await world.leader(round), 'publishRound', [
          BigInt(round),
          { ...(await world.publication(round)), ...roots },
        ]);
      await publish(1);
      await world.commit(world.participant(2), 2);
      await world.commit(world.participant(0), 2);
      await prove(1, liar, 2);
      expect(await world.currentRound()).to.equal(1);
      await publish(1);
      await expectRevert(world.commit(world.participant(2), 2), 'StakeTooLow');
      for (const i of [0, 1, 3, 4]) await world.commit(world.participant(i), 2);
      expect(await world.phase(2)).to.equal(Phase.Reveal);
      await expectRevert(
        world.send(challenger, 'settleMissedReveal', [world.participant(2).account.address]),
        'NothingToSettle',
      );
      await world.checkBooks();
    });

    it('on its way out: its stake cannot leave before it can be taken; what is left afterwards is nothing', async () => {
      const liar = lying(world.participant(2), 1);
      const made = await contribute(1, liar);
      for (const [i, update] of made.entries()) await world.reveal(world.participant(i), 1, update);
      await world.send(world.participant(2), 'requestExit', [Role.Participant]);
      await world.increase(60);
      const withdraw = () => world.send(world.participant(2), 'withdraw', [Role.Participant]);
      await expectRevert(withdraw(), 'StakeAtRisk');
      expect(world.event(await prove(1, liar, 2), 'Slashed').amount).to.equal(STAKE);
      expect(await world.read('activeParticipantCount')).to.equal(4);
      await expectRevert(withdraw(), 'StakeAtRisk');
      const publication = { ...(await world.publication(1)), gramRoot: zeroHash, mixingHash: zeroHash };
      await world.send(await world.leader(1), 'publishRound', [1n, publication]);
      await world.finalize(1);
      expect(world.event(await withdraw(), 'Withdrawn').amount).to.equal(0n);
      await world.checkBooks();
    });

    it('that the owner has removed meanwhile', async () => {
      world.federation = await world.createFederation(
        { ...SMALL, openMembership: false },
        people()
          .map(({ account }) => account.address)
          .concat(world.aggregator(0).account.address),
      );
      for (const person of people()) await world.register(person);
      await world.registerAggregator(world.aggregator(0));
      const liar = lying(world.participant(2), 1);
      const made = people().map((person, i) => (i === 2 ? liar : world.update(person, 1)));
      for (const i of [2, 0, 1]) await world.commit(people()[i]!, 1, made[i]!);
      await world.send(world.wallets[0]!, 'removeMembers', [[world.participant(2).account.address]]);
      for (const i of [3, 4]) await world.commit(people()[i]!, 1, made[i]!);
      for (const [i, update] of made.entries()) await world.reveal(people()[i]!, 1, update);
      expect(world.event(await prove(1, liar, 2), 'Slashed').amount).to.equal(STAKE);
      expect(await world.read('activeParticipantCount')).to.equal(4);
      await world.checkBooks();
    });

    it('of the last that were enough: the round is abandoned, and its stake is taken all the same', async () => {
      world.federation = await world.createFederation({ ...SMALL, minUpdates: 5, minParticipants: 5 });
      for (const person of people()) await world.register(person);
      await world.registerAggregator(world.aggregator(0));
      const liar = lying(world.participant(2), 1);
      const made = people().map((person, i) => (i === 2 ? liar : world.update(person, 1)));
      for (const [i, person] of people().entries()) await world.commit(person, 1, made[i]!);
      for (const [i, person] of people().entries()) await world.reveal(person, 1, made[i]!);
      const receipt = await prove(1, liar, 2);
      expect(world.eventNames(receipt)).to.include.members(['RoundAbandoned', 'RoundOpened', 'Slashed']);
      expect(await world.currentRound()).to.equal(2);
      expect((await world.round(2)).expected).to.equal(4);
      expect(keccak256(liar.root)).to.not.equal(zeroHash);
      await world.checkBooks();
    });
  });

  describe('of an aggregator', () => {
    it('leaves the redo to the others, in whatever place it stood and however many there are', async () => {
      for (const count of [2, 3, 4]) {
        for (let liar = 0; liar < count; liar++) {
          await begin({ aggregators: count });
          // Round 1 belongs to the first; turns pass until it is the liar's.
          await real.contribute(1);
          for (let turn = 0; turn < liar; turn++) await world.passDeadline(1);
          const published = await real.publish(1);
          expect((await world.round(1)).aggregator).to.match(is(world.aggregator(liar)));
          const receipt = await convictPublisher(1, published);
          const { leader, turn } = world.event(receipt, 'AggregatePhaseOpened');
          expect([(await world.round(1)).leader, turn]).to.deep.equal([leader, liar + 1]);
          const led = await world.scratch(() => order(1, 2 * (count - 1)));
          const others = Array.from({ length: count }, (_, i) => i).filter((i) => i !== liar);
          expect([...led.slice(0, count - 1)].sort(), `${count} aggregators, ${liar} lied`).to.deep.equal(others);
          expect(led.slice(count - 1)).to.deep.equal(led.slice(0, count - 1));
          await real.publish(1);
          await real.contribute(2);
          const next = await world.scratch(() => order(2, count - 1));
          expect(next.sort()).to.deep.equal(others);
          await world.checkBooks();
          if (count !== 4 || liar !== 3) await world.close();
        }
      }
    }).timeout(180_000);

    it('who stood alone: the round waits; one that registers leads it, and pays for no turn before', async () => {
      await begin({ aggregators: 1 });
      await convictPublisher(1, await real.play(1));
      expect((await world.round(1)).leader).to.match(/^0x0+$/);
      await world.increase(5000);
      await world.scratch(async () => {
        const joined = await world.registerAggregator(world.aggregator(1));
        expect(world.event(joined, 'AggregatorRegistered').activeFromRound).to.equal(1);
        expect(world.event(joined, 'AggregatePhaseOpened').leader).to.match(is(world.aggregator(1)));
        await real.publish(1);
        expect((await world.aggregatorOf(world.aggregator(1))).stake).to.equal(2n * STAKE);
        await world.checkBooks();
      });
      // Or the same one, with a new stake to lose.
      await world.topUp(world.aggregator(0), Role.Aggregator, STAKE);
      expect((await world.round(1)).leader).to.match(/^0x0+$/);
      await world.topUp(world.aggregator(0), Role.Aggregator, STAKE);
      const again = await real.publish(1);
      expect(world.event(await convictPublisher(1, again), 'Slashed').amount).to.equal(2n * STAKE);
      await world.checkBooks();
    });

    it('C-44: who stood alone while another stood ready for the next round: that one does the round again', async () => {
      await begin({ aggregators: 1 });
      await real.contribute(1);
      await world.registerAggregator(world.aggregator(1));
      expect((await world.aggregatorOf(world.aggregator(1))).activeFromRound).to.equal(2);
      await convictPublisher(1, await real.publish(1));
      expect((await world.round(1)).leader).to.match(is(world.aggregator(1)));
      await real.publish(1);
      expect((await world.round(1)).aggregator).to.match(is(world.aggregator(1)));
      await world.checkBooks();
    });

    it('takes it out of every round that is not final: it leads none that is opened again', async () => {
      await begin({ aggregators: 3, harness: true });
      await real.play(1);
      await real.play(2);
      const third = await real.play(3);
      expect((await world.round(3)).aggregator).to.match(is(world.aggregator(2)));
      await convictPublisher(3, third);
      await world.send(challenger, 'voidPublication', [1n]);
      expect(await world.scratch(() => order(1, 4))).to.not.include(2);
      await world.topUp(world.aggregator(2), Role.Aggregator, 2n * STAKE);
      // Back from the next round on: nobody's turn moves.
      expect((await world.aggregatorOf(world.aggregator(2))).activeFromRound).to.equal(2);
      expect(await world.scratch(() => order(1, 4))).to.not.include(2);
      await real.publish(1);
      await real.contribute(2);
      expect(await world.scratch(() => order(2, 3))).to.include(2);
    });

    it('of two lies: each publication falls; the second finds what stake there is', async () => {
      await begin({ aggregators: 1 });
      const first = await real.play(1);
      const second = await real.play(2);
      expect(world.event(await convictPublisher(2, second), 'Slashed').amount).to.equal(2n * STAKE);
      await world.registerAggregator(world.aggregator(1));
      await real.publish(2);
      const { receipt, id } = await real.ask(challenger, {
        kind: Kind.State,
        round: 1,
        publication: first.publication,
      });
      expect(world.event(receipt, 'ChallengeOpened').owner).to.match(is(world.aggregator(0)));
      await real.silence();
      const settled = await real.settle(id);
      expect(world.event(settled, 'Slashed')).to.deep.include({ amount: 0n, reward: 0n, burned: 0n });
      expect(world.event(settled, 'RoundVoided').lastRound).to.equal(3n);
      await world.checkBooks();
    });

    it('on its way out: the stake cannot leave before; afterwards it leaves with nothing, and comes back as anybody', async () => {
      await begin();
      const published = await real.play(1);
      await world.send(world.aggregator(0), 'requestExit', [Role.Aggregator]);
      await world.increase(60);
      const withdraw = () => world.send(world.aggregator(0), 'withdraw', [Role.Aggregator]);
      await expectRevert(withdraw(), 'StakeAtRisk');
      expect(world.event(await convictPublisher(1, published), 'Slashed').amount).to.equal(2n * STAKE);
      expect(world.event(await withdraw(), 'Withdrawn').amount).to.equal(0n);
      const back = await world.registerAggregator(world.aggregator(0));
      expect(world.event(back, 'AggregatorRegistered').activeFromRound).to.equal(2);
      expect(await world.scratch(() => order(1, 3))).to.deep.equal([1, 1, 1]);
      await real.publish(1);
      await world.checkBooks();
    });

    it('that has left and come back is taken out of both its places', async () => {
      await begin({ aggregators: 2, harness: true });
      await real.play(1);
      // Aggregator 1 has published nothing: it may leave at once, and its place stays until round 1 is final.
      await world.send(world.aggregator(1), 'requestExit', [Role.Aggregator]);
      await world.increase(60);
      await world.send(world.aggregator(1), 'withdraw', [Role.Aggregator]);
      await world.registerAggregator(world.aggregator(1));
      await real.contribute(2);
      for (let i = 0; i < 4 && (await world.leader(2)) !== world.aggregator(1); i++) await world.passDeadline(2);
      const published = await real.publish(2);
      expect((await world.round(2)).aggregator).to.match(is(world.aggregator(1)));
      await convictPublisher(2, published);
      await world.send(challenger, 'voidPublication', [1n]);
      expect(await world.scratch(() => order(1, 4))).to.deep.equal([0, 0, 0, 0]);
    });

    it('moves nobody else’s stake, and no penalty falls on who redoes the round', async () => {
      await begin({ aggregators: 3 });
      const published = await real.play(1);
      await convictPublisher(1, published);
      await real.publish(1);
      await world.finalize(1);
      for (const i of [1, 2]) expect((await world.aggregatorOf(world.aggregator(i))).stake).to.equal(2n * STAKE);
      for (const i of [0, 1, 2, 3]) expect((await world.participantOf(world.participant(i))).stake).to.equal(STAKE);
      await world.checkBooks();
    });
  });
});
