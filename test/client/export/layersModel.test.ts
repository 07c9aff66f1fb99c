import { createRequire } from 'node:module';
import { expect } from 'chai';
import { encodeLayersModel } from '../../../client/export/layersModel.ts';
import type { Classifier } from '../../../client/models/model.ts';
import { loadTensorFlow } from '../../../client/training/tfjs/backend.ts';
import { createEngine } from '../../../client/training/tfjs/engine.ts';
import { composedOps } from '../../../client/training/tfjs/ops/composedOps.ts';
import { tensorSlices } from '../../../protocol/encoding/manifest.ts';
import { expectError } from '../support/expectError.ts';
import { clouds, smallManifest } from '../support/smallFederation.ts';

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
    const loaded = await layers.loadLayersModel({
      load: async () => ({
        modelTopology: parsed.modelTopology,
        weightSpecs: parsed.weightsManifest[0].weights,
        weightData: weightsBin.buffer as ArrayBuffer,
      }),
    });
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
});
