/**
 * Fraud proofs against a whole federation: every lie that can be published convicts who told it, the same proof about
 * the truth loses its bond, and what does not open reverts.
 */
import { expect } from 'chai';
import { encodeFunctionData, getAddress, type Hex, size, slice, type TransactionReceipt, zeroHash } from 'viem';
import { mixingHash } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { parseRule } from '../../../protocol/aggregation/rule.ts';
import { FED_AVG, type ServerStep, stateVectors } from '../../../protocol/aggregation/serverStep.ts';
import { commitModel, modelLeaf } from '../../../protocol/commitment/merkle.ts';
import { payloadChunks } from '../../../protocol/commitment/merkleSum.ts';
import { sha256 } from '../../../protocol/commitment/sha256.node.ts';
import { concatBytes, fromHex, toHex } from '../../../protocol/encoding/bytes.ts';
import { bytesOf, encodeModel } from '../../../protocol/encoding/vectors.ts';
import { commitState } from '../../protocol/support/commitState.ts';
import { ruleOf } from '../../protocol/support/ruleOf.ts';
import { fullLevels, GramLevels, matrixPreimages, modelKind } from '../support/openings.ts';
import { type Contribution, type PlayedRound, type Published, rootSumOpening, Scene } from '../support/scene.ts';
import { baseParameters, expectRevert, Phase, Role } from '../support/world.ts';

const BOND = baseParameters.proofBond;
/** In the order of the Solidity enum ProofKind. */
const PROOF_KINDS = [
  'badSum',
  'badVacancy',
  'badCoordinate',
  'badGramLeaf',
  'badGramNode',
  'badMixing',
  'copiedUpdate',
];

const NNM = ruleOf('nearestNeighborMixing', 'trimmedMean', 1);
const KRUM = ruleOf('multiKrum', 'mean', 1, 2);
const MEDIAN = ruleOf('none', 'median', 1);
const MOMENTUM: ServerStep = { ...FED_AVG, optimizer: 'fedAvgM', learningRateQ16: 40_000, momentumQ16: 58_982 };
const ADAM: ServerStep = { ...MOMENTUM, optimizer: 'fedAdam', secondMomentQ16: 64_881, adaptivity: 16_777 };
const YOGI: ServerStep = { ...ADAM, optimizer: 'fedYogi' };

const last = (scene: Scene) => scene.world.wallets[39]!;
const prove = (round: PlayedRound, name: string, args: unknown[], bond = BOND): Promise<TransactionReceipt> =>
  round.scene.world.send(last(round.scene), name, args, bond);

/** What the transaction credited to an account. */
const creditOf = ({ world }: Scene, receipt: TransactionReceipt, account: Hex): bigint =>
  world
    .events(receipt)
    .filter(({ name, args }) => name === 'Credited' && args.account === getAddress(account))
    .reduce((sum, { args }) => sum + (args.amount as bigint), 0n);

/** The proof convicts; what follows does not happen for the rest of the test. */
async function expectConviction(
  round: PlayedRound,
  name: string,
  args: unknown[],
  kind: string,
  role: number,
  who: Hex,
) {
  const { world } = round.scene;
  await world.scratch(async () => {
    const receipt = await prove(round, name, args);
    const slashed = world.event(receipt, 'Slashed');
    expect([slashed.account, slashed.role, PROOF_KINDS[slashed.proof as number]]).to.deep.equal([
      getAddress(who),
      role,
      kind,
    ]);
    expect(slashed.challenger).to.equal(getAddress(last(round.scene).account.address));
    const credit = creditOf(round.scene, receipt, last(round.scene).account.address);
    expect(credit, 'the bond and the reward').to.equal(BOND + (slashed.reward as bigint));
    expect(await world.phase(round.number)).to.equal(Phase.Aggregate);
  });
}

/** The proof shows that the number is right: the bond is the accused's, and nothing else happens. */
async function expectRejection(round: PlayedRound, name: string, args: unknown[], kind: string, who: Hex) {
  const { world } = round.scene;
  await world.scratch(async () => {
    const before = await world.phase(round.number);
    const receipt = await prove(round, name, args);
    const rejected = world.event(receipt, 'AccusationRejected');
    expect([rejected.accused, PROOF_KINDS[rejected.proof as number], rejected.bond]).to.deep.equal([
      getAddress(who),
      kind,
      BOND,
    ]);
    expect(world.eventNames(receipt)).to.not.include('Slashed');
    expect(creditOf(round.scene, receipt, who)).to.equal(BOND);
    expect(await world.phase(round.number)).to.equal(before);
  });
}

const changed = (vector: Int32Array, k: number, by = 1): Int32Array =>
  vector.map((value, i) => (i === k ? value + by : value));
const flip = (hex: string, position: number) => {
  const bytes = fromHex(hex);
  bytes[position] = bytes[position]! ^ 1;
  return toHex(bytes);
};

