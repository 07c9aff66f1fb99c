/**
 * Rules that the contract can judge, and rules that only auditors can: a federation says at its creation which of the two
 * it is, and what that means for every proof.
 */
import { expect } from 'chai';
import { type Hex, toHex, zeroHash } from 'viem';
import { fromRule, fromServerStep } from '../../chain/convert.ts';
import { mixingHash } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { isEnforceable, parseRule, type RuleOptions } from '../../protocol/aggregation/rule.ts';
import { FED_AVG } from '../../protocol/aggregation/serverStep.ts';
import { commitModel } from '../../protocol/commitment/merkle.ts';
import { concatBytes } from '../../protocol/encoding/bytes.ts';
import { Kind, RealWorld } from './support/asking.ts';
import { GramLevels, packTriangle, Randomness } from './support/openings.ts';
import { type PlayedRound, rootSumOpening, Scene } from './support/scene.ts';
import { baseParameters, expectRevert, Phase, World } from './support/world.ts';

const NNM = parseRule('nnm+trimmed-mean', 1);

describe('a federation that is enforced', () => {
  let world: World;
  before(async () => {
    world = await World.create({ participants: 0, aggregators: 0 });
  });
  after(() => world.close());

  /** A name, what it leaves open, and whether the contract can judge the rule. */
  const rules: readonly (readonly [name: string, enforceable: boolean, options?: RuleOptions])[] = [
    ['fedavg', true],
    ['median', true],
    ['trimmed-mean', true],
    ['meamed', true],
    ['krum', true],
    ['multi-krum', true],
    ['nnm+fedavg', true],
    ['nnm+meamed', true],
    ['arc+trimmed-mean', true],
    ['bucketing+median', true, { bucketSize: 2 }],
    ['arc+nnm+trimmed-mean', false],
    ['bucketing+krum', false, { bucketSize: 2 }],
    ['nnm+geometric-median', false],
    ['geometric-median', false],
    ['centered-clipping', false, { radius: 1000n }],
    ['mda', false],
    ['monna', false, { reference: 2 }],
    ['caf', false],
    ['foolsgold', false],
    ['signguard', false],
    ['fltrust', false, { reference: 1 }],
    ['bulyan', false],
  ];
  for (const [name, enforceable, options] of rules) {
    it(`C-151: ${enforceable ? 'takes' : 'refuses'} ${name}, which ${enforceable ? 'has its proofs' : 'auditors can still have'}`, async () => {
      const rule = parseRule(name, 1, options);
      expect(isEnforceable(rule)).to.equal(enforceable);
      const parameters = { rule: fromRule(rule), minParticipants: 10, minUpdates: 10 };
      if (enforceable) await world.createFederation({ ...parameters, enforced: true });
      else {
        const { preAggregations, combine } = fromRule(rule);
        const refused = world.requestFederation({ ...parameters, enforced: true });
        await expectRevert(refused, 'RuleNotEnforceable', [preAggregations, combine]);
      }
      const federation = await world.createFederation({ ...parameters, enforced: false });
      const client = await world.connection.viem.getPublicClient();
      const read = (await client.readContract({
        address: federation,
        abi: world.abi,
        functionName: 'parameters',
      })) as { enforced: boolean; rule: object };
      expect([read.enforced, read.rule]).to.deep.equal([false, fromRule(rule)]);
    });
  }
});

