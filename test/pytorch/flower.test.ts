/** A Flower ClientApp, unchanged, inside the contract. */
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { describeModel } from '../../client/models/registry.ts';
import { ExternalTrainer } from '../../client/training/external/externalTrainer.ts';
import type { TrainingManifest } from '../../client/training/trainer.ts';
import { expectError } from '../client/support/expectError.ts';
import { smallManifest } from '../client/support/smallFederation.ts';
import { example, largestDifference, needPython, pythonCommand } from './python.ts';

const APPS = fileURLToPath(new URL('./apps', import.meta.url));

describe('Flower ClientApp', function () {
  this.timeout(120_000);
  let python: string;
  const open: ExternalTrainer[] = [];
  let log: string[] = [];
  before(function () {
    python = needPython(this, 'flwr', 'numpy');
  });
  afterEach(async () => {
    log = [];
    for (const trainer of open.splice(0)) await trainer.close();
  });

  const model = { kind: 'mlp', inputs: 4, hidden: [], classes: 3, activation: 'relu' };
  const tensors = describeModel(model).tensors.map(({ name, shape }) => ({ name, shape: [...shape] }));
  const manifest: TrainingManifest = { ...smallManifest(), model, tensors, engine: 'trainer/1' };

  function start(...config: string[]): ExternalTrainer {
    const trainer = new ExternalTrainer({
      manifest,
      command: pythonCommand(python, example('flower_shim.py'), 'flower_app:app', ...config),
      mode: 'persistent',
      environment: { ...process.env, PYTHONPATH: APPS },
      onLog: (line) => log.push(line),
    });
    open.push(trainer);
    return trainer;
  }

  it('trains, keeps its state from round to round, and is measured', async () => {
    const trainer = start('local-epochs=20');
    let weights = await trainer.init('flower');
    const before = await trainer.evaluate({ weights });
    expect(before.samples).to.equal(90);
    const losses = [before.loss];
    for (const round of [1, 2]) {
      const result = await trainer.train({ weights, round, seed: 's' });
      expect(result.samples).to.equal(90);
      weights = result.weights;
      losses.push((await trainer.evaluate({ weights })).loss);
    }
    expect(losses[1]!).to.be.below(losses[0]!);
    expect(losses[2]!).to.be.below(losses[1]!);
    expect(log.filter((line) => line.includes('asked'))).to.deep.equal([
      'flower_shim.py: round 1 asked 1 times',
      'flower_shim.py: round 2 asked 2 times',
    ]);
  });

  it('may answer with a list of arrays in the order it was given', async () => {
    const [named, listed] = [start('local-epochs=3'), start('local-epochs=3', 'as-list=true')];
    const weights = await named.init('flower');
    const [one, other] = await Promise.all(
      [named, listed].map((trainer) => trainer.train({ weights, round: 1, seed: 's' })),
    );
    expect(other!.weights).to.deep.equal(one!.weights);
    expect(largestDifference(one!.weights, weights)).to.be.above(1e-3);
  });

  it('says what went wrong inside the app', async () => {
    const trainer = start();
    const weights = await trainer.init('flower');
    await expectError(
      () => trainer.train({ weights, round: 1, seed: 's' }),
      'TRAINER_FAILED',
      /KeyError: 'local-epochs'/,
    );
  });
});
