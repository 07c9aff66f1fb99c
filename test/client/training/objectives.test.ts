import { expect } from 'chai';
import type { Dataset } from '../../../client/datasets/dataset.ts';
import type { TextDataset } from '../../../client/datasets/text/textDataset.ts';
import type { ImageGenerator, ModelSpec } from '../../../client/models/model.ts';
import { describeModel } from '../../../client/models/registry.ts';
import { createRandom } from '../../../client/random.ts';
import { checkDataset } from '../../../client/training/checkDataset.ts';
import { createObjective } from '../../../client/training/objectives/createObjective.ts';
import { loadTensorFlow } from '../../../client/training/tfjs/backend.ts';
import { createEngine } from '../../../client/training/tfjs/engine.ts';
import { composedOps } from '../../../client/training/tfjs/ops/composedOps.ts';
import type { TrainingManifest } from '../../../client/training/trainer.ts';
import type { Manifest } from '../../../protocol/encoding/manifest.ts';
import { expectError } from '../support/expectError.ts';
import { clouds, smallManifest } from '../support/smallFederation.ts';

/** Bytes 0 to 7 one after the other, a hundred times: whoever learned it knows the next one for sure. */
function ring(length = 400): TextDataset {
  const tokens = Uint16Array.from({ length }, (_, i) => i % 8);
  return {
    kind: 'text',
    name: 'ring',
    tokens,
    context: 8,
    size: Math.floor((length - 1) / 8),
    vocabulary: 257,
    bytes: length,
  };
}

/** Pictures of 16 pixels: one half lit, which half is the class. */
function halves(size: number): Dataset {
  const random = createRandom('halves');
  const y = Uint8Array.from({ length: size }, () => random.nextInt(2));
  const x = new Uint8Array(size * 16);
  y.forEach((label, row) => {
    for (let j = 0; j < 8; j++) x[row * 16 + label * 8 + j] = 255;
  });
  return { name: 'halves', features: 16, classes: 2, size, x, y, scale: 1 / 255 };
}

function manifestFor(
  model: ModelSpec,
  data: Manifest['data'],
  training: Partial<Manifest['training']>,
): TrainingManifest {
  const { task, tensors } = describeModel(model);
  return {
    task,
    model,
    tensors: tensors.map(({ name, shape }) => ({ name, shape: [...shape] })),
    training: { localSteps: 60, batchSize: 16, learningRate: 0.01, optimizer: 'adam', ...training },
    data,
    engine: 'tfjs-wasm/3',
  };
}

const TEXT: Manifest['data'] = { context: 8, tokenizer: { kind: 'byte-bpe', merges: [] } };
const LSTM = { kind: 'lstm', vocabulary: 257, context: 8, embedding: 8, hidden: 16, layers: 1 };
const VAE = { kind: 'vae', inputs: 16, classes: 2, hidden: [16], latent: 2 };