describe('fraud proofs', () => {
  describe('bad coordinate', () => {
    for (const [name, rule, step, participants] of [
      ['nnm+trimmed-mean, FedAvgM', NNM, MOMENTUM, 5],
      ['multi-krum, FedAvg', KRUM, FED_AVG, 6],
      ['median, FedAvgM', MEDIAN, MOMENTUM, 4],
      ['nnm+meamed, FedYogi', parseRule('nnm+meamed', 1), YOGI, 5],
      ['bucketing+median, FedAdam', parseRule('bucketing+median', 1), ADAM, 6],
    ] as const) {
      it(`${name}: a changed coordinate of model or state convicts; any other loses the bond (C-88 C-152)`, async () => {
        const scene = await Scene.create({ rule, step, participants, dimension: 16 * 5 + 3 });
        const { world, layout } = scene;
        const places = [0, 37, layout.dimension - 1, layout.chunkCount * 16 - 1];
        for (const number of [1, 2]) {
          // Round 2 has a state to start from.
          const round = scene.next();
          await round.contribute();
          for (const place of [0, 37, layout.dimension - 1]) {
            await world.scratch(async () => {
              const leader = await round.publish((honest) => {
                honest.model = changed(honest.model, place);
                honest.roots.modelRoot = commitModel(honest.model, layout);
              });
              const who = leader.account.address;
              const lie = [round.coordinateProof(place)];
              await expectConviction(round, 'proveBadCoordinate', lie, 'badCoordinate', Role.Aggregator, who);
              const truth = [round.coordinateProof((place + 1) % layout.dimension)];
              await expectRejection(round, 'proveBadCoordinate', truth, 'badCoordinate', who);
            });
          }
          const planes = stateVectors(step);
          for (let plane = 0; plane < planes; plane++) {
            await world.scratch(async () => {
              // The model fits the right state: it is the state that is wrong, in any of its vectors.
              const leader = await round.publish((honest) => {
                honest.state = changed(honest.state!, (2 * planes + plane) * 16 + 5, -2);
                honest.roots.stateRoot = commitState(bytesOf(honest.state), layout, step);
              });
              const who = leader.account.address;
              const lie = [round.coordinateProof(37, 'state')];
              await expectConviction(round, 'proveBadCoordinate', lie, 'badCoordinate', Role.Aggregator, who);
              const truth = [round.coordinateProof(36, 'state')];
              await expectRejection(round, 'proveBadCoordinate', truth, 'badCoordinate', who);
            });
          }
          const honest = number === 1 ? await scene.play(round) : await round.publish();
          for (const place of places) {
            for (const about of ['model', 'state'] as const) {
              const proof = [round.coordinateProof(place, about)];
              await expectRejection(round, 'proveBadCoordinate', proof, 'badCoordinate', honest.account.address);
            }
          }
        }
        await world.close();
      });
    }

    it('what was not published, opened whole and in its place accuses nobody (C-87 C-89 C-90 C-91)', async () => {
      const scene = await Scene.create({ rule: NNM, step: MOMENTUM, dimension: 16 * 5 });
      const { world } = scene;
      await scene.honestRound();
      const round = scene.next();
      await round.contribute();
      await round.publish();
      const state = round.coordinateProof(20, 'state');
      const model = round.coordinateProof(20, 'model');
      const refuse = (proof: object, change: object, error: string, args?: readonly unknown[]) =>
        expectRevert(prove(round, 'proveBadCoordinate', [{ ...proof, ...change }]), error, args);
      const part = (what: string) => ['ProofDoesNotOpen', [what]] as const;
      const size = 2 * (8 + 2 * 16 + 40 * scene.layout.depth);
      const rows = Array.from({ length: 5 }, (_, i) => state.rows.slice(2 + i * size, 2 + (i + 1) * size));
      const packed = (...parts: (string | undefined)[]) => `0x${parts.join('')}`;
      expect(packed(...rows)).to.equal(state.rows);
      await refuse(state, { chunk: 5 }, ...part('coordinate'));
      await refuse(state, { coordinate: 16 }, ...part('coordinate'));
      await refuse(state, { chunk: 2 }, ...part('newState'));
      await refuse(state, { rows: packed(...rows.slice(1)) }, ...part('rows'));
      await refuse(state, { rows: packed(...rows, rows[0]) }, ...part('rows'));
      await refuse(state, { rows: packed(rows[1], rows[0], ...rows.slice(2)) }, ...part('rows'));
      await refuse(state, { rows: packed(rows[0], rows[0], ...rows.slice(2)) }, ...part('rows'));
      await refuse(state, { rows: state.rows.slice(0, -2) }, ...part('rows'));
      await refuse(state, { rows: flip(state.rows, 9) }, ...part('rows'));
      for (const [proof, names] of [
        [state, ['oldState', 'newState']],
        [model, ['oldModel', 'newModel', 'newState']],
      ] as const) {
        for (const name of names) {
          const opening = (proof as Record<string, unknown>)[name] as string;
          await refuse(proof, { [name]: flip(opening, 3) }, ...part(name));
          await refuse(proof, { [name]: opening.slice(0, -2) }, ...part(name));
          await refuse(proof, { [name]: `${opening}00` }, ...part(name));
          if (name !== 'newModel') await refuse(proof, { [name]: '0x' }, ...part(name));
        }
      }
      // A proof without the new model is one about the state.
      await refuse(model, { newModel: '0x' }, ...part('oldModel'));
      await refuse(model, { oldModel: model.newModel }, ...part('oldModel'));
      for (const [name, value] of [
        ['oldState', state.oldState],
        ['rows', state.rows],
        ['mixing', state.mixing],
        ['reveals', state.reveals],
      ] as const) {
        await refuse(model, { [name]: value }, ...part(name));
      }
      await refuse(state, { oldModel: model.oldModel }, ...part('oldModel'));
      await refuse(state, { mixing: flip(state.mixing, 12) }, ...part('mixing'));
      await refuse(state, { mixing: '0x' }, ...part('mixing'));
      await refuse(state, { previous: state.publication }, 'WrongPublication');
      await refuse(state, { publication: state.previous }, 'WrongPublication');
      await refuse(state, { reveals: state.reveals.slice(1) }, 'WrongReveals');
      await refuse(state, { reveals: [...state.reveals, state.reveals[0]] }, 'WrongReveals');
      const [first, second, ...others] = state.reveals;
      await refuse(state, { reveals: [second, first, ...others] }, 'WrongReveals');
      await refuse(state, { round: 3n }, 'WrongPhase');
      await refuse(state, { round: 9n }, 'WrongPhase');
      await expectRevert(prove(round, 'proveBadCoordinate', [state], BOND - 1n), 'WrongPayment');
      await expectRevert(prove(round, 'proveBadCoordinate', [state], BOND + 1n), 'WrongPayment');
      await world.close();
      // The first round has no state to start from, a stateless step none at all: so none may be brought.
      const begun = await Scene.create({ rule: MEDIAN, step: MOMENTUM, participants: 4, dimension: 20 });
      const opener = await begun.honestRound();
      const stray = [opener.coordinateProof(3, 'state', { oldState: opener.coordinateProof(3).newState })];
      await expectRevert(prove(opener, 'proveBadCoordinate', stray), ...part('oldState'));
      await begun.world.close();
      const plain = await Scene.create({ rule: MEDIAN, step: FED_AVG, participants: 4, dimension: 20 });
      const only = await plain.honestRound();
      const proof = only.coordinateProof(3);
      for (const name of ['oldState', 'newState', 'mixing'] as const) {
        const more = [{ ...proof, [name]: proof.oldModel }];
        await expectRevert(prove(only, 'proveBadCoordinate', more), ...part(name));
      }
      await plain.world.finalize(1);
      await expectRevert(prove(only, 'proveBadCoordinate', [proof]), 'WrongPhase');
      await plain.world.close();
    });

    it('a state without one of its vectors, or with the moments of another coordinate, does not open (C-152)', async () => {
      const scene = await Scene.create({ rule: MEDIAN, step: YOGI, participants: 4, dimension: 20 });
      const round = await scene.honestRound();
      const { newState, ...proof } = round.coordinateProof(3, 'model');
      const whole = newState.slice(2);
      for (const wrong of [whole.slice(128), whole.slice(0, 128) + whole.slice(384), whole.slice(128, 256) + whole]) {
        const refused = prove(round, 'proveBadCoordinate', [{ ...proof, newState: `0x${wrong}` }]);
        await expectRevert(refused, 'ProofDoesNotOpen', ['newState']);
      }
      await scene.world.close();
    });

    it('a published mixing matrix of another shape can be convicted as bad mixing, not as a coordinate (C-90)', async () => {
      const scene = await Scene.create({ rule: NNM, step: FED_AVG, dimension: 40 });
      const round = scene.next();
      await round.contribute();
      const leader = await round.publish((honest) => {
        honest.mixing = { ...honest.mixing!, denominator: 3 };
        honest.roots.mixingHash = mixingHash(honest.mixing);
      });
      const coordinate = prove(round, 'proveBadCoordinate', [round.coordinateProof(1)]);
      await expectRevert(coordinate, 'ProofDoesNotOpen', ['mixing']);
      const who = leader.account.address;
      await expectConviction(round, 'proveBadMixing', [round.mixingProof()], 'badMixing', Role.Aggregator, who);
      await scene.world.close();
    });
  });

  describe('bad sum', () => {
    const lieAbout = (sum: bigint) => (index: number, honest: Contribution) =>
      index === 2 ? { ...honest, normSq: honest.normSq - sum } : honest;
    it('a lie about the norm: void before publication; after it the model falls, too (C-87 C-94 C-95)', async () => {
      const scene = await Scene.create({ rule: NNM, step: FED_AVG, dimension: 40 });
      const { world } = scene;
      const round = scene.next();
      await round.contribute(lieAbout(7n));
      const [liar, honest] = [round.contributions.get(2)!, round.contributions.get(3)!];
      const position = (index: number) => BigInt(round.reveals.findIndex((revealed) => revealed.index === index));
      const args = (index: number, opening: object) => [1n, round.reveals, position(index), opening];
      const lie = args(2, rootSumOpening(scene.layout, liar));
      const who = world.participant(2).account.address;
      const truth = args(3, rootSumOpening(scene.layout, honest));
      await expectConviction(round, 'proveBadSum', lie, 'badSum', Role.Participant, who);
      await expectRejection(round, 'proveBadSum', truth, 'badSum', world.participant(3).account.address);
      const send = (...changed: unknown[]) => prove(round, 'proveBadSum', changed);
      await expectRevert(send(...args(3, rootSumOpening(scene.layout, liar))), 'ProofDoesNotOpen', ['opening']);
      await expectRevert(send(...args(2, { ...rootSumOpening(scene.layout, liar), level: 1 })), 'ProofDoesNotOpen', [
        'opening',
      ]);
      await expectRevert(send(1n, round.reveals.slice(1), 0n, rootSumOpening(scene.layout, liar)), 'WrongReveals');
      await expectRevert(send(1n, round.reveals, 5n, rootSumOpening(scene.layout, liar)), 'ProofDoesNotOpen', [
        'reveals',
      ]);
      await expectRevert(send(2n, round.reveals, 0n, rootSumOpening(scene.layout, liar)), 'WrongPhase');
      await expectRevert(send(0n, [], 0n, rootSumOpening(scene.layout, liar)), 'WrongPhase');
      await expectRevert(prove(round, 'proveBadSum', lie, 0n), 'WrongPayment');
      // Before publication: the round goes on without the liar, and proofs about it speak of the others.
      await world.scratch(async () => {
        await prove(round, 'proveBadSum', lie);
        await expectRevert(prove(round, 'proveBadSum', lie), 'SubmissionAlreadyVoided', [1n, 2]);
        round.voided.add(2);
        const leader = await round.publish((made) => {
          made.model = changed(made.model, 3);
          made.roots.modelRoot = commitModel(made.model, scene.layout);
        });
        const publisher = leader.account.address;
        const coordinate = [round.coordinateProof(3)];
        await expectConviction(round, 'proveBadCoordinate', coordinate, 'badCoordinate', Role.Aggregator, publisher);
        await expectRejection(round, 'proveBadCoordinate', [round.coordinateProof(4)], 'badCoordinate', publisher);
        await expectRejection(round, 'proveBadMixing', [round.mixingProof()], 'badMixing', publisher);
        round.voided.delete(2);
      });
      // After publication.
      await round.publish();
      await expectConviction(round, 'proveBadSum', lie, 'badSum', Role.Participant, who);
      await expectRejection(round, 'proveBadSum', truth, 'badSum', world.participant(3).account.address);
      await world.finalize(1);
      await expectRevert(prove(round, 'proveBadSum', lie), 'WrongPhase');
      await world.close();
    });
  });

  describe('bad vacancy', () => {
    it('whatever stands beyond the last chunk of a model or state convicts; nothing does not (C-86 C-87)', async () => {
      const scene = await Scene.create({ rule: MEDIAN, step: MOMENTUM, participants: 4, dimension: 16 * 5 });
      const { world, layout } = scene;
      const round = scene.next();
      await round.contribute();
      const levelsOf = (vector: Int32Array, extra: Uint8Array[] = []) => {
        const leaves = [...payloadChunks(encodeModel(vector, layout), layout.chunkSize * 4)].map(modelLeaf);
        return fullLevels(modelKind, layout.depth, [...leaves, ...extra]);
      };
      const path = (levels: Uint8Array[][], level: number, position: number) => {
        const siblings: Uint8Array[] = [];
        for (let l = level, p = position; l < layout.depth; l++, p >>= 1)
          siblings.push(levels[l]![p ^ 1] ?? new Uint8Array(32));
        return toHex(concatBytes(...siblings));
      };
      for (const [tree, name] of [
        [0, 'modelRoot'],
        [1, 'stateRoot'],
      ] as const) {
        await world.scratch(async () => {
          let levels: Uint8Array[][] = [];
          const leader = await round.publish((honest) => {
            levels = levelsOf(tree === 0 ? honest.model : honest.state!.slice(0, layout.dimension), [
              sha256(Uint8Array.of(1)),
            ]);
            honest.roots[name] = toHex(levels[layout.depth]![0]!);
          });
          const args = (level: number, position: number) => [
            1n,
            round.publication,
            tree,
            level,
            position,
            toHex(levels[level]![position]!),
            path(levels, level, position),
          ];
          const who = leader.account.address;
          await expectConviction(round, 'proveBadVacancy', args(0, 5), 'badVacancy', Role.Aggregator, who);
          await expectRejection(round, 'proveBadVacancy', args(1, 3), 'badVacancy', who);
        });
      }
      const leader = await round.publish();
      const levels = levelsOf(round.published.model);
      const args = (level: number, position: number, change: unknown[] = []) => {
        const node = levels[level]?.[position] ?? new Uint8Array(32);
        const whole = [1n, round.publication, 0, level, position, toHex(node), path(levels, level, position)];
        return [...whole.slice(0, whole.length - change.length), ...change];
      };
      for (const [level, position] of [
        [0, 5],
        [0, 7],
        [1, 3],
      ] as const) {
        await expectRejection(round, 'proveBadVacancy', args(level, position), 'badVacancy', leader.account.address);
      }
      const refuse = (proof: unknown[], what: string) =>
        expectRevert(prove(round, 'proveBadVacancy', proof), 'ProofDoesNotOpen', [what]);
      await refuse(args(0, 4), 'position');
      await refuse(args(1, 2), 'position');
      await refuse(args(0, 8), 'position');
      await refuse(args(3, 0), 'position');
      await refuse(args(255, 1), 'position');
      await refuse(args(0, 5, ['0x']), 'path');
      await refuse(args(0, 5, [toHex(new Uint8Array(32).fill(1)), path(levels, 0, 5)]), 'path');
      await refuse([1n, round.publication, 2, 0, 5, zeroHash, '0x'], 'gramRoot');
      await world.close();
    });
  });

  describe('the Gram matrix', () => {
    /** Five spans: a tree of depth 3 with three vacant leaves. */
    const create = (rule = NNM) => Scene.create({ rule, step: FED_AVG, dimension: 16 * 16 * 4 + 30 });
    const withSpans = (change: (spans: BigInt64Array[]) => void) => (honest: Published, round: PlayedRound) => {
      change(honest.spans);
      honest.gram = new GramLevels(honest.spans, round.rows.length);
      honest.roots.gramRoot = honest.gram.root;
    };
    const withLie = (at: (level: number, position: number) => boolean) => (honest: Published, round: PlayedRound) => {
      const lie = (level: number, position: number, claimed: Uint8Array) =>
        at(level, position) ? sha256(claimed) : claimed;
      honest.gram = new GramLevels(honest.spans, round.rows.length, lie);
      honest.roots.gramRoot = honest.gram.root;
    };

    it('a wrong inner product, a leaf claimed otherwise, a malformed leaf convict; right ones do not (C-82 C-83)', async () => {
      const scene = await create();
      const { world } = scene;
      const round = scene.next();
      await round.contribute();
      for (const [span, first, second, entry] of [
        [0, 0, 0, 0],
        [2, 1, 3, 7],
        [4, 4, 4, 14],
      ] as const) {
        await world.scratch(async () => {
          const lie = withSpans((spans) => {
            spans[span]![entry] = spans[span]![entry]! + 1n;
          });
          const who = (await round.publish(lie)).account.address;
          const proof = [round.gramLeafProof(span, first, second)];
          await expectConviction(round, 'proveBadGramLeaf', proof, 'badGramLeaf', Role.Aggregator, who);
          const other = [round.gramLeafProof(span, 0, 4)];
          await expectRejection(round, 'proveBadGramLeaf', other, 'badGramLeaf', who);
        });
      }
      await world.scratch(async () => {
        const who = (await round.publish(withLie((level, position) => level === 0 && position === 1))).account.address;
        const proof = [round.gramLeafProof(1, 0, 1)];
        await expectConviction(round, 'proveBadGramLeaf', proof, 'badGramLeaf', Role.Aggregator, who);
        await expectRejection(round, 'proveBadGramLeaf', [round.gramLeafProof(0, 0, 1)], 'badGramLeaf', who);
      });
      // Leaves whose matrix or row is something else than a matrix or a row.
      for (const malformed of ['matrix', 'row'] as const) {
        await world.scratch(async () => {
          const odd = Uint8Array.of(0x13, 1, 2, 3);
          let matrix: Uint8Array = odd;
          const leader = await round.publish((honest, { rows }) => {
            const right = matrixPreimages(honest.spans[1]!, rows.length);
            if (malformed === 'row')
              matrix = concatBytes(right.matrix.subarray(0, 33), sha256(odd), right.matrix.subarray(65));
            const leaf = { claimed: sha256(matrix), hash: sha256(concatBytes(Uint8Array.of(0x10), sha256(matrix))) };
            honest.gram = new GramLevels(honest.spans, rows.length, undefined, new Map([[1, leaf]]));
            honest.roots.gramRoot = honest.gram.root;
          });
          const proof = [round.gramLeafProof(1, 1, 2, { matrix: toHex(matrix), row: toHex(odd) })];
          const who = leader.account.address;
          await expectConviction(round, 'proveBadGramLeaf', proof, 'badGramLeaf', Role.Aggregator, who);
        });
      }
      const who = (await round.publish()).account.address;
      for (let span = 0; span < 5; span++) {
        const proof = [round.gramLeafProof(span, span % 5, 4)];
        await expectRejection(round, 'proveBadGramLeaf', proof, 'badGramLeaf', who);
      }
      const proof = round.gramLeafProof(1, 1, 3);
      const refuse = (change: object, what: string) =>
        expectRevert(prove(round, 'proveBadGramLeaf', [{ ...proof, ...change }]), 'ProofDoesNotOpen', [what]);
      await refuse({ span: 5 }, 'span');
      await refuse({ span: 2 }, 'path');
      await refuse({ path: '0x' }, 'path');
      await refuse({ path: flip(proof.path, 5) }, 'path');
      await refuse({ path: flip(proof.path, 70) }, 'path');
      await refuse({ matrix: flip(proof.matrix, 5) }, 'path');
      await refuse({ matrix: '0x' }, 'path');
      await refuse({ row: flip(proof.row, 5) }, 'row');
      await refuse({ row: '0x' }, 'row');
      await refuse({ first: 3, second: 1 }, 'entry');
      await refuse({ second: 5 }, 'entry');
      await refuse({ firstChunks: proof.secondChunks }, 'firstChunks');
      await refuse({ secondChunks: proof.firstChunks }, 'secondChunks');
      await refuse({ secondChunks: proof.secondChunks.slice(0, -2) }, 'secondChunks');
      await refuse({ firstChunks: flip(proof.firstChunks, 8) }, 'firstChunks');
      await expectRevert(prove(round, 'proveBadGramLeaf', [proof], 0n), 'WrongPayment');
      await world.close();
    });

    it('a node that is not the sum of its children convicts; the root’s matrix is nobody’s claim (C-82 C-84)', async () => {
      const scene = await create();
      const { world } = scene;
      const round = scene.next();
      await round.contribute();
      for (const [level, position] of [
        [1, 0],
        [1, 2],
        [2, 1],
      ] as const) {
        await world.scratch(async () => {
          const lie = withLie((l, p) => l === level && p === position);
          const who = (await round.publish(lie)).account.address;
          const proof = [round.gramNodeProof(level, position)];
          await expectConviction(round, 'proveBadGramNode', proof, 'badGramNode', Role.Aggregator, who);
          const other = [round.gramNodeProof(1, 1)];
          await expectRejection(round, 'proveBadGramNode', other, 'badGramNode', who);
        });
      }
      // A sum that leaves 64 bits is no sum.
      await world.scratch(async () => {
        const lie = withSpans((spans) => {
          spans[0]![3] = 2n ** 63n - 1n;
          spans[1]![3] = 1n;
        });
        const who = (await round.publish(lie)).account.address;
        const proof = [round.gramNodeProof(1, 0)];
        await expectConviction(round, 'proveBadGramNode', proof, 'badGramNode', Role.Aggregator, who);
      });
      const who = (await round.publish()).account.address;
      for (const [level, position] of [
        [1, 0],
        [1, 3],
        [2, 0],
        [2, 1],
      ] as const) {
        await expectRejection(round, 'proveBadGramNode', [round.gramNodeProof(level, position)], 'badGramNode', who);
      }
      const proof = round.gramNodeProof(1, 1);
      const refuse = (change: object, what: string) =>
        expectRevert(prove(round, 'proveBadGramNode', [{ ...proof, ...change }]), 'ProofDoesNotOpen', [what]);
      await refuse({ level: 0 }, 'level');
      await refuse({ level: 3, position: 0, path: '0x' }, 'level');
      await refuse({ level: 200 }, 'level');
      await refuse({ position: 4 }, 'position');
      await refuse({ position: 2 }, 'path');
      await refuse({ path: proof.path.slice(0, -2) }, 'path');
      await refuse({ children: proof.children.slice(0, -2) }, 'children');
      await refuse({ children: flip(proof.children, 70) }, 'path');
      await world.close();
    });

    it('what stands beyond the last span convicts, a claimed matrix included (C-86)', async () => {
      const scene = await create();
      const { world } = scene;
      const round = scene.next();
      await round.contribute();
      const args = (level: number, position: number) => {
        const gram = round.published.gram!;
        const node = toHex(gram.nodes[level]![position]!.hash);
        return [1n, round.publication, 2, level, position, node, toHex(gram.path(level, position))];
      };
      await world.scratch(async () => {
        const who = (await round.publish(withLie((l, p) => l === 0 && p === 6))).account.address;
        await expectConviction(round, 'proveBadVacancy', args(0, 6), 'badVacancy', Role.Aggregator, who);
        await expectRejection(round, 'proveBadVacancy', args(0, 5), 'badVacancy', who);
      });
      await world.scratch(async () => {
        const odd = { hash: sha256(Uint8Array.of(1)), claimed: new Uint8Array(32) };
        const leader = await round.publish((honest, { rows }) => {
          const zero = new GramLevels([], rows.length).nodes[0]![0]!;
          const leaves = new Map([[7, { ...odd, claimed: zero.claimed }]]);
          honest.gram = new GramLevels(honest.spans, rows.length, undefined, leaves);
          honest.roots.gramRoot = honest.gram.root;
        });
        const who = leader.account.address;
        await expectConviction(round, 'proveBadVacancy', args(0, 7), 'badVacancy', Role.Aggregator, who);
      });
      const who = (await round.publish()).account.address;
      for (const [level, position] of [
        [0, 5],
        [0, 7],
        [1, 3],
      ] as const) {
        await expectRejection(round, 'proveBadVacancy', args(level, position), 'badVacancy', who);
      }
      for (const [level, position] of [
        [0, 4],
        [1, 2],
        [3, 0],
      ] as const) {
        const refused = prove(round, 'proveBadVacancy', args(level, position));
        await expectRevert(refused, 'ProofDoesNotOpen', ['position']);
      }
      await world.close();
    });

    for (const [name, rule, participants] of [
      ['nearest-neighbour mixing', NNM, 5],
      ['Multi-Krum', KRUM, 6],
      ['arc', parseRule('arc+trimmed-mean', 2), 6],
      ['bucketing', parseRule('bucketing+median', 1), 6],
    ] as const) {
      it(`${name}: another mixing matrix than the rule’s convicts, over one span and over many (C-82 C-85 C-154)`, async () => {
        for (const dimension of [40, 16 * 16 * 2 + 1]) {
          const scene = await Scene.create({ rule, step: FED_AVG, participants, dimension });
          const { world } = scene;
          const round = scene.next();
          await round.contribute();
          await world.scratch(async () => {
            const leader = await round.publish((honest) => {
              const { rows, columns, weights } = honest.mixing!;
              // Another column: a row of the matrix turned by one.
              const first = weights.slice(0, columns);
              const turned = Int32Array.from(weights, (weight, i) =>
                i < columns ? first[(i + 1) % columns]! : weight,
              );
              honest.mixing = { ...honest.mixing!, rows, weights: turned };
              honest.roots.mixingHash = mixingHash(honest.mixing);
            });
            const who = leader.account.address;
            await expectConviction(round, 'proveBadMixing', [round.mixingProof()], 'badMixing', Role.Aggregator, who);
            // The lie itself is not what the rule makes of G.
            const { mixing } = round.coordinateProof(0);
            const own = prove(round, 'proveBadMixing', [round.mixingProof({ mixing })]);
            await expectRevert(own, 'ProofDoesNotOpen', ['mixing']);
          });
          const who = (await round.publish()).account.address;
          const proof = round.mixingProof();
          await expectRejection(round, 'proveBadMixing', [proof], 'badMixing', who);
          const refuse = (change: object, what: string) =>
            expectRevert(prove(round, 'proveBadMixing', [{ ...proof, ...change }]), 'ProofDoesNotOpen', [what]);
          await refuse({ root: flip(proof.root, 0) }, 'root');
          await refuse({ root: flip(proof.root, proof.root.length / 2 - 3) }, 'root');
          await refuse({ root: proof.root.slice(0, -2) }, 'root');
          await refuse({ mixing: proof.mixing.slice(0, -2) }, 'mixing');
          await refuse({ mixing: '0x' }, 'mixing');
          await refuse({ nearest: rule === KRUM ? [] : [1n] }, 'mixing');
          await world.close();
        }
      });
    }

    it('a rule without a Gram matrix is accused of none (C-93)', async () => {
      const [plain, mixed] = [
        await Scene.create({ rule: MEDIAN, step: FED_AVG, participants: 5, dimension: 300 }),
        await Scene.create({ rule: NNM, step: FED_AVG, participants: 5, dimension: 300 }),
      ];
      const round = await plain.honestRound();
      const other = await mixed.honestRound();
      const { reveals, publication } = round;
      const common = { reveals, publication };
      for (const [name, proof] of [
        ['proveBadGramLeaf', other.gramLeafProof(0, 0, 1, common)],
        ['proveBadGramNode', other.gramNodeProof(1, 0, common)],
        ['proveBadMixing', other.mixingProof(common)],
      ] as const) {
        await expectRevert(prove(round, name, [proof]), 'ProofDoesNotOpen', ['gramRoot']);
      }
      await plain.world.close();
      await mixed.world.close();
    });
  });

  it('calldata that is cut short accuses nobody (C-87)', async () => {
    const scene = await Scene.create({ rule: NNM, step: MOMENTUM, dimension: 16 * 16 * 2 + 1 });
    const { world } = scene;
    const round = scene.next();
    await round.contribute();
    await round.publish();
    const client = await world.connection.viem.getPublicClient();
    const account = last(scene).account.address;
    const gram = round.published.gram!;
    const vacancy = [1n, round.publication, 2, 0, 3, toHex(gram.nodes[0]![3]!.hash), toHex(gram.path(0, 3))];
    for (const [functionName, args] of [
      ['proveBadCoordinate', [round.coordinateProof(5, 'state')]],
      ['proveBadCoordinate', [round.coordinateProof(5, 'model')]],
      ['proveBadGramLeaf', [round.gramLeafProof(1, 0, 3)]],
      ['proveBadGramNode', [round.gramNodeProof(1, 0)]],
      ['proveBadMixing', [round.mixingProof()]],
      ['proveBadVacancy', vacancy],
    ] as const) {
      const data = encodeFunctionData({ abi: world.abi, functionName, args: [...args] });
      const call = (bytes: Hex) => client.call({ account, to: world.federation, value: BOND, data: bytes });
      await call(data);
      // Beyond the padding of the last part, in the middle, and right after the selector.
      for (const length of [size(data) - 96, Math.floor(size(data) / 2), 68, 4]) {
        let refused = false;
        await call(slice(data, 0, length)).catch(() => {
          refused = true;
        });
        expect(refused, `${functionName}, ${length} of ${size(data)} bytes`).to.equal(true);
      }
    }
    await world.close();
  });

  describe('copied updates', () => {
    it('the later of two equal roots is void at the price of a missed reveal; the earlier is not (C-92)', async () => {
      const scene = await Scene.create({ rule: MEDIAN, step: FED_AVG, participants: 5, dimension: 40 });
      const { world } = scene;
      const before = await scene.honestRound();
      const round = scene.next();
      const stolen = before.contributions.get(1)!;
      await round.contribute((index, honest) => {
        if (index === 0) return stolen; // of an earlier round
        return index === 3 ? round.contributions.get(2)! : honest; // of the same round
      });
      const position = (of: PlayedRound, index: number) =>
        BigInt(of.reveals.findIndex((revealed) => revealed.index === index));
      const send = (args: unknown[]) => world.send(last(scene), 'voidCopiedUpdate', args);
      const [two, three] = [position(round, 2), position(round, 3)];
      const [original, copy] = two < three ? [two, three] : [three, two];
      const within = [2n, round.reveals, copy, 2n, [], original];
      const across = [2n, round.reveals, position(round, 0), 1n, before.reveals, position(before, 1)];
      const refuse = (args: unknown[], error: string) => expectRevert(send(args), error);
      await refuse([2n, round.reveals, original, 2n, [], copy], 'NotACopy');
      await refuse([2n, round.reveals, copy, 2n, [], copy], 'NotACopy');
      await refuse([2n, round.reveals, copy, 2n, [], position(round, 1)], 'NotACopy');
      await refuse([2n, round.reveals, position(round, 0), 1n, before.reveals, 0n + position(before, 2)], 'NotACopy');
      await refuse([2n, round.reveals, position(round, 0), 1n, before.reveals, 5n], 'NotACopy');
      await refuse([2n, round.reveals, position(round, 0), 0n, [], 0n], 'NotACopy');
      await refuse([2n, round.reveals, position(round, 0), 3n, [], 0n], 'NotACopy');
      await refuse([2n, round.reveals, position(round, 0), 1n, before.reveals.slice(1), 0n], 'WrongReveals');
      await refuse([1n, before.reveals, 1n, 1n, [], 0n], 'NotACopy');
      for (const args of [within, across]) {
        const index = round.reveals[Number(args[2])]!.index;
        await world.scratch(async () => {
          const receipt = await send(args);
          const slashed = world.event(receipt, 'Slashed');
          const { address } = world.participant(index).account;
          expect(slashed.account).to.equal(getAddress(address));
          const penalty = baseParameters.missedRevealPenalty;
          expect([slashed.amount, slashed.burned, slashed.reward]).to.deep.equal([penalty, penalty, 0n]);
          const { stake } = await world.participantOf(world.participant(index));
          expect(stake).to.equal(baseParameters.participantStake - penalty);
          expect((await world.round(2)).voidedBitmap).to.equal(1n << BigInt(index));
          await refuse(args, 'SubmissionAlreadyVoided');
        });
      }
      await round.publish();
      await refuse(within, 'WrongPhase');
      await world.close();
    });
  });
});
