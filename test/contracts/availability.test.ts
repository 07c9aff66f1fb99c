/** Whoever cannot fetch a chunk asks for it on the chain: an answer is paid, silence convicts, and nobody can stop an answer. */
import { expect } from 'chai';
import { type Hex, parseGwei, toHex, zeroHash } from 'viem';
import { fromRule } from '../../chain/convert.ts';
import { parseRule } from '../../protocol/aggregation/rule.ts';
import { sumLeafPreimage, sumNodePreimage, updateLeaf } from '../../protocol/commitment/merkleSum.ts';
import { sha256 } from '../../protocol/commitment/sha256.node.ts';
import {
  BOND,
  DIMENSION,
  Kind,
  Proof,
  type RealPublication,
  type RealUpdate,
  RealWorld,
  realParameters,
  type Wallet,
} from './support/asking.ts';
import { Randomness } from './support/openings.ts';
import { baseParameters, cidOf, expectRevert, hash, Phase, Role, STAKE, type World } from './support/world.ts';

const ANSWER_WINDOW = BigInt(baseParameters.answerWindowSeconds);
const CHALLENGE_WINDOW = BigInt(baseParameters.challengeWindowSeconds);
const CHUNKS = 40;
const SPANS = 3;

describe('availability', () => {
  let real: RealWorld;
  let world: World;
  let challenger: Wallet;
  beforeEach(async () => {
    real = await RealWorld.create({ aggregators: 3 });
    world = real.world;
    challenger = world.wallets[20]!;
  });
  afterEach(() => world.close());
  const credit = async (wallet: Wallet) => {
    const reader = await world.connection.viem.getPublicClient();
    const logs = (await reader.getContractEvents({
      address: world.federation,
      abi: world.abi,
      eventName: 'Credited',
      args: { account: wallet.account.address },
      fromBlock: 0n,
    })) as unknown as { args: { amount: bigint } }[];
    return logs.reduce((sum, { args }) => sum + args.amount, 0n);
  };
  const is = (wallet: Wallet) => new RegExp(wallet.account.address, 'i');
  const at = async (timestamp: bigint) => world.nextBlockAt(timestamp);
  const mine = () => world.mine(1);

  describe('an answer', () => {
    let published: RealPublication;
    let update: RealUpdate;
    beforeEach(async () => {
      published = await real.play(1);
      update = real.update(world.participant(2), 1);
    });
    const openings = (chunk: number, span: number): [number, number, Uint8Array][] => [
      [Kind.Update, chunk, real.updateChunk(update, chunk)],
      [Kind.Model, chunk, real.modelChunk(published.model, chunk)],
      [Kind.State, chunk, real.modelChunk(published.state, chunk)],
      [Kind.Gram, span, real.gramSpan(published.gram, span)],
    ];
    const ask = (kind: number, chunk: number) => {
      const { publication } = published;
      return real.ask(challenger, { kind, round: 1, index: kind === Kind.Update ? 2 : 0, chunk, publication });
    };

    it('with the chunk and its path is taken, of every kind, first chunk to last, and earns the bond', async () => {
      const owners = [world.participant(2), world.aggregator(0), world.aggregator(0), world.aggregator(0)];
      let earned = 0n;
      for (const [chunk, span] of [
        [0, 0],
        [17, 1],
        [CHUNKS - 1, SPANS - 1],
      ] as const) {
        for (const [kind, position, opening] of openings(chunk, span)) {
          const { id, receipt } = await ask(kind, position);
          const asked = world.event(receipt, 'ChallengeOpened');
          const expected = { id, round: 1n, kind, index: kind === Kind.Update ? 2 : 0, chunk: position, bond: BOND };
          expect(asked).to.deep.include(expected);
          expect(asked.owner).to.match(is(owners[kind]!));
          expect(asked.answerBy).to.equal((await world.now()) + ANSWER_WINDOW);
          expect(await world.read('challengeId', [kind, 1n, kind === Kind.Update ? 2 : 0, position])).to.equal(id);
          expect((await world.round(1)).openChallenges).to.equal(1);
          const answered = world.event(await real.answer(world.participant(0), id, opening), 'ChallengeAnswered');
          expect(answered).to.deep.include({ id, round: 1n, paid: BOND, opening: toHex(opening) });
          expect(answered.payee).to.match(is(world.participant(0)));
          earned += BOND;
          expect(await credit(world.participant(0))).to.equal(earned);
          const { answered: done, challenger: by } = await world.read('challenge', [id]);
          expect([done, by.toLowerCase()]).to.deep.equal([true, challenger.account.address]);
        }
      }
      expect((await world.round(1)).openChallenges).to.equal(0);
      await world.checkBooks();
    });

    it('C-102: that is not the chunk in every bit is refused: another chunk, cut off, too long, any bit changed', async () => {
      const random = new Randomness(3);
      for (const [kind, position, opening] of openings(21, 1)) {
        const { id } = await ask(kind, position);
        const other = openings(20, 0)[kind]![2];
        const wrong = [
          other,
          new Uint8Array(0),
          opening.slice(0, -1),
          opening.slice(1),
          new Uint8Array(opening.length),
        ];
        wrong.push(Uint8Array.of(...opening, 0), Uint8Array.of(0, ...opening));
        for (let i = 0; i < 30; i++) {
          const changed = opening.slice();
          changed[random.below(changed.length)]! ^= 1 << random.below(8);
          wrong.push(changed);
        }
        for (const bytes of wrong) {
          await expectRevert(real.answer(world.participant(0), id, bytes), 'ProofDoesNotOpen', ['opening']);
        }
        await real.answer(world.participant(0), id, opening);
      }
    });

    it('C-103 C-106: is taken once, and what was answered is not asked for again', async () => {
      for (const [kind, position, opening] of openings(5, 2)) {
        const { id } = await ask(kind, position);
        await expectRevert(ask(kind, position), 'ChallengeExists', [id]);
        await real.answer(challenger, id, opening);
        await expectRevert(real.answer(world.participant(0), id, opening), 'ChallengeAnsweredAlready', [id]);
        await expectRevert(ask(kind, position), 'ChallengeExists', [id]);
        await real.silence();
        await expectRevert(real.settle(id), 'ChallengeNotFound', [id]);
      }
      const nobodys = hash('nobody asked');
      await expectRevert(real.answer(challenger, nobodys, real.updateChunk(update, 0)), 'ChallengeNotFound', [nobodys]);
      await expectRevert(real.settle(nobodys), 'ChallengeNotFound', [nobodys]);
      expect((await world.participantOf(world.participant(2))).stake).to.equal(STAKE);
      await world.checkBooks();
    });

    it('C-107: counts in the last second; the deadline is the first that is too late', async () => {
      const answerBy = async (id: Hex): Promise<bigint> => BigInt((await world.read('challenge', [id])).answerBy);
      const early = (await ask(Kind.Update, 1)).id;
      await at((await world.now()) + 1n);
      const late = (await ask(Kind.Update, 2)).id;
      await at((await answerBy(early)) - 1n);
      await world.scratch(() => real.answer(challenger, early, real.updateChunk(update, 1)));
      await at(await answerBy(early));
      await mine();
      await expectRevert(real.answer(challenger, early, real.updateChunk(update, 1)), 'AnswerTooLate', [
        early,
        await answerBy(early),
      ]);
      // The second one was asked a second later: its last second is now.
      expect(await answerBy(late)).to.equal((await answerBy(early)) + 1n);
      await world.scratch(async () => {
        await at(await world.now());
        await expectRevert(real.settle(late), 'AnswerWindowOpen', [late, await answerBy(late)]);
      });
      await at(await world.now());
      await real.answer(challenger, late, real.updateChunk(update, 2));
      await real.settle(early);
    });

    it('C-108: is paid to who sends it, or to whom the owner has named over its signature', async () => {
      const owner = world.participant(2);
      const [relayer, payee, thief] = [world.wallets[10]!, world.wallets[11]!, world.wallets[12]!];
      const sign = async (signer: Wallet, id: Hex, to: Wallet) =>
        signer.signTypedData({
          account: signer.account,
          domain: { name: 'Assay', version: '1', chainId: 31337, verifyingContract: world.federation },
          types: {
            AnswerChallenge: [
              { name: 'id', type: 'bytes32' },
              { name: 'payee', type: 'address' },
            ],
          },
          primaryType: 'AnswerChallenge',
          message: { id, payee: to.account.address },
        });
      const { id } = await ask(Kind.Update, 3);
      const other = (await ask(Kind.Update, 4)).id;
      const opening = real.updateChunk(update, 3);
      const refused = (wallet: Wallet, to: Wallet, signature: Hex) =>
        expectRevert(real.answer(wallet, id, opening, to.account.address, signature), 'BadSignature', [
          owner.account.address,
        ]);
      await refused(relayer, payee, '0x');
      await refused(thief, thief, await sign(thief, id, thief));
      await refused(thief, thief, await sign(owner, id, payee));
      await refused(relayer, payee, await sign(owner, other, payee));
      await refused(relayer, payee, '0x1234');
      await real.answer(relayer, id, opening, payee.account.address, await sign(owner, id, payee));
      expect([await credit(payee), await credit(relayer)]).to.deep.equal([BOND, 0n]);
      await world.checkBooks();
    });

    it('among others that cannot be taken is taken: the others are passed over, with the reason', async () => {
      const good = (await ask(Kind.Update, 3)).id;
      const bad = (await ask(Kind.Model, 3)).id;
      const unknown = hash('unknown');
      const payee = challenger.account.address;
      const opening = toHex(real.updateChunk(update, 3));
      const answers = [
        { id: unknown, payee, opening, signature: '0x' },
        { id: bad, payee, opening, signature: '0x' },
        { id: good, payee, opening, signature: '0x' },
        { id: good, payee, opening, signature: '0x' },
      ];
      const receipt = await world.send(challenger, 'answerChallenges', [answers]);
      const names = ['AnswerRefused', 'AnswerRefused', 'ChallengeAnswered', 'Credited', 'AnswerRefused'];
      expect(world.eventNames(receipt)).to.deep.equal(names);
      const refused = world.events(receipt).filter(({ name }) => name === 'AnswerRefused');
      expect(refused.map(({ args }) => args.id)).to.deep.equal([unknown, bad, good]);
      expect(new Set(refused.map(({ args }) => args.reason)).size).to.equal(3);
      await expectRevert(world.send(challenger, 'answerChallenges', [[]]), 'NothingAccepted');
      await expectRevert(world.send(challenger, 'answerChallenges', [answers]), 'ChallengeNotFound', [unknown]);
      await expectRevert(world.send(challenger, 'answerChallenges', [answers.slice(2)]), 'ChallengeAnsweredAlready', [
        good,
      ]);
    });
  });

  describe('whoever lied about the chunk that is asked for cannot answer', () => {
    const lie = (update: RealUpdate, payload: Uint8Array, claimed: (sum: bigint) => bigint): RealUpdate => {
      const leafBytes = 512;
      let nodes = Array.from({ length: 64 }, (_, i) => {
        const chunk = payload.subarray(i * leafBytes, (i + 1) * leafBytes);
        if (i >= CHUNKS) return { hash: new Uint8Array(32), sum: 0n };
        const sum = i === 0 ? claimed(updateLeaf(chunk).sum) : updateLeaf(chunk).sum;
        return { hash: sha256(sumLeafPreimage(sum, chunk)), sum };
      });
      while (nodes.length > 1) {
        const above: typeof nodes = [];
        for (let i = 0; i < nodes.length; i += 2) {
          const [left, right] = [nodes[i]!, nodes[i + 1]!];
          above.push({ hash: sha256(sumNodePreimage(left, right)), sum: left.sum + right.sum });
        }
        nodes = above;
      }
      return { ...update, payload, root: toHex(nodes[0]!.hash), normSq: nodes[0]!.sum };
    };

    it('a leaf with another sum', async () => {
      const honest = real.update(world.participant(1), 1);
      expect(lie(honest, honest.payload, (sum) => sum)).to.deep.equal(honest);
      const liar = lie(honest, honest.payload, (sum) => sum - 1n);
      await real.contribute(1, { 1: liar });
      const { id } = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 1, chunk: 0 });
      await expectRevert(real.answer(challenger, id, real.updateChunk(liar, 0)), 'ProofDoesNotOpen');
      await real.silence();
      const receipt = await real.settle(id);
      expect(world.event(receipt, 'Slashed').account).to.match(is(world.participant(1)));
    });

    it('a last chunk that is not padded with zeros', async () => {
      const { payload } = real.update(world.participant(1), 1);
      for (const place of [2 * DIMENSION, payload.length - 1]) {
        const padded = payload.slice();
        padded[place] = 1;
        await world.scratch(async () => {
          const liar = real.updateOf(padded, world.participant(1), 1);
          await real.contribute(1, { 1: liar });
          const { id } = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 1, chunk: CHUNKS - 1 });
          await expectRevert(real.answer(challenger, id, real.updateChunk(liar, CHUNKS - 1)), 'ProofDoesNotOpen');
        });
      }
    });
  });

  describe('a question', () => {
    it('C-100: is for what counts or was published, while it can fall: an update in Aggregate and Challenge, a publication in Challenge', async () => {
      const update = { kind: Kind.Update, round: 1, index: 0, reveals: [] };
      const model = { kind: Kind.Model, round: 1 };
      const refused = async (phase: number) => {
        for (const question of [update, model]) {
          await expectRevert(real.ask(challenger, question), 'WrongPhase', [1n, phase, Phase.Challenge]);
        }
      };
      await refused(Phase.Open);
      for (let i = 0; i < 4; i++) {
        const person = world.participant(i);
        await world.commit(person, 1, real.update(person, 1));
        if (i === 0) await refused(Phase.Commit);
      }
      for (let i = 0; i < 4; i++) await world.reveal(world.participant(i), 1, real.update(world.participant(i), 1));
      await expectRevert(real.ask(challenger, model), 'WrongPhase', [1n, Phase.Aggregate, Phase.Challenge]);
      await world.scratch(() => real.ask(challenger, { kind: Kind.Update, round: 1 }));
      const { publication } = await real.publish(1);
      const publishedAt = BigInt((await world.round(1)).publishedAt);
      await world.scratch(async () => {
        await at(publishedAt + 2n * CHALLENGE_WINDOW - 1n);
        await real.ask(challenger, { kind: Kind.Update, round: 1 });
      });
      await world.scratch(async () => {
        await at(publishedAt + 2n * CHALLENGE_WINDOW - 1n);
        await real.ask(challenger, { ...model, publication });
      });
      await world.scratch(async () => {
        await at(publishedAt + 2n * CHALLENGE_WINDOW);
        await mine();
        await expectRevert(real.ask(challenger, { ...model, publication }), 'ChallengeNotAllowed', [1n]);
        await expectRevert(real.ask(challenger, { kind: Kind.Update, round: 1 }), 'ChallengeNotAllowed', [1n]);
      });
      await expectRevert(real.ask(challenger, { ...model, round: 2, publication }), 'WrongPhase', [2n, Phase.Open, 5]);
      await expectRevert(real.ask(challenger, { ...model, round: 9, publication }), 'WrongPhase', [9n, Phase.None, 5]);
      await world.finalize(1);
      await expectRevert(real.ask(challenger, { ...model, publication }), 'WrongPhase', [1n, Phase.Final, 5]);
    });

    it('C-101: is for a chunk that there is, of a submission that counts, under what was published', async () => {
      await real.contribute(1);
      const reveals = await real.reveals(1);
      const update = { kind: Kind.Update, round: 1, index: 1 };
      await expectRevert(real.ask(challenger, { ...update, chunk: CHUNKS }), 'ChallengeNotAllowed', [1n]);
      await expectRevert(real.ask(challenger, { ...update, chunk: 2 ** 32 - 1 }), 'ChallengeNotAllowed', [1n]);
      await expectRevert(real.ask(challenger, { ...update, index: 7 }), 'SubmissionNotFound', [1n, 7]);
      await expectRevert(real.ask(challenger, { ...update, index: 65535 }), 'SubmissionNotFound', [1n, 65535]);
      const [a, b, c, d] = reveals as Required<typeof reveals>;
      for (const wrong of [
        [],
        [a!, b!, c!],
        [b!, a!, c!, d!],
        [a!, b!, c!, d!, d!],
        [a!, b!, c!, { ...d!, normSq: 1n }],
      ]) {
        await expectRevert(real.ask(challenger, { ...update, reveals: wrong }), 'WrongReveals');
      }
      const { publication } = await real.publish(1);
      for (const kind of [Kind.Model, Kind.State, Kind.Gram]) {
        const last = kind === Kind.Gram ? SPANS : CHUNKS;
        const question = { kind, round: 1, chunk: last, publication };
        await expectRevert(real.ask(challenger, question), 'ChallengeNotAllowed', [1n]);
        await real.ask(challenger, { ...question, chunk: last - 1 });
        // The index means nothing here: it cannot make another question of the same one.
        await expectRevert(real.ask(challenger, { ...question, chunk: last - 1, index: 3 }), 'ChallengeExists');
        const other = { ...publication, evidenceCid: cidOf('other') };
        await expectRevert(real.ask(challenger, { ...question, chunk: 0, publication: other }), 'WrongPublication');
      }
    });

    it('C-101: is not for a state or a Gram matrix that the rule has none of', async () => {
      world.federation = await world.createFederation({
        dimension: BigInt(DIMENSION),
        rule: fromRule(parseRule('fedavg', 0)),
      });
      for (let i = 0; i < 4; i++) await world.register(world.participant(i));
      await world.registerAggregator(world.aggregator(0));
      await world.contribute(1);
      const publication = { ...(await world.publication(1)), gramRoot: zeroHash, mixingHash: zeroHash };
      await world.send(world.aggregator(0), 'publishRound', [1n, publication]);
      for (const kind of [Kind.State, Kind.Gram]) {
        await expectRevert(real.ask(challenger, { kind, round: 1, publication }), 'ChallengeNotAllowed', [1n]);
      }
      await real.ask(challenger, { kind: Kind.Model, round: 1, publication });
    });

    it('C-111: can be paid for: a price of gas that no bond could hold is refused at creation', async () => {
      await world.scratch(() => world.requestFederation({ bondGasPrice: 2n ** 64n - 1n }));
      await expectRevert(world.requestFederation({ bondGasPrice: 2n ** 64n }), 'ParameterOutOfRange', [
        'bondGasPrice',
        2n ** 64n,
        0n,
        2n ** 64n - 1n,
      ]);
    });

    it('C-104: carries a bond that pays for the answer, also when the base fee is high; what is sent beyond it is part of it', async () => {
      const { publication } = await real.play(1);
      const client = await world.connection.viem.getTestClient();
      const gas = (await world.read('answerGas', [Kind.Model, 1n])) as bigint;
      const baseFee = (gwei: string) => client.setNextBlockBaseFeePerGas({ baseFeePerGas: parseGwei(gwei) });
      const question = { kind: Kind.Model, round: 1, publication };
      // bondGasPrice is 1 gwei.
      const cases = [
        ['0.1', gas * parseGwei('1')],
        ['0.6', gas * parseGwei('1.2')],
        ['30', gas * parseGwei('60')],
      ] as const;
      for (const [gwei, least] of cases) {
        for (const missing of [1n, least]) {
          await world.scratch(async () => {
            await baseFee(gwei);
            const args = [Kind.Model, 1n, 0, 0, [], publication];
            const options = { gas: 1_000_000n, maxFeePerGas: parseGwei('100') };
            const short = challenger.writeContract({
              ...{ address: world.federation, abi: world.abi, functionName: 'challengeAvailability', args },
              ...{ ...options, value: least - missing },
            });
            await expectRevert(short, 'WrongBond', [least, least - missing]);
          });
        }
        await world.scratch(async () => {
          await baseFee(gwei);
          const { receipt } = await real.ask(challenger, question, least);
          expect(world.event(receipt, 'ChallengeOpened').bond).to.equal(least);
        });
      }
      const { receipt } = await real.ask(challenger, question, 12_345n * BOND);
      expect(world.event(receipt, 'ChallengeOpened').bond).to.equal(12_345n * BOND);
      await world.checkBooks();
    });
  });

  it('in a token takes exactly the bond, pays who answers in it, and a coin beside it is refused', async () => {
    const parameters = { ...realParameters, bondGasPrice: 7n };
    await world.close();
    real = await RealWorld.create({ participants: 0, aggregators: 0 });
    world = real.world;
    challenger = world.wallets[20]!;
    await world.useToken(parameters);
    for (let i = 0; i < 4; i++) await world.register(world.participant(i));
    await world.registerAggregator(world.aggregator(0));
    const { publication, model } = await real.play(1);
    const question = { kind: Kind.Model, round: 1, publication };
    const bond = (await world.read('answerGas', [Kind.Model, 1n])) * 7n;
    expect(await world.read('availabilityBond', [Kind.Model, 1n]), 'the base fee is not in tokens').to.equal(bond);
    await expectRevert(real.ask(challenger, question, 1n), 'WrongPayment', [0n, 1n]);
    const held = await world.held(challenger.account.address);
    const { id, receipt } = await real.ask(challenger, question, 0n);
    expect(world.event(receipt, 'ChallengeOpened').bond).to.equal(bond);
    expect(held - (await world.held(challenger.account.address))).to.equal(bond);
    await world.checkBooks();
    await real.answer(challenger, id, real.modelChunk(model, 0));
    await world.send(challenger, 'withdrawCredit');
    expect(await world.held(challenger.account.address)).to.equal(held);
    const silent = await real.ask(challenger, { ...question, chunk: 1 }, 0n);
    await real.silence();
    expect(world.event(await real.settle(silent.id), 'Slashed').reward).to.equal(STAKE);
    await world.checkBooks();
  });

  describe('silence', () => {
    it('before the publication voids the update and slashes who withholds it; the round goes on without', async () => {
      await real.contribute(1);
      const { id } = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 3 });
      await expectRevert(real.settle(id), 'AnswerWindowOpen');
      await real.silence();
      const receipt = await real.settle(id);
      expect(world.eventNames(receipt)).to.deep.equal([
        'ChallengeRefunded',
        'Credited',
        'SubmissionVoided',
        'Slashed',
        'Credited',
        'PenaltyBurned',
      ]);
      const slashed = world.event(receipt, 'Slashed');
      expect(slashed).to.deep.include({ round: 1n, role: Role.Participant, proof: Proof.Unavailable, amount: STAKE });
      expect([slashed.reward, slashed.burned]).to.deep.equal([STAKE / 2n, STAKE / 2n]);
      expect(await credit(challenger)).to.equal(BOND + STAKE / 2n);
      const { stake, active } = await world.participantOf(world.participant(3));
      expect([stake, active]).to.deep.equal([0n, false]);
      expect((await world.round(1)).voidedBitmap).to.equal(8n);
      await expectRevert(real.settle(id), 'ChallengeNotFound');
      await expectRevert(real.ask(challenger, { kind: Kind.Update, round: 1, index: 3 }), 'SubmissionAlreadyVoided');
      await real.publish(1);
      await world.finalize(1);
      await world.checkBooks();
    });

    it('after the publication voids the model, too; the aggregator pays as for a missed turn', async () => {
      await real.play(1);
      const { id } = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 0 });
      await real.silence();
      const receipt = await real.settle(id);
      expect(world.event(receipt, 'Slashed').account).to.match(is(world.participant(0)));
      expect(world.event(receipt, 'TurnMissed').aggregator).to.match(is(world.aggregator(0)));
      const redo = await world.round(1);
      expect([redo.phase, redo.turn, redo.openChallenges]).to.deep.equal([Phase.Aggregate, 1, 0]);
      await real.publish(1);
      await world.finalize(1);
      await world.checkBooks();
    });

    it('about a model, a state or a Gram matrix voids the publication and slashes who published it', async () => {
      const { publication } = await real.play(1);
      for (const kind of [Kind.Model, Kind.State, Kind.Gram]) {
        await world.scratch(async () => {
          const { id } = await real.ask(challenger, { kind, round: 1, publication });
          await real.silence();
          const receipt = await real.settle(id);
          const slashed = world.event(receipt, 'Slashed');
          expect(slashed.account).to.match(is(world.aggregator(0)));
          expect(slashed).to.deep.include({ role: Role.Aggregator, proof: Proof.Unavailable, amount: 2n * STAKE });
          expect(await credit(challenger)).to.equal(BOND + STAKE);
          const { phase, leader } = await world.round(1);
          expect(phase).to.equal(Phase.Aggregate);
          expect(leader).to.not.match(is(world.aggregator(0)));
          await real.publish(1);
          await world.checkBooks();
        });
      }
    });

    it('C-109: about what is void meanwhile convicts nobody, and the bond returns', async () => {
      const { publication } = await real.play(1);
      const model = await real.ask(challenger, { kind: Kind.Model, round: 1, publication });
      const state = await real.ask(challenger, { kind: Kind.State, round: 1, publication });
      const kept = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 1 });
      const second = await real.play(2);
      const later = await real.ask(challenger, { kind: Kind.Model, round: 2, publication: second.publication });
      const update = await real.ask(challenger, { kind: Kind.Update, round: 2, index: 1 });
      await real.answer(challenger, kept.id, real.updateChunk(real.update(world.participant(1), 1), 0));
      await real.silence();
      await real.settle(model.id);
      expect((await world.round(1)).openChallenges).to.equal(0);
      for (const { id } of [state, later, update]) {
        const receipt = await real.settle(id);
        expect(world.eventNames(receipt)).to.deep.equal(['ChallengeRefunded', 'Credited']);
      }
      // The same bytes in the rounds that are opened again: their counts are their own.
      await real.publish(1);
      const redone = await real.play(2);
      expect((await world.round(2)).openChallenges).to.equal(0);
      const again = await real.ask(challenger, { kind: Kind.Model, round: 2, publication: redone.publication });
      expect(again.id).to.not.equal(later.id);
      await real.answer(challenger, again.id, real.modelChunk(redone.model, 0));
      for (let i = 0; i < 4; i++) expect((await world.participantOf(world.participant(i))).stake).to.equal(STAKE);
      await world.finalize(1);
      await world.finalize(2);
      await world.checkBooks();
    });

    it('C-109: about an update that fell for another reason convicts nobody, and holds up nobody', async () => {
      await real.contribute(1);
      const first = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 2, chunk: 0 });
      const second = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 2, chunk: 1 });
      await real.silence();
      await real.settle(first.id);
      expect((await world.round(1)).openChallenges).to.equal(1);
      const receipt = await real.settle(second.id);
      expect(world.eventNames(receipt)).to.deep.equal(['ChallengeRefunded', 'Credited']);
      expect((await world.round(1)).openChallenges).to.equal(0);
      await real.publish(1);
      await world.finalize(1);
      await world.checkBooks();
    });

    it('of too many ends the round: it is abandoned, and open questions about it return their bonds', async () => {
      await real.contribute(1);
      const asked: Hex[] = [];
      for (const index of [0, 1, 2])
        asked.push((await real.ask(challenger, { kind: Kind.Update, round: 1, index })).id);
      await real.silence();
      await real.settle(asked[0]!);
      expect(world.event(await real.settle(asked[1]!), 'RoundAbandoned').validUpdates).to.equal(2);
      const receipt = await real.settle(asked[2]!);
      expect(world.eventNames(receipt)).to.deep.equal(['ChallengeRefunded', 'Credited']);
      expect((await world.participantOf(world.participant(2))).stake).to.equal(STAKE);
      expect(await world.currentRound()).to.equal(2);
      await world.checkBooks();
    });

    it('is broken until the deadline, whatever became of the round', async () => {
      const { publication, model } = await real.play(1);
      const asked = await real.ask(challenger, { kind: Kind.Model, round: 1, chunk: 3, publication });
      const kept = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 1, chunk: 2 });
      await at(BigInt((await world.read('challenge', [asked.id])).answerBy) - 10n);
      await mine();
      // Somebody else's silence voids the publication at the last moment.
      await world.scratch(async () => {
        await real.answer(challenger, asked.id, real.modelChunk(model, 3));
        await real.silence();
        await real.settle(kept.id);
        expect(await world.phase(1)).to.equal(Phase.Aggregate);
      });
      await real.answer(challenger, kept.id, real.updateChunk(real.update(world.participant(1), 1), 2));
      await real.answer(challenger, asked.id, real.modelChunk(model, 3));
      expect(await credit(challenger)).to.equal(2n * BOND);
    });
  });

  describe('the clocks', () => {
    const window = BigInt(baseParameters.aggregateWindowSeconds);

    it('C-105: of the turn: a question gives the leader a whole turn after the answer, once a turn', async () => {
      await real.contribute(1);
      await world.increase(150);
      const first = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 1 });
      const extended = (await world.now()) + ANSWER_WINDOW + window;
      expect(world.event(first.receipt, 'AggregatePhaseOpened')).to.deep.include({ turn: 0, deadline: extended });
      const { turn, deadline, leader } = await world.round(1);
      expect([turn, deadline]).to.deep.equal([0, extended]);
      expect(leader).to.match(is(world.aggregator(0)));
      // A second one in the same turn moves nothing.
      await world.increase(50);
      const second = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 2 });
      expect(world.eventNames(second.receipt)).to.deep.equal(['ChallengeOpened']);
      expect((await world.round(1)).deadline).to.equal(extended);
      // Until the very last second the turn is the leader's, who may publish at any time.
      await world.scratch(async () => {
        await real.publish(1);
        expect((await world.aggregatorOf(world.aggregator(0))).stake).to.equal(2n * STAKE);
      });
      await at(extended - 1n);
      await mine();
      expect((await world.round(1)).leader).to.match(is(world.aggregator(0)));
      await at(extended);
      await mine();
      const next = await world.round(1);
      expect([next.turn, next.deadline]).to.deep.equal([1, extended + window]);
      expect(next.leader).to.match(is(world.aggregator(1)));
      // The next turn can be extended, too.
      const third = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 3 });
      const opened = world.event(third.receipt, 'AggregatePhaseOpened');
      expect(opened).to.deep.include({ turn: 1, deadline: (await world.now()) + ANSWER_WINDOW + window });
      expect(world.event(third.receipt, 'TurnMissed').aggregator).to.match(is(world.aggregator(0)));
    });

    it('C-105 C-43: of turns: however often they are extended, nobody pays twice for one silence', async () => {
      await real.contribute(1);
      const penalty = baseParameters.missedTurnPenalty;
      const update = real.update(world.participant(0), 1);
      for (let turn = 0; turn < 7; turn++) {
        const { id } = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 0, chunk: turn });
        expect((await world.round(1)).turn).to.equal(turn);
        await real.answer(world.participant(0), id, real.updateChunk(update, turn));
        await world.passDeadline(1);
      }
      await world.increase(2 * Number(window));
      const receipt = await world.send(challenger, 'advance', [1n]);
      // Missed all the same: who reads the events knows whose turn it is.
      const missed = world.events(receipt).filter(({ name }) => name === 'TurnMissed');
      expect(missed.map(({ args }) => [args.turn, args.penalty])).to.deep.equal([6, 7, 8].map((turn) => [turn, 0n]));
      for (let i = 0; i < 3; i++) {
        expect((await world.aggregatorOf(world.aggregator(i))).stake).to.equal(2n * STAKE - penalty);
      }
      expect(await world.read('totalBurned')).to.equal(3n * penalty);
      expect((await world.round(1)).leader).to.match(is(world.aggregator(9 % 3)));
      await real.publish(1);
      await world.checkBooks();
    });

    it('of turns: each silent aggregator pays once, also when extensions come in the middle', async () => {
      await real.contribute(1);
      const penalty = baseParameters.missedTurnPenalty;
      await world.passDeadline(1);
      await real.ask(challenger, { kind: Kind.Update, round: 1, index: 0 });
      const stakes = async () =>
        Promise.all([0, 1, 2].map(async (i) => (await world.aggregatorOf(world.aggregator(i))).stake));
      expect(await stakes()).to.deep.equal([2n * STAKE - penalty, 2n * STAKE, 2n * STAKE]);
      await world.passDeadline(1);
      await world.send(challenger, 'advance', [1n]);
      expect(await stakes()).to.deep.equal([2n * STAKE - penalty, 2n * STAKE - penalty, 2n * STAKE]);
      await world.increase(100 * Number(window));
      await world.send(challenger, 'advance', [1n]);
      expect(await stakes()).to.deep.equal([2n * STAKE - penalty, 2n * STAKE - penalty, 2n * STAKE - penalty]);
    });

    it('of finality: not before every question is answered and there was time to act on the answer', async () => {
      const { publication, model } = await real.play(1);
      await world.scratch(async () => {
        await real.ask(challenger, { kind: Kind.Model, round: 1, publication });
        expect((await world.round(1)).deadline).to.equal(
          BigInt((await world.round(1)).publishedAt) + CHALLENGE_WINDOW,
          'an early question holds up nothing',
        );
      });
      await at(BigInt((await world.round(1)).publishedAt) + CHALLENGE_WINDOW - 1n);
      const { id } = await real.ask(challenger, { kind: Kind.Model, round: 1, publication });
      const hold = (await world.now()) + 2n * ANSWER_WINDOW;
      const view = await world.round(1);
      expect([view.holdUntil, view.deadline, view.openChallenges]).to.deep.equal([hold, hold, 1]);
      const finalize = () => world.send(challenger, 'finalizeRound', [1n]);
      await at(hold - 2n * ANSWER_WINDOW + 1n);
      await mine();
      await expectRevert(finalize(), 'ChallengesOpen', [1n, 1]);
      await at(hold - ANSWER_WINDOW - 1n);
      await real.answer(challenger, id, real.modelChunk(model, 0));
      await expectRevert(finalize(), 'ChallengeWindowOpen', [1n, hold]);
      await at(hold - 1n);
      await mine();
      await expectRevert(finalize(), 'ChallengeWindowOpen', [1n, hold]);
      await at(hold);
      await finalize();
      expect(await world.phase(1)).to.equal(Phase.Final);
    });

    it('of finality: a question from before the publication is waited for', async () => {
      await real.contribute(1);
      const { id } = await real.ask(challenger, { kind: Kind.Update, round: 1, index: 2 });
      await real.publish(1);
      await world.passDeadline(1);
      await expectRevert(world.send(challenger, 'finalizeRound', [1n]), 'ChallengesOpen');
      const receipt = await real.settle(id);
      expect(world.event(receipt, 'Slashed').account).to.match(is(world.participant(2)));
      expect(await world.phase(1)).to.equal(Phase.Aggregate);
    });
  });
});