describe('client objectives', () => {
  it('language: learns what comes next; loss per token starts at that of guessing', async () => {
    const engine = await createEngine(manifestFor(LSTM, TEXT, { learningRate: 0.03, maxGradientNorm: 1 }));
    const weights = engine.init('ring');
    const held = ring(81);
    const before = engine.evaluate(held, weights);
    expect(before.samples).to.equal(80);
    expect(before.loss).to.be.closeTo(Math.log(257), 0.15);
    const losses: number[] = [];
    const trained = engine.train(ring(), {
      weights,
      round: 1,
      seed: 's',
      onProgress: ({ loss }) => losses.push(loss),
    });
    const after = engine.evaluate(held, trained.weights);
    expect(after.loss).to.be.below(0.5);
    expect(after.accuracy).to.be.above(0.8);
    expect(losses.at(-1)).to.be.below(losses[0]!);
    expect(trained).to.include({ samples: 49, steps: 60 });
  });

  it('language: asks at every token for the one after it, windows laid from a random place and never over the end', async () => {
    const tf = await loadTensorFlow();
    const text = { ...ring(30), tokens: Uint16Array.from({ length: 30 }, (_, i) => i) };
    const objective = createObjective({ tf, ops: composedOps(tf) }, describeModel(LSTM), text);
    const [seen, next] = objective.take(Uint32Array.of(3, 20), createRandom('x')).inputs;
    expect([...seen!.dataSync()]).to.deep.equal([3, 4, 5, 6, 7, 8, 9, 10, 20, 21, 22, 23, 24, 25, 26, 27]);
    expect([...next!.dataSync()]).to.deep.equal([4, 5, 6, 7, 8, 9, 10, 11, 21, 22, 23, 24, 25, 26, 27, 28]);
    tf.dispose([seen!, next!]);
    expect([...objective.ordered()]).to.deep.equal([0, 8, 16]);
    const passes = Array.from({ length: 30 }, (_, pass) => [...objective.shuffled(createRandom(pass))]);
    for (const starts of passes) expect(Math.max(...starts)).to.be.at.most(21);
    expect(new Set(passes.map((starts) => Math.min(...starts))).size).to.equal(8);
    expect(new Set(passes.map((starts) => starts.map((s) => s - Math.min(...starts)).join())).size).to.be.above(5);
  });

  it('images: the loss is what the equation says', async () => {
    const tf = await loadTensorFlow();
    const vae = describeModel(VAE) as ImageGenerator;
    const mean = [0.5, -1];
    const logVariance = [0.2, -0.4];
    const fixed: ImageGenerator = {
      ...vae,
      encode: () => ({ mean: tf.tensor2d([mean, mean]), logVariance: tf.tensor2d([logVariance, logVariance]) }),
      // Nothing known of any pixel.
      decode: (_compute, _weights, points) => tf.zeros([points.shape[0], 16]),
    };
    const objective = createObjective({ tf, ops: composedOps(tf) }, fixed, halves(2));
    const loss = tf.tidy(() => {
      const batch = objective.take(Uint32Array.of(0, 1), createRandom('x'));
      return objective.loss({}, batch, { right: 0, of: 0 }).dataSync()[0]!;
    });
    const divergence = mean.reduce(
      (sum, m, i) => sum + (m * m + Math.exp(logVariance[i]!) - 1 - logVariance[i]!) / 2,
      0,
    );
    expect(loss).to.be.closeTo(16 * Math.log(2) + divergence, 1e-5);
  });

  it('language: evaluation goes over whole windows in order and counts every one of their tokens', async () => {
    const engine = await createEngine(manifestFor(LSTM, TEXT, {}));
    const weights = engine.init('windows');
    const whole = engine.evaluate(ring(33), weights);
    // What does not fill a window is left out, whatever it is.
    const more = { ...ring(37), tokens: Uint16Array.from([...ring(33).tokens, 200, 201, 202, 203]) };
    expect(engine.evaluate(more, weights)).to.deep.equal(whole);
    expect(whole.samples).to.equal(32);
  });

  it('images: the bound on the likelihood improves, and is measured with the same noise every time', async () => {
    const engine = await createEngine(manifestFor(VAE, { features: 16, classes: 2 }, { learningRate: 0.02 }));
    const weights = engine.init('halves');
    const data = halves(120);
    const before = engine.evaluate(data, weights);
    // Sixteen pixels at about a toss of a coin each, and a little for the latent point.
    expect(before.loss).to.be.within(10, 17);
    const trained = engine.train(data, { weights, round: 1, seed: 's' });
    const after = engine.evaluate(data, trained.weights);
    expect(after.loss).to.be.below(3);
    expect(after.accuracy).to.be.above(0.95);
    expect(after.samples).to.equal(120);
    expect(engine.evaluate(data, trained.weights)).to.deep.equal(after);
    const again = engine.train(data, { weights, round: 1, seed: 's' });
    expect(again.weights.join()).to.equal(trained.weights.join());
  });

  it('leaves no tensor behind', async () => {
    const tf = await loadTensorFlow();
    for (const [model, data, dataset] of [
      [LSTM, TEXT, ring()],
      [VAE, { features: 16, classes: 2 }, halves(40)],
    ] as const) {
      const engine = await createEngine(manifestFor(model, data, { localSteps: 3 }));
      const weights = engine.init('leak');
      engine.evaluate(dataset, weights);
      const before = tf.memory().numTensors;
      engine.train(dataset, { weights, round: 1, seed: 's' });
      engine.evaluate(dataset, weights);
      expect(tf.memory().numTensors, model.kind).to.equal(before);
    }
  });

  it('refuses data, models and manifests of different kinds', async () => {
    const text = { data: TEXT };
    checkDataset(ring(), text);
    await expectError(() => checkDataset(clouds(5, 'x'), text), 'DATASET_SHAPE', /Received: 5 samples/);
    await expectError(() => checkDataset(ring(), smallManifest()), 'DATASET_SHAPE', /Received: text of 400 tokens/);
    await expectError(() => checkDataset({ ...ring(), context: 4 }, text), 'DATASET_SHAPE', /windows of 4/);
    await expectError(() => checkDataset({ ...ring(), vocabulary: 300 }, text), 'DATASET_SHAPE', /vocabulary of 300/);
    await expectError(() => checkDataset({ ...ring(), size: 0 }, text), 'DATASET_SHAPE');
    const manifest = manifestFor(LSTM, TEXT, {});
    await expectError(() => createEngine({ ...manifest, task: 'classification' }), 'MODEL_TASK', /lstm/);
    const other = { ...manifest, data: { ...TEXT, context: 16 } };
    await expectError(() => createEngine(other), 'MODEL_DATA', /16 tokens of context/);
    const misfit = { ...smallManifest(), data: { features: 5, classes: 3 } };
    await expectError(() => createEngine(misfit), 'MODEL_DATA', /5 features/);
  });
});
