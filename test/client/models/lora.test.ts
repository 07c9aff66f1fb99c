import type { Tensor1D } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { type LoraSettings, mergeAdapters } from '../../../client/models/lora.ts';
import type { Classifier, Compute, LanguageModel, NamedTensors } from '../../../client/models/model.ts';
import { describeModel } from '../../../client/models/registry.ts';
import { createRandom } from '../../../client/random.ts';
import { expectError } from '../support/expectError.ts';
import { composedCompute, initialWeights, namedTensors, toyTraining } from '../support/toyTraining.ts';

const transformer = { kind: 'transformer', vocabulary: 7, context: 6, width: 8, layers: 2, heads: 2, feedForward: 16 };
const hashes = { cid: 'bafkreie', sha256: 'ab'.repeat(32) };
const spec: LoraSettings = {
  kind: 'lora',
  base: { ...hashes, model: transformer },
  rank: 2,
  alpha: 6,
  targets: ['block*/attention/kernel', 'embedding/table'],
};

describe('client models: low-rank adapters', () => {
  let compute: Compute;
  before(async () => {
    compute = await composedCompute();
  });

  it('federates the adapters only: the tensors of the base are frozen', () => {
    const model = describeModel(spec);
    expect(model.tensors).to.deep.equal([
      { name: 'block1/attention/kernel/loraA', shape: [8, 2] },
      { name: 'block1/attention/kernel/loraB', shape: [2, 24] },
      { name: 'block2/attention/kernel/loraA', shape: [8, 2] },
      { name: 'block2/attention/kernel/loraB', shape: [2, 24] },
      { name: 'embedding/table/loraA', shape: [7, 2] },
      { name: 'embedding/table/loraB', shape: [2, 8] },
    ]);
    expect(model.dimension).to.equal(2 * 2 * 32 + 2 * 15);
    expect(model.frozen).to.deep.equal(describeModel(transformer).tensors);
    expect(model.head).to.deep.equal(['block2/attention/kernel/loraA', 'block2/attention/kernel/loraB']);
    expect(model.task).to.equal('language-model');
    expect(model.spec).to.deep.equal(spec);
  });

  it('starts as the base, and with any adapters computes what the merged base computes', () => {
    const { tf } = compute;
    const model = describeModel(spec) as LanguageModel;
    const base = describeModel(transformer) as LanguageModel;
    const frozen = initialWeights(base);
    tf.tidy(() => {
      const tokens = tf.tensor2d([[1, 2, 3, 4, 5, 6]], [1, 6], 'int32');
      const adapted = (adapters: Float32Array) => {
        const weights = {
          ...namedTensors(tf, base.tensors, frozen),
          ...namedTensors(tf, model.tensors, adapters),
        };
        return [...model.logits(compute, weights, tokens).dataSync<'float32'>()];
      };
      const plain = (flat: Float32Array) => [
        ...base.logits(compute, namedTensors(tf, base.tensors, flat), tokens).dataSync<'float32'>(),
      ];
      const start = initialWeights(model);
      expect(start.some((value) => value !== 0)).to.equal(true);
      expect(adapted(start)).to.deep.equal(plain(frozen));
      expect(mergeAdapters(spec, base, start, frozen)).to.deep.equal(frozen);

      const random = createRandom('adapters');
      const trained = start.map(() => 0.3 * random.nextNormal());
      const merged = plain(mergeAdapters(spec, base, trained, frozen));
      const differences = adapted(trained).map((value, i) => Math.abs(value - merged[i]!));
      expect(Math.max(...differences)).to.be.below(1e-5);
      expect(merged).not.to.deep.equal(plain(frozen));
    });
  });

  it('learns beside a frozen base, also in filters and for classifiers', () => {
    const { tf, ops } = compute;
    const mlp = { kind: 'mlp', inputs: 4, hidden: [8], classes: 3, activation: 'relu' };
    const model = describeModel({ ...spec, base: { ...hashes, model: mlp }, targets: ['*kernel'] }) as Classifier;
    const frozen = namedTensors(tf, model.frozen!, initialWeights(describeModel(mlp), 'base'));
    const random = createRandom('rows');
    const labels = Array.from({ length: 30 }, (_, row) => row % 3);
    const rows = labels.map((label) =>
      Array.from({ length: 4 }, (_, j) => (j === label ? 2 : 0) + 0.3 * random.nextNormal()),
    );
    const loss = (weights: NamedTensors) =>
      ops.crossEntropy(model.logits(compute, weights, tf.tensor2d(rows)), tf.tensor1d(labels, 'int32') as Tensor1D);
    const before = Object.values(frozen).map((tensor) => [...tensor.dataSync()]);
    const { losses } = toyTraining(compute, model, 60, 0.05, loss, frozen);
    expect(losses.at(-1)).to.be.below(losses[0]! / 4);
    expect(Object.values(frozen).map((tensor) => [...tensor.dataSync()])).to.deep.equal(before);

    const filters = {
      kind: 'cnn',
      image: [4, 4, 2],
      classes: 3,
      stages: [{ kind: 'conv', size: 3, filters: 5, strides: 1, padding: 'same', activation: 'relu' }],
    };
    const { tensors } = describeModel({ ...spec, base: { ...hashes, model: filters }, targets: ['conv*'] });
    expect(tensors.map(({ shape }) => shape)).to.deep.equal([
      [18, 2],
      [2, 5],
    ]);
  });

  it('takes * for any characters, and refuses targets that name no matrix', async () => {
    const names = (...targets: string[]) =>
      describeModel({ ...spec, targets })
        .tensors.filter(({ name }) => name.endsWith('/loraA'))
        .map(({ name }) => name.slice(0, -'/loraA'.length));
    expect(names('*/projection/*')).to.deep.equal(['block1/projection/kernel', 'block2/projection/kernel']);
    expect(names('block1*tra*l')).to.deep.equal(['block1/contract/kernel']);
    expect(names('*')).to.have.length(10);
    await expectError(() => names('norm/gain'), 'MODEL_SETTINGS', /targets among block1.*\n.*norm\/gain/);
    await expectError(() => names('block1/attention/kerne'), 'MODEL_SETTINGS');
    await expectError(() => names('block1/attention/kernel*kernel'), 'MODEL_SETTINGS');
    await expectError(() => names('*', 'table'), 'MODEL_SETTINGS', /Received: table/);
    // The stars of a stranger's manifest must not take for ever.
    await expectError(() => names(`${'*e'.repeat(5000)}x`), 'MODEL_SETTINGS');
  });

  it('refuses adapters over adapters, and weights of another model', async () => {
    await expectError(
      () => describeModel({ ...spec, base: { ...hashes, model: { ...spec } } }),
      'MODEL_SETTINGS',
      /merge its adapters/,
    );
    const base = describeModel(transformer);
    const [adapters, frozen] = [initialWeights(describeModel(spec)), initialWeights(base)];
    await expectError(() => mergeAdapters(spec, base, adapters.slice(1), frozen), 'WEIGHTS_LENGTH', /adapters/);
    await expectError(() => mergeAdapters(spec, base, adapters, frozen.slice(1)), 'WEIGHTS_LENGTH', /of the base/);
  });
});