describe('a federation that is audited only', () => {
  it('C-150: convicts nobody by its rule, and takes no bond for trying', async () => {
    // Five spans: a Gram tree with inner nodes and vacancies.
    const parameters = { enforced: false };
    const scene = await Scene.create({ rule: NNM, step: FED_AVG, dimension: 16 * 16 * 4 + 30, parameters });
    const { world, layout } = scene;
    const round = scene.next();
    await round.contribute((index, honest) => (index === 1 ? { ...honest, normSq: honest.normSq + 1n } : honest));
    const leader = await round.publish((published) => {
      published.model = published.model.map((value, k) => (k === 3 ? value + 1 : value));
      published.roots.modelRoot = commitModel(published.model, layout);
      published.spans[0]![0] = published.spans[0]![0]! + 1n;
      published.gram = new GramLevels(published.spans, round.rows.length);
      published.roots.gramRoot = published.gram.root;
      published.mixing = { ...published.mixing!, denominator: 3 };
      published.roots.mixingHash = mixingHash(published.mixing);
    });
    const vacancy = [1n, round.publication, 2, 0, 5, zeroHash, toHex(round.published.gram!.path(0, 5))];
    for (const [name, args] of [
      ['proveBadCoordinate', [round.coordinateProof(3)]],
      ['proveBadGramLeaf', [round.gramLeafProof(0, 0, 0)]],
      ['proveBadGramNode', [round.gramNodeProof(1, 0)]],
      ['proveBadMixing', [round.mixingProof()]],
      ['proveBadVacancy', vacancy],
    ] as [string, unknown[]][]) {
      await expectRevert(prove(round, name, args), 'NotEnforced', []);
    }
    expect(await world.phase(1)).to.equal(Phase.Challenge);
    expect(await world.read('aggregator', [leader.account.address]))
      .to.have.property('stake')
      .that.is.not.equal(0n);
    await world.close();
  });

  it('C-150: still convicts whoever lies about a norm, and whoever has something beyond the last chunk', async () => {
    const parameters = { enforced: false };
    const scene = await Scene.create({ rule: NNM, step: FED_AVG, dimension: 40, parameters });
    const { world } = scene;
    const round = scene.next();
    await round.contribute((index, honest) => (index === 2 ? { ...honest, normSq: honest.normSq - 7n } : honest));
    await round.publish();
    const receipt = await prove(round, 'proveBadSum', [
      1n,
      round.reveals,
      BigInt(round.reveals.findIndex((revealed) => revealed.index === 2)),
      rootSumOpening(scene.layout, round.contributions.get(2)!),
    ]);
    expect(world.eventNames(receipt)).to.include('Slashed');
    await world.close();
  });

  it('C-155: a span of a Gram matrix with a history row is asked for and answered with all its rows', async () => {
    const rule = parseRule('centered-clipping', 1, { radius: 1000n });
    const parameters = { enforced: false, rule: fromRule(rule), serverStep: fromServerStep(FED_AVG) };
    const real = await RealWorld.create({ parameters });
    const { world } = real;
    await real.contribute(1);
    const rows = 5; // four updates, and what the model did last
    const random = new Randomness(4);
    const spans = Array.from({ length: Math.ceil(real.layout.chunkCount / 16) }, () =>
      BigInt64Array.from({ length: (rows * (rows + 1)) / 2 }, () => BigInt(random.between(-1e9, 1e9))),
    );
    const gram = new GramLevels(spans, rows);
    const publication = { ...(await world.publication(1)), gramRoot: gram.root, stateRoot: zeroHash as Hex };
    await world.send(await world.leader(1), 'publishRound', [1n, publication]);
    const bond = (await world.read('availabilityBond', [Kind.Gram, 1n])) as bigint;
    const { id } = await real.ask(world.wallets[9]!, { kind: Kind.Gram, round: 1, chunk: 2, publication }, bond);
    const whole = concatBytes(packTriangle(gram.matrices[0]![2]!), gram.path(0, 2));
    const four = new GramLevels(
      spans.map((span) => span.slice(0, 10)),
      4,
    );
    const part = concatBytes(packTriangle(four.matrices[0]![2]!), four.path(0, 2));
    await expectRevert(real.answer(world.wallets[8]!, id, part), 'ProofDoesNotOpen', ['opening']);
    await real.answer(world.wallets[8]!, id, whole);
    await world.close();
  });
});

const prove = ({ scene }: PlayedRound, name: string, args: unknown[]) =>
  scene.world.send(scene.world.wallets[39]!, name, args, baseParameters.proofBond);
