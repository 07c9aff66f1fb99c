/** The numpy example: the same step as the built-in engine's, through the contract. */
import { expect } from 'chai';
import { describeModel } from '../../client/models/registry.ts';
import { createTrainer } from '../../client/training/createTrainer.ts';
import { ExternalTrainer, type TrainerMode } from '../../client/training/external/externalTrainer.ts';
import type { Trainer } from '../../client/training/trainer.ts';
import { clouds, smallManifest } from '../client/support/smallFederation.ts';
import { example, largestDifference, needPython, pythonCommand } from './python.ts';

describe('numpy trainer', function () {
  this.timeout(60_000);
  let python: string;
  const open: Trainer[] = [];
  before(function () {
    python = needPython(this, 'numpy');
  });
  after(async () => {
    for (const trainer of open) await trainer.close();
  });

  const train = clouds(200, 'numpy');
  const test = clouds(100, 'numpy test');

  function external(manifest = smallManifest(), mode: TrainerMode = 'persistent'): ExternalTrainer {
    const command = pythonCommand(python, example('numpy_trainer.py'));
    const trainer = new ExternalTrainer({ manifest: { ...manifest, engine: 'trainer/1' }, command, mode, train, test });
    open.push(trainer);
    return trainer;
  }

  for (const mode of ['persistent', 'folder'] as const) {
    it(`makes the step of the built-in engine: ${mode}`, async () => {
      for (const [activation, hidden] of [
        ['relu', [8]],
        ['tanh', [8, 5]],
        ['sigmoid', []],
      ] as const) {
        const model = { kind: 'mlp', inputs: 4, hidden: [...hidden], classes: 3, activation };
        // Every sample in one batch: then no order of samples can differ.
        const manifest = {
          ...smallManifest({ batchSize: 200, localEpochs: 3 }),
          model,
          tensors: describeModel(model).tensors.map(({ name, shape }) => ({ name, shape: [...shape] })),
        };
        const builtIn = createTrainer({ manifest, train, test });
        open.push(builtIn);
        const weights = await builtIn.init('numpy');
        const expected = await builtIn.train({ weights, round: 1, seed: 's' });
        const numpy = external(manifest, mode);
        const result = await numpy.train({ weights, round: 1, seed: 's' });
        expect(largestDifference(result.weights, expected.weights), activation).to.be.below(2e-6);
        expect(largestDifference(result.weights, weights), 'it moved').to.be.above(1e-2);
        expect(result).to.include({ samples: 200, steps: 3 });
        expect(result.loss).to.be.closeTo(expected.loss, 1e-5);
        const [ours, theirs] = [
          await builtIn.evaluate({ weights: result.weights }),
          await numpy.evaluate({ weights: result.weights }),
        ];
        expect(theirs.samples).to.equal(100);
        expect(theirs.loss).to.be.closeTo(ours.loss, 1e-5);
        expect(theirs.accuracy).to.equal(ours.accuracy);
      }
    });
  }

  it('gives the same bits for a seed, others for another, and learns', async () => {
    const trainer = external();
    const weights = await trainer.init('seed');
    const once = await trainer.train({ weights, round: 1, seed: 's' });
    const again = await external().train({ weights, round: 1, seed: 's' });
    const other = await trainer.train({ weights, round: 2, seed: 's' });
    expect(again.weights).to.deep.equal(once.weights);
    expect(other.weights).not.to.deep.equal(once.weights);
    const [before, after] = [await trainer.evaluate({ weights }), await trainer.evaluate({ weights: once.weights })];
    expect(after.accuracy).to.be.above(before.accuracy).and.above(0.9);
  });

  it("does this device's own number of steps", async () => {
    const trainer = external(smallManifest({ algorithm: { kind: 'fedprox', proximal: 0.1 } }));
    const weights = await trainer.init('steps');
    const { steps } = await trainer.train({ weights, round: 1, seed: 's', localSteps: 5 });
    expect(steps).to.equal(5);
  });
});
