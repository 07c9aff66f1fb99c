import { expect } from 'chai';
import { describeModel } from '../../../client/models/registry.ts';
import { loadTensorFlow } from '../../../client/training/tfjs/backend.ts';
import { createEngine } from '../../../client/training/tfjs/engine.ts';
import { checkFinite } from '../../../client/update/checkFinite.ts';
import { expectError } from '../support/expectError.ts';
import { trainReference } from '../support/referenceMlp.ts';
import { clouds, smallManifest } from '../support/smallFederation.ts';

const data = clouds(200, 'engine');

describe('client engine', () => {
  for (const activation of ['relu', 'tanh', 'sigmoid']) {
    for (const hidden of [[], [8], [70, 5]]) {
      it(`trains as the equations say: ${activation}, hidden layers ${JSON.stringify(hidden)}`, async () => {
        const model = { kind: 'mlp', inputs: 4, hidden, classes: 3, activation };
        const tensors = describeModel(model).tensors.map(({ name, shape }) => ({ name, shape: [...shape] }));
        for (const momentum of [0, 0.9]) {
          const manifest = { ...smallManifest({ momentum, learningRate: 0.05, batchSize: 24 }), model, tensors };
          const engine = await createEngine(manifest);
          const start = engine.init('start');
          const trained = engine.train(data, { weights: start, round: 7, seed: 's' });
          const expected = trainReference(manifest, data, start, 7, 's');
          expect(trained.loss).to.be.closeTo(expected.loss, 1e-5);
          let farthest = 0;
          trained.weights.forEach((weight, i) => {
            farthest = Math.max(farthest, Math.abs(weight - expected.weights[i]!));
          });
          expect(farthest).to.be.below(2e-5);
          expect(Math.max(...trained.weights.map((weight, i) => Math.abs(weight - start[i]!)))).to.be.above(0.01);
        }
      });
    }
  }

  it('learns: high accuracy on samples it has not seen, progress after each epoch', async () => {
    const engine = await createEngine(smallManifest());
    const seen: number[] = [];
    const weights = engine.init('learn');
    const before = engine.evaluate(clouds(300, 'unseen'), weights);
    const copy = weights.slice();
    const result = engine.train(data, {
      weights,
      round: 1,
      seed: 's',
      onProgress: ({ epoch, epochs, loss, accuracy }) => {
        expect(epochs).to.equal(3);
        expect(loss).to.be.above(0);
        expect(accuracy).to.be.within(0, 1);
        seen.push(epoch);
      },
    });
    const after = engine.evaluate(clouds(300, 'unseen'), result.weights);
    expect(seen).to.deep.equal([1, 2, 3]);
    expect(result.samples).to.equal(200);
    expect(after.samples).to.equal(300);
    expect(after.accuracy).to.be.above(0.93).and.above(before.accuracy);
    expect(after.loss).to.be.below(before.loss);
    expect([...weights]).to.deep.equal([...copy]);
  });

  it('is bit-equal for the same task and other for another seed or round', async () => {
    const engine = await createEngine(smallManifest());
    const weights = engine.init('bits');
    const run = (round: number, seed: string) => engine.train(data, { weights, round, seed }).weights.join();
    expect(run(1, 'a')).to.equal(run(1, 'a'));
    expect(new Set([run(1, 'a'), run(2, 'a'), run(1, 'b')]).size).to.equal(3);
    expect(engine.init('bits').join()).to.equal(weights.join());
    expect(engine.init('other').join()).not.to.equal(weights.join());
  });

  it('frees every tensor of a round', async () => {
    const tf = await loadTensorFlow();
    const engine = await createEngine(smallManifest());
    const weights = engine.init('memory');
    const before = tf.memory().numTensors;
    engine.train(data, { weights, round: 1, seed: 's' });
    engine.evaluate(data, weights);
    expect(tf.memory().numTensors).to.equal(before);
  });

  it('lets NaN out instead of hiding it, for checkFinite to name', async () => {
    const manifest = smallManifest({ learningRate: 1e38 });
    const engine = await createEngine(manifest);
    const { weights } = engine.train(data, { weights: engine.init('nan'), round: 1, seed: 's' });
    await expectError(() => checkFinite(weights, manifest.tensors), 'WEIGHTS_NOT_FINITE', /hidden1\/|output\//);
  });

  it('refuses data, weights and manifests that do not belong together', async () => {
    const manifest = smallManifest();
    const engine = await createEngine(manifest);
    const weights = engine.init('refuse');
    const task = { weights, round: 1, seed: 's' };
    await expectError(() => engine.train({ ...data, classes: 4 }, task), 'DATASET_SHAPE', /3 classes\n.*4 classes/);
    await expectError(() => engine.evaluate({ ...data, size: 0 }, weights), 'DATASET_SHAPE', /at least one sample/);
    await expectError(() => engine.train(data, { ...task, weights: weights.slice(1) }), 'WEIGHTS_LENGTH');
    await expectError(() => createEngine({ ...manifest, engine: 'tfjs-wasm/0' }), 'ENGINE_MISMATCH', /tfjs-wasm\/0/);
    const tensors = manifest.tensors.toReversed();
    await expectError(() => createEngine({ ...manifest, tensors }), 'MODEL_TENSORS', /hidden1\/bias\[8\]/);
  });
});
