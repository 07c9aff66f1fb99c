/** Rules and server steps on a chain: what an aggregator publishes by them, an auditor finds again to the bit. */
import { expect } from 'chai';
import { statePayloadLength } from '../../protocol/aggregation/serverStep.ts';
import { parseEvidence } from '../../protocol/round/evidence.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { startAggregator, startParticipant } from './support/inProcess.ts';
import { type FederationWish, SLOW_MACHINE_MS, useWorld, type World } from './support/world.ts';

describe('scenario: rules and server steps of every kind', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  /** A federation from its first round to its last, with two aggregators who take turns. */
  async function play(wish: FederationWish) {
    const fed = await world.federation({ rounds: 3, participants: 4, ...wish });
    const aggregators = [await startAggregator(world, fed), await startAggregator(world, fed)];
    for (let i = 0; i < (wish.participants ?? 4); i++) await startParticipant(world, fed);
    await Promise.all(aggregators.map((aggregator) => aggregator.waitFor('ended')));
    const last = await fed.federation.round(wish.rounds ?? 3);
    const { evidenceCid, stateRoot } = await fed.federation.locateModel(last.modelRoot);
    const { store } = aggregators[last.number % 2 === 1 ? 0 : 1]!.payloads;
    const evidence = parseEvidence(await store.readAll(evidenceCid!));
    return { fed, store, evidence, stateRoot, report: await world.audit(fed) };
  }

  it('FedAdam: three planes of state travel from round to round, and are replayed', async () => {
    const { fed, store, evidence, stateRoot, report } = await play({
      rule: 'nnm+trimmed-mean',
      byzantine: 1,
      server: 'fedAdam',
      serverLearningRate: 0.02,
      serverMomentum: 0.9,
      serverSecondMoment: 0.95,
      serverAdaptivity: 0.002,
    });
    expect(fed.federation.parameters.serverStep).to.deep.equal({
      optimizer: 'fedAdam',
      learningRateQ16: 1311,
      momentumQ16: 58_982,
      secondMomentQ16: 62_259,
      adaptivity: 33_554,
    });
    expect(report.findings).to.deep.equal([]);
    expect(report.rounds.map(({ verified }) => verified)).to.deep.equal(['replayed', 'replayed', 'replayed']);
    expect(evidence.stateRoot).to.equal(stateRoot);
    const { parameters } = fed.federation;
    const state = await store.readAll(evidence.stateCid!);
    expect(state).to.have.length(statePayloadLength(layoutOf(parameters), parameters.serverStep));
    expect(new Int32Array(state.slice().buffer).some((plane) => plane !== 0)).to.equal(true);
  });

  /** Everything that a rule may depend on besides the Gram matrix, in federations that are audited only. */
  const AUDITED: Record<string, FederationWish> = {
    'stages after one another, with FedYogi': {
      rule: 'arc+nnm+trimmed-mean',
      server: 'fedYogi',
      byzantine: 1,
      rounds: 2,
    },
    'buckets by the seed of each round': { rule: 'arc+bucketing+trimmed-mean', bucketSize: 2, rounds: 2 },
    'a history row from the round before': { rule: 'bucketing+centered-clipping', clipRadius: 0.05 },
    'signs, with FedAdagrad': { rule: 'signguard', server: 'fedAdagrad', rounds: 1 },
    'the row of one participant': { rule: 'fltrust', reference: 2, rounds: 1 },
  };
  for (const [what, wish] of Object.entries(AUDITED)) {
    it(`${what}: ${wish.rule} audits clean`, async () => {
      const { fed, evidence, report } = await play({ ...wish, auditOnly: true });
      expect(fed.federation.parameters.enforced).to.equal(false);
      expect(report.findings).to.deep.equal([]);
      expect(report.rounds.map(({ verified }) => verified)).to.deep.equal(new Array(wish.rounds ?? 3).fill('replayed'));
      expect(evidence.mixing!.weights.some((weight) => weight !== 0)).to.equal(true);
    });
  }
});
