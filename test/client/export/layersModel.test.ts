import { createRequire } from 'node:module';
import { expect } from 'chai';
import { encodeLayersModel } from '../../../client/export/layersModel.ts';
import type { Classifier } from '../../../client/models/model.ts';
import { describeModel } from '../../../client/models/registry.ts';
import { createRandom } from '../../../client/random.ts';
import { loadTensorFlow } from '../../../client/training/tfjs/backend.ts';
import { createEngine } from '../../../client/training/tfjs/engine.ts';
import { composedOps } from '../../../client/training/tfjs/ops/composedOps.ts';
import { tensorSlices } from '../../../protocol/encoding/manifest.ts';
import { expectError } from '../support/expectError.ts';
import { clouds, smallManifest } from '../support/smallFederation.ts';
import { composedCompute, initialWeights, namedTensors } from '../support/toyTraining.ts';

const layers = createRequire(import.meta.url)('@tensorflow/tfjs-layers') as typeof import('@tensorflow/tfjs-layers');

describe('client layers model', () => {
  it('is read by tf.loadLayersModel and predicts the same probabilities', async () => {
    const manifest = smallManifest();
    const engine = await createEngine(manifest);
    const data = clouds(64, 'export');
    const { weights } = engine.train(data, { weights: engine.init('export'), round: 1, seed: 'export' });
    const { modelJson, weightsBin } = encodeLayersModel(manifest.model, weights, { round: '1' });
    const parsed = JSON.parse(modelJson);
    expect(parsed.userDefinedMetadata).to.deep.equal({ round: '1' });

    const tf = await loadTensorFlow();
    const loaded = await read(modelJson, weightsBin);
    const samples = tf.tensor2d(data.x as Float32Array, [data.size, data.features]);
    const probabilities = (loaded.predict(samples) as import('@tensorflow/tfjs-core').Tensor).dataSync();
    const named = Object.fromEntries(
      tensorSlices(manifest.tensors).map(({ name, shape, offset, length }) => [
        name,
        tf.tensor(weights.slice(offset, offset + length), [...shape]),
      ]),
    );
    const model = engine.model as Classifier;
    const expected = tf.softmax(model.logits({ tf, ops: composedOps(tf) }, named, samples)).dataSync();
    await expectError(() => encodeLayersModel(manifest.model, weights.slice(1), {}), 'WEIGHTS_LENGTH');
    expect(probabilities).to.have.length(64 * 3);
    probabilities.forEach((value, i) => {
      expect(value).to.be.closeTo(expected[i]!, 1e-6);
    });
  });

  it('writes convolutional networks too', async () => {
    const conv = { kind: 'conv', size: 3, filters: 3, strides: 2, activation: 'relu' };
    const spec = {
      kind: 'cnn',
      image: [9, 8, 2],
      classes: 4,
      stages: [
        { ...conv, strides: 1, padding: 'valid' },
        { kind: 'avgPool', size: 2, strides: 1 },
        { ...conv, padding: 'same', activation: 'linear' },
        { kind: 'maxPool', size: 2, strides: 1 },
        { kind: 'dense', units: 5, activation: 'tanh' },
      ],
    };
    const model = describeModel(spec) as Classifier;
    const weights = initialWeights(model);
    const { modelJson, weightsBin } = encodeLayersModel(spec, weights, {});
    const compute = await composedCompute();
    const { tf } = compute;
    const loaded = await read(modelJson, weightsBin);
    const random = createRandom('export');
    const samples = tf.tensor2d(
      Float32Array.from({ length: 3 * 144 }, () => random.nextNormal()),
      [3, 144],
    );
    const probabilities = (loaded.predict(samples) as import('@tensorflow/tfjs-core').Tensor).dataSync();
    const logits = model.logits(compute, namedTensors(tf, model.tensors, weights), samples);
    const expected = tf.softmax(logits).dataSync();
    expect(probabilities).to.have.length(12);
    probabilities.forEach((value, i) => {
      expect(value).to.be.closeTo(expected[i]!, 1e-6);
    });
    const bare = { ...spec, stages: [] };
    await expectError(() => encodeLayersModel(bare, weights, {}), 'WEIGHTS_LENGTH');
  });

  it('refuses kinds without a twin and says what to do', async () => {
    const vae = { kind: 'vae', inputs: 4, classes: 2, hidden: [3], latent: 2 };
    await expectError(
      () => encodeLayersModel(vae, initialWeights(describeModel(vae)), {}),
      'EXPORT_UNSUPPORTED',
      /mlp, cnn\n.*vae\n.*safetensors/,
    );
    await expectError(() => encodeLayersModel({ kind: 'file' }, new Float32Array(1), {}), 'EXPORT_UNSUPPORTED');
  });
});

function read(modelJson: string, weightsBin: Uint8Array) {
  const parsed = JSON.parse(modelJson);
  return layers.loadLayersModel({
    load: async () => ({
      modelTopology: parsed.modelTopology,
      weightSpecs: parsed.weightsManifest[0].weights,
      weightData: weightsBin.buffer as ArrayBuffer,
    }),
  });
}
