import { expect } from 'chai';
import { isLone } from '../../../client/attacks/attack.ts';
import { attacks } from '../../../client/attacks/registry.ts';
import { simulateCell } from '../../../client/simulation/simulateCell.ts';
import { clouds } from '../support/smallFederation.ts';
import { smallCell } from './support.ts';

const data = { train: clouds(400, 'train'), test: clouds(200, 'test') };
const run = (more: Record<string, unknown>) => simulateCell(smallCell(more), data);

describe('client simulation: one run', function () {
  this.timeout(60_000);

  it('every attack runs, with the knowledge of a real node those that can', async () => {
    for (const attack of attacks) {
      const { name } = attack;
      const omniscient = await run({ attacks: [name], rounds: 2 });
      expect(omniscient.leftOut, name).to.have.length(5);
      if (!isLone(attack)) continue;
      const lone = await run({ attacks: [name], rounds: 2, view: 'lone' });
      expect(lone.accuracy, name).to.have.length(2);
    }
  });

  it('the same cell gives the same bits again', async () => {
    for (const name of ['gaussian', 'searchedALittleIsEnough', 'freeRider']) {
      expect(await run({ attacks: [name] }), name).to.deep.equal(await run({ attacks: [name] }));
    }
  });

  it('what an attack does shows in the model', async () => {
    const honest = await run({});
    const roots = new Set([honest.modelRoot]);
    for (const name of ['signFlipping', 'minMax', 'mimic', 'labelFlipping', 'searchedALittleIsEnough']) {
      roots.add((await run({ attacks: [name], rules: ['fedavg'] })).modelRoot);
    }
    expect(roots.size).to.equal(6);
  });

  it('what the contract would not count is left out: copies from the second round on, norms above the bound', async () => {
    expect(await run({ attacks: ['copycat'] })).to.include({ refused: 4, abandoned: 0 });
    expect(await run({ attacks: ['overflow'], normBound: 1 })).to.include({ refused: 6, attackerShare: null });
    expect(await run({ attacks: ['overflow'] }), 'without a bound').to.include({ refused: 0 });
    const ruined = await run({ attacks: ['overflow'], rules: ['fedavg'] });
    const bounded = await run({ attacks: ['overflow'], rules: ['fedavg'], normBound: 1 });
    expect(ruined.finalAccuracy).to.be.below(bounded.finalAccuracy - 0.3);
  });

  it('a round with too few updates for the rule is abandoned, and the model stays', async () => {
    // Krum with f = 2 needs seven.
    const result = await run({ rules: ['krum'], attacks: ['overflow'], normBound: 1 });
    expect(result).to.include({ abandoned: 3, refused: 6 });
    const start = await run({ rules: ['krum'], attacks: ['overflow'], normBound: 1, rounds: 1 });
    expect(result.modelRoot).to.equal(start.modelRoot);
  });

  it('a backdoor works under plain averaging when its share is scaled up, and is measured', async () => {
    const settings = { rules: ['fedavg'], rounds: 12, seeds: [3] };
    const clean = await run(settings);
    const replaced = await run({ ...settings, attacks: ['scaledModelReplacement'] });
    expect(clean.backdoorSuccess).to.be.below(0.5);
    expect(replaced.backdoorSuccess).to.be.above(clean.backdoorSuccess! + 0.3);
  });

  it('takes part in turns: with perRound fewer than there are, every one now and then', async () => {
    const result = await run({ participants: 30, perRound: 7, rounds: 20, byzantine: 2, evaluateEvery: 10 });
    expect(result.accuracy.map(({ round }) => round)).to.deep.equal([10, 20]);
    expect(result.share.filter((share) => share > 0).length).to.be.above(24);
  });

  it('takes the server steps with moments', async () => {
    const server = { optimizer: 'fedAdam', learningRate: 0.1, momentum: 0.9, secondMoment: 0.99, adaptivity: 0.001 };
    const adam = await run({ server, rounds: 12 });
    expect(adam.finalAccuracy).to.be.above(0.8);
    expect(adam.modelRoot).to.not.equal((await run({ rounds: 12 })).modelRoot);
  });

  it('every algorithm runs, each with a model of its own; equal devices make fednova fedavg', async () => {
    const training = { localSteps: 4, batchSize: 8, learningRate: 0.1 };
    const settings = { training, byzantine: 0, rules: ['fedavg'], alphas: [0.3], hidden: [4] };
    const roots = new Map<string, string>();
    for (const algorithm of [
      { kind: 'fedavg' },
      { kind: 'fedprox', proximal: 0.5 },
      { kind: 'scaffold' },
      { kind: 'per-fedavg', innerLearningRate: 0.1 },
    ]) {
      roots.set(algorithm.kind, (await run({ ...settings, algorithms: [algorithm] })).modelRoot);
    }
    expect(new Set(roots.values()).size).to.equal(4);
    const fednova = [{ kind: 'fednova', referenceSteps: 4 }];
    expect((await run({ ...settings, algorithms: fednova })).modelRoot).to.equal(roots.get('fedavg'));
    const unequal = { ...settings, training: { ...training, deviceSteps: [2, 9] }, algorithms: fednova };
    expect((await run(unequal)).modelRoot).to.not.equal(roots.get('fedavg'));
    expect((await run({ ...settings })).modelRoot, 'the default').to.equal(roots.get('fedavg'));
  });

  it('scaffold remembers from round to round, and goes with attackers', async () => {
    const training = { localSteps: 4, batchSize: 8, learningRate: 0.1 };
    const settings = { training, attacks: ['signFlipping'], alphas: [0.3], rounds: 8, algorithms: ['scaffold'] };
    const result = await run(settings);
    expect(result.finalAccuracy).to.be.above(0.6);
    expect(await run(settings)).to.deep.equal(result);
    // In the first round there is nothing to correct with.
    const one = { ...settings, rounds: 1 };
    expect((await run(one)).modelRoot).to.equal((await run({ ...one, algorithms: ['fedavg'] })).modelRoot);
  });

  it('measures personal models on samples that were kept from training, of the honest only', async () => {
    const settings = {
      alphas: [0.3],
      hidden: [4],
      attacks: ['signFlipping'],
      heldOutPerParticipant: 0.25,
      personalisation: ['fine-tuning', { method: 'ditto', epochs: 2, strength: 0.5 }, 'fedper', 'fedrep'],
    };
    const shared = await run(settings);
    expect(shared.participants!.map(({ index }) => index)).to.deep.equal([0, 1, 2, 3, 4]);
    for (const { samples, heldOut, personal, shared: accuracy } of shared.participants!) {
      expect(heldOut / (samples + heldOut)).to.be.within(0.1, 0.4);
      expect(personal).to.have.all.keys('fine-tuning', 'ditto');
      for (const value of [accuracy, ...Object.values(personal)]) expect(value).to.be.within(0, 1);
    }
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(shared.participants!.map(({ personal }) => personal.ditto!))).to.be.above(
      mean(shared.participants!.map((each) => each.shared!)),
    );
    const heads = await run({ ...settings, rounds: 8, algorithms: ['fedper'] });
    expect(heads.finalAccuracy, 'heads learn from round to round').to.be.above(0.7);
    expect(heads.participants![0]!.personal).to.have.all.keys('fine-tuning', 'ditto', 'fedper');
    expect(heads.backdoorSuccess, 'without a head nothing is predicted').to.equal(null);
    // With the own head and without training, fedper is the federation's model as its participants use it.
    expect(heads.participants!.map(({ personal }) => personal.fedper)).to.deep.equal(
      heads.participants!.map((each) => each.shared),
    );
    expect(heads.finalAccuracy).to.be.closeTo(mean(heads.participants!.map((each) => each.shared!)), 1e-12);
  });

  it('krum leaves all but one out of every round, plain averaging nobody', async () => {
    const krum = await run({ rules: ['krum'], byzantine: 1 });
    expect(krum.leftOut.reduce((sum, part) => sum + part, 0)).to.be.closeTo(6, 1e-9);
    expect(krum.share.reduce((sum, part) => sum + part, 0)).to.be.closeTo(7, 1e-9);
    const { leftOut, share } = await run({ rules: ['fedavg'] });
    expect(leftOut).to.deep.equal(new Array(7).fill(0));
    expect(share).to.deep.equal(new Array(7).fill(1));
  });
});
