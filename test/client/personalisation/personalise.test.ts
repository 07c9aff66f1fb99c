import { expect } from 'chai';
import { takeRows } from '../../../client/datasets/dataset.ts';
import { PERSONAL, personalise } from '../../../client/personalisation/personalise.ts';
import {
  checkPersonalisation,
  type Personalisation,
  parsePersonalisation,
} from '../../../client/personalisation/settings.ts';
import { createTrainer } from '../../../client/training/createTrainer.ts';
import { createEngine } from '../../../client/training/tfjs/engine.ts';
import type { LocalMemory } from '../../../client/training/trainer.ts';
import { expectError } from '../support/expectError.ts';
import { clouds, smallManifest } from '../support/smallFederation.ts';

const manifest = smallManifest();
/** Two of three classes, and with their names swapped: what nobody else has. */
const own = (size: number, seed: string) => {
  const all = clouds(size, seed);
  const rows = Array.from({ length: size }, (_, row) => row).filter((row) => all.y[row] !== 2);
  const mine = takeRows(all, rows);
  return { ...mine, y: mine.y.map((label) => 1 - label) };
};
const settings = (more: Partial<Personalisation> & Pick<Personalisation, 'method'>): Personalisation => ({
  epochs: 1,
  strength: 0.1,
  ...more,
});

describe('client personalisation', () => {
  it('is written as a method, with settings behind a question mark', async () => {
    expect(parsePersonalisation('fine-tuning')).to.deep.equal({ method: 'fine-tuning', epochs: 1, strength: 0.1 });
    expect(parsePersonalisation('ditto?strength=0.5&epochs=3&learningRate=0.01')).to.deep.equal({
      method: 'ditto',
      epochs: 3,
      strength: 0.5,
      learningRate: 0.01,
    });
    for (const text of [
      '',
      'magic',
      'ditto?strength=0',
      'ditto?colour=1',
      'fine-tuning?epochs=1.5',
      'ditto?strength=x',
    ]) {
      await expectError(() => parsePersonalisation(text), 'PERSONALISATION');
    }
  });

  it('starts only from what the federation trains', async () => {
    const { training } = manifest;
    for (const method of ['fedper', 'fedrep', 'per-fedavg', 'reptile'] as const) {
      await expectError(() => checkPersonalisation({ method }, training), 'PERSONALISATION', /fine-tuning or ditto/);
    }
    checkPersonalisation({ method: 'fedrep' }, { ...training, personal: { kind: 'fedrep' } });
    checkPersonalisation({ method: 'reptile' }, { ...training, algorithm: { kind: 'reptile' } });
    await expectError(
      () => checkPersonalisation({ method: 'fedper' }, { ...training, personal: { kind: 'fedrep' } }),
      'PERSONALISATION',
      /Received: training.personal of kind fedrep/,
    );
  });

  it('serves a participant that the federation does not', async () => {
    const engine = await createEngine(manifest);
    const task = { round: 1, seed: 's' };
    let weights = engine.init('shared');
    for (let round = 1; round <= 3; round++)
      weights = engine.train(clouds(200, 'all'), { ...task, weights, round }).weights;
    const [train, test] = [own(200, 'mine'), own(200, 'held out')];
    expect(engine.evaluate(test, weights).accuracy).to.be.below(0.2);
    for (const method of ['fine-tuning', 'ditto'] as const) {
      const made = personalise(engine, manifest, train, {
        ...task,
        settings: settings({ method, epochs: 6 }),
        weights,
      });
      expect(engine.local.evaluate(test, made.weights).accuracy, method).to.be.above(0.9);
    }
  });

  it('ditto goes on from round to round, held to the federation as strongly as asked', async () => {
    const engine = await createEngine(manifest);
    const weights = engine.init('ditto');
    const train = own(100, 'mine');
    const distance = (whole: Float32Array) => Math.hypot(...whole.map((w, k) => w - weights[k]!));
    const runRounds = (strength: number): { far: number; memory: LocalMemory } => {
      let memory: LocalMemory = {};
      let far = 0;
      for (let round = 1; round <= 4; round++) {
        const task = { settings: settings({ method: 'ditto', strength }), weights, memory, round, seed: 's' };
        const made = personalise(engine, manifest, train, task);
        expect(made.memory[PERSONAL]).to.deep.equal(made.weights);
        ({ memory } = made);
        far = distance(made.weights);
      }
      return { far, memory };
    };
    const loose = runRounds(0.001);
    const tight = runRounds(2);
    expect(tight.far).to.be.below(loose.far / 2);
    const fresh = personalise(engine, manifest, train, {
      settings: settings({ method: 'ditto', strength: 0.001 }),
      weights,
      round: 4,
      seed: 's',
    });
    expect(distance(fresh.weights), 'from its own model, not from the federation').to.be.below(loose.far);
  });

  it("is made in the trainer's thread, and measured before and after", async () => {
    const trainer = createTrainer({ manifest, train: own(100, 'mine'), test: own(100, 'held out') });
    try {
      const weights = await trainer.init('thread');
      const made = await trainer.personalise!({
        settings: settings({ method: 'fine-tuning', epochs: 4 }),
        weights,
        round: 1,
        seed: 's',
      });
      expect(made.after!.accuracy).to.be.above(made.before!.accuracy);
      expect(made.weights).to.have.length(67);
    } finally {
      await trainer.close();
    }
  });
});
