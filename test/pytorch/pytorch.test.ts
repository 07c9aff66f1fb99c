/** The PyTorch example against the built-in engine: two implementations of the same models, and of the contract between them. */
import { expect } from 'chai';
import type { AnyDataset } from '../../client/datasets/text/textDataset.ts';
import { describeModel } from '../../client/models/registry.ts';
import { createTrainer } from '../../client/training/createTrainer.ts';
import { ExternalTrainer } from '../../client/training/external/externalTrainer.ts';
import { syntheticData } from '../../client/training/external/syntheticData.ts';
import { ENGINE } from '../../client/training/tfjs/backend.ts';
import type { Trainer, TrainingManifest } from '../../client/training/trainer.ts';
import { example, largestDifference, needPython, pythonCommand } from './python.ts';

const SIZE = 24;
/** Samples in one batch: then no order of samples can differ. */
const training = { localEpochs: 2, batchSize: SIZE, learningRate: 0.1, optimizer: 'sgd', momentum: 0.9 } as const;

function manifestOf(
  model: { readonly kind: string; readonly [setting: string]: unknown },
  rest: Pick<TrainingManifest, 'task' | 'data'> & Partial<Pick<TrainingManifest, 'training'>>,
): TrainingManifest {
  const tensors = describeModel(model).tensors.map(({ name, shape }) => ({ name, shape: [...shape] }));
  return { model, tensors, training, engine: ENGINE, ...rest };
}

const image = { task: 'classification', data: { features: 9 * 8 * 2, classes: 3 } } as const;
const text: Pick<TrainingManifest, 'task' | 'data'> = {
  task: 'language-model',
  data: { context: 12, tokenizer: { kind: 'byte-bpe', merges: [] } },
};

const MODELS: Readonly<Record<string, TrainingManifest>> = {
  'multi-layer perceptron': manifestOf(
    { kind: 'mlp', inputs: 144, hidden: [10, 7], classes: 3, activation: 'tanh' },
    image,
  ),
  'convolutional network': manifestOf(
    {
      kind: 'cnn',
      image: [9, 8, 2],
      classes: 3,
      stages: [
        { kind: 'conv', size: 3, filters: 4, strides: 2, padding: 'same', activation: 'relu' },
        { kind: 'conv', size: 2, filters: 3, strides: 1, padding: 'valid', activation: 'linear' },
        { kind: 'maxPool', size: 2, strides: 1 },
        { kind: 'dense', units: 6, activation: 'sigmoid' },
      ],
    },
    image,
  ),
  'the same with Adam, clipped gradients and FedProx': manifestOf(
    { kind: 'mlp', inputs: 144, hidden: [10], classes: 3, activation: 'relu' },
    {
      ...image,
      training: {
        localEpochs: 4,
        batchSize: SIZE,
        learningRate: 0.01,
        optimizer: 'adam',
        maxGradientNorm: 0.2,
        algorithm: { kind: 'fedprox', proximal: 0.5 },
      },
    },
  ),
};

describe('PyTorch trainer', function () {
  this.timeout(120_000);
  let python: string;
  const open: Trainer[] = [];
  before(function () {
    python = needPython(this, 'torch', 'numpy');
  });
  afterEach(async () => {
    for (const trainer of open.splice(0)) await trainer.close();
  });

  function both(manifest: TrainingManifest): { ours: Trainer; theirs: Trainer } {
    const [train, test] = ['train', 'test'].map((seed) => syntheticData(manifest, SIZE, seed)) as [
      AnyDataset,
      AnyDataset,
    ];
    const ours = createTrainer({ manifest, train, test });
    const command = pythonCommand(python, example('pytorch_trainer.py'));
    const theirs = new ExternalTrainer({ manifest, command, mode: 'persistent', train, test });
    open.push(ours, theirs);
    return { ours, theirs };
  }

  for (const [name, manifest] of Object.entries(MODELS)) {
    it(`makes the steps of the built-in engine: ${name}`, async () => {
      const { ours, theirs } = both(manifest);
      const weights = await ours.init('pytorch');
      const [expected, result] = await Promise.all(
        [ours, theirs].map((trainer) => trainer.train({ weights, round: 1, seed: 's' })),
      );
      expect(largestDifference(expected!.weights, weights), 'it moved').to.be.above(1e-3);
      expect(largestDifference(result!.weights, expected!.weights)).to.be.below(2e-5);
      expect(result!.loss).to.be.closeTo(expected!.loss, 1e-4);
      expect(result!.steps).to.equal(expected!.steps);
      const task = { weights: expected!.weights };
      const [here, there] = [await ours.evaluate(task), await theirs.evaluate(task)];
      expect(there.loss).to.be.closeTo(here.loss, 1e-4);
      expect(there).to.include({ accuracy: here.accuracy, samples: here.samples });
    });
  }

  it('sees the same transformer: the same loss per token; and it learns', async () => {
    const model = {
      kind: 'transformer',
      vocabulary: 257,
      context: 12,
      width: 16,
      layers: 2,
      heads: 4,
      feedForward: 32,
    };
    const { ours, theirs } = both(
      manifestOf(model, { ...text, training: { ...training, localEpochs: 8, batchSize: 4, learningRate: 0.05 } }),
    );
    const weights = await theirs.init('pytorch');
    const [here, there] = [await ours.evaluate({ weights }), await theirs.evaluate({ weights })];
    expect(there.loss).to.be.closeTo(here.loss, 1e-4);
    expect(there.samples).to.equal(here.samples);
    const trained = await theirs.train({ weights, round: 1, seed: 's' });
    const [after, seen] = [
      await theirs.evaluate({ weights: trained.weights }),
      await ours.evaluate({ weights: trained.weights }),
    ];
    expect(after.loss).to.be.below(there.loss - 0.2);
    expect(after.loss).to.be.closeTo(seen.loss, 1e-4);
    expect((await theirs.train({ weights, round: 1, seed: 's' })).weights, 'the same bits').to.deep.equal(
      trained.weights,
    );
  });

  it('refuses what it does not know', async () => {
    const { theirs } = both({
      ...MODELS['multi-layer perceptron']!,
      training: { ...training, algorithm: { kind: 'scaffold' } },
    });
    const weights = new Float32Array(theirs.dimension);
    let message = '';
    await theirs.train({ weights, round: 1, seed: 's' }).catch((error: Error) => {
      message = error.message;
    });
    expect(message).to.match(/knows the algorithms fedavg, reptile, fedprox, not scaffold/);
  });
});
