/**
 * The engine tfjs-node/1 on the real native TensorFlow, where `@tensorflow/tfjs-node` is installed (beside Assay, or in the
 * folder that ASSAY_TFJS_NODE names). Skipped elsewhere: its installation needs a public host.
 */
import { expect } from 'chai';
import { describeModel } from '../../../client/models/registry.ts';
import { chooseEngine } from '../../../client/training/chooseEngine.ts';
import { createTrainer } from '../../../client/training/createTrainer.ts';
import { syntheticData } from '../../../client/training/external/syntheticData.ts';
import { ENGINE } from '../../../client/training/tfjs/backend.ts';
import { installedPackage, TFJS_NODE } from '../../../client/training/tfjsNode/kit.ts';
import type { Trainer, TrainingManifest } from '../../../client/training/trainer.ts';

const SIZE = 24;
/** Every sample in one batch: then no order of samples can differ. */
const training = { localEpochs: 2, batchSize: SIZE, learningRate: 0.1, optimizer: 'sgd', momentum: 0.9 } as const;
const image = { task: 'classification', data: { features: 64, classes: 3 } } as const;
const text: Pick<TrainingManifest, 'task' | 'data'> = {
  task: 'language-model',
  data: { context: 8, tokenizer: { kind: 'byte-bpe', merges: [] } },
};

const MODELS = {
  mlp: { model: { kind: 'mlp', inputs: 64, hidden: [10], classes: 3, activation: 'relu' }, ...image },
  cnn: {
    model: {
      kind: 'cnn',
      image: [8, 8, 1],
      classes: 3,
      stages: [
        { kind: 'conv', size: 3, filters: 4, strides: 1, padding: 'same', activation: 'relu' },
        { kind: 'maxPool', size: 2, strides: 2 },
      ],
    },
    ...image,
  },
  transformer: {
    model: { kind: 'transformer', vocabulary: 257, context: 8, width: 16, layers: 2, heads: 4, feedForward: 32 },
    ...text,
  },
  lstm: { model: { kind: 'lstm', vocabulary: 257, context: 8, embedding: 8, layers: 1, hidden: 12 }, ...text },
} as const;

describe('engine tfjs-node/1', function () {
  this.timeout(120_000);
  const open: Trainer[] = [];
  before(function () {
    if (installedPackage.find() !== undefined) return;
    console.log('    skipped: @tensorflow/tfjs-node is not installed (ASSAY_TFJS_NODE names a folder that has it)');
    this.skip();
  });
  afterEach(async () => {
    for (const trainer of open.splice(0)) await trainer.close();
  });

  it('is said to train, from where it is', () => {
    expect(chooseEngine(TFJS_NODE).line).to.match(/^training with tfjs-node\/1, native TensorFlow at \/.*tfjs-node/);
  });

  for (const [name, settings] of Object.entries(MODELS)) {
    it(`makes the steps of the built-in engine up to rounding, in a thread of its own: ${name}`, async () => {
      const tensors = describeModel(settings.model).tensors.map(({ name, shape }) => ({ name, shape: [...shape] }));
      const results = [];
      for (const engine of [ENGINE, TFJS_NODE]) {
        const manifest: TrainingManifest = { ...settings, tensors, training, engine };
        const data = { train: syntheticData(manifest, SIZE, 'train'), test: syntheticData(manifest, SIZE, 'test') };
        const trainer = createTrainer({ manifest, ...data });
        open.push(trainer);
        const weights = await trainer.init('seed');
        const trained = await trainer.train({ weights, round: 1, seed: 's' });
        results.push({ weights, trained, measured: await trainer.evaluate({ weights: trained.weights }) });
      }
      const [ours, native] = results as [(typeof results)[0], (typeof results)[0]];
      expect(native.weights, 'the same start').to.deep.equal(ours.weights);
      let largest = 0;
      let moved = 0;
      for (const [i, weight] of ours.trained.weights.entries()) {
        largest = Math.max(largest, Math.abs(weight - native.trained.weights[i]!));
        moved = Math.max(moved, Math.abs(weight - ours.weights[i]!));
      }
      expect(moved).to.be.above(1e-3);
      expect(largest).to.be.below(2e-5);
      expect(native.measured.loss).to.be.closeTo(ours.measured.loss, 1e-4);
    });
  }
});
