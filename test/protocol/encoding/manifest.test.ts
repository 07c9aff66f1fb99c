import { expect } from 'chai';
import fc from 'fast-check';
import {
  checkManifest,
  compareBytewise,
  encodeManifest,
  type Manifest,
  manifestDimension,
  parseManifest,
  type TextData,
  tensorSlices,
  vocabularySize,
} from '../../../protocol/encoding/manifest.ts';
import { runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';

const manifest: Manifest = {
  format: 'assay-manifest/1',
  name: 'digits',
  task: 'classification',
  model: { kind: 'mlp', hidden: [64] },
  tensors: [
    { name: 'dense1/bias', shape: [64] },
    { name: 'dense1/kernel', shape: [784, 64] },
    { name: 'dense2/bias', shape: [10] },
    { name: 'dense2/kernel', shape: [64, 10] },
  ],
  training: { localEpochs: 2, batchSize: 32, learningRate: 0.1, optimizer: 'sgd', momentum: 0.9 },
  data: { features: 784, classes: 10 },
  engine: 'tfjs-wasm/3',
};
const bytesOf = (document: unknown) => new TextEncoder().encode(JSON.stringify(document));

const textOf = (merges: readonly (readonly number[])[]) => ({
  task: 'language-model',
  data: { context: 8, tokenizer: { kind: 'byte-bpe', merges } },
});

describe('the manifest', () => {
  it('takes every algorithm, and texts', () => {
    const { localEpochs: _epochs, ...training } = manifest.training;
    for (const algorithm of [
      { kind: 'fedavg' },
      { kind: 'fedprox', proximal: 0.1 },
      { kind: 'scaffold' },
      { kind: 'fednova', referenceSteps: 10 },
      { kind: 'per-fedavg', innerLearningRate: 0.01 },
      { kind: 'reptile' },
    ]) {
      const document = { ...manifest, training: { ...training, localSteps: 10, maxGradientNorm: 1, algorithm } };
      expect(parseManifest(bytesOf(document)).training.algorithm).to.deep.equal(algorithm);
    }
    const text = parseManifest(
      bytesOf({
        ...manifest,
        ...textOf([
          [104, 105],
          [257, 33],
        ]),
      }),
    );
    expect(vocabularySize(text.data as TextData)).to.equal(259);
    const adam = { localEpochs: 1, batchSize: 8, learningRate: 0.001, optimizer: 'adam', beta2: 0.98 };
    const personal = { kind: 'fedrep' };
    expect(parseManifest(bytesOf({ ...manifest, training: { ...adam, personal } })).training).to.include(adam);
  });

  it('comes back from its canonical bytes, and these are always the same', () => {
    expect(parseManifest(encodeManifest(manifest))).to.deep.equal(manifest);
    const reordered = Object.fromEntries(Object.entries(manifest).reverse());
    expect(encodeManifest(parseManifest(bytesOf(reordered)))).to.deep.equal(encodeManifest(manifest));
  });

  it('gives every tensor its place', () => {
    expect(tensorSlices(manifest.tensors).map(({ offset, length }) => [offset, length])).to.deep.equal([
      [0, 64],
      [64, 50176],
      [50240, 10],
      [50250, 640],
    ]);
    expect(manifestDimension(manifest)).to.equal(50890);
    expect(manifestDimension({ tensors: [{ name: 'scalar', shape: [] }] })).to.equal(1);
  });

  it('orders names by their UTF-8 bytes', () => {
    const name = fc.string({
      unit: fc.constantFrom('a', 'b', '0', '\u007f', '\u0080', '\ud7ff', '\ufb33', '\u{1f602}'),
    });
    fc.assert(
      fc.property(name, name, (a, b) => {
        expect(Math.sign(compareBytewise(a, b))).to.equal(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      runs(300),
    );
    // UTF-16 order would put the emoji first: its first unit is 0xd83d.
    expect(compareBytewise('\ufb33', '\u{1f602}')).to.be.below(0);
    expect(compareBytewise('dense10', 'dense2')).to.be.below(0);
  });

  const training = manifest.training;
  const wrong: [name: string, change: Record<string, unknown>, place: string][] = [
    ['another format', { format: 'assay-manifest/2' }, 'format'],
    ['an empty name', { name: '' }, 'name'],
    ['a task that nobody knows', { task: 'regression' }, 'task'],
    ['a model without a kind', { model: { hidden: [3] } }, 'model.kind'],
    ['no tensors', { tensors: [] }, 'tensors'],
    ['an extent of zero', { tensors: [{ name: 'a', shape: [0] }] }, 'tensors.0.shape.0'],
    ['an extent that is not whole', { tensors: [{ name: 'a', shape: [4, 1.5] }] }, 'tensors.0.shape.1'],
    ['an extent beyond 2^32', { tensors: [{ name: 'a', shape: [2 ** 33] }] }, 'tensors.0.shape.0'],
    ['no epochs', { training: { ...training, localEpochs: 0 } }, 'training.localEpochs'],
    ['a negative learning rate', { training: { ...training, learningRate: -1 } }, 'training.learningRate'],
    ['a momentum of one', { training: { ...training, momentum: 1 } }, 'training.momentum'],
    ['text for a number', { training: { ...training, batchSize: '32' } }, 'training.batchSize'],
    ['epochs and steps', { training: { ...training, localSteps: 5 } }, 'training.localSteps'],
    ['neither epochs nor steps', { training: { ...training, localEpochs: undefined } }, 'training.localSteps'],
    ["adam's settings for sgd", { training: { ...training, beta1: 0.8 } }, 'training.beta1'],
    ['momentum for adam', { training: { ...training, optimizer: 'adam' } }, 'training.momentum'],
    [
      'an algorithm that nobody knows',
      { training: { ...training, algorithm: { kind: 'magic' } } },
      'training.algorithm.kind',
    ],
    [
      'a pull of zero',
      { training: { ...training, algorithm: { kind: 'fedprox', proximal: 0 } } },
      'training.algorithm.proximal',
    ],
    ['scaffold by epochs', { training: { ...training, algorithm: { kind: 'scaffold' } } }, 'training.algorithm'],
    [
      'fednova with adam',
      {
        training: {
          ...training,
          momentum: undefined,
          optimizer: 'adam',
          algorithm: { kind: 'fednova', referenceSteps: 5 },
        },
      },
      'training.algorithm',
    ],
    ['a head that stays nowhere', { training: { ...training, personal: { kind: 'ditto' } } }, 'training.personal.kind'],
    ['samples for a language model', { task: 'language-model' }, 'data.context'],
    ['a merge of what is not there yet', textOf([[257, 1]]), 'data.tokenizer.merges.0'],
    [
      'a merge over the end of a document',
      textOf([
        [1, 2],
        [257, 256],
      ]),
      'data.tokenizer.merges.1',
    ],
    ['half a merge', textOf([[1]]), 'data.tokenizer.merges.0'],
    ['a field too many', { colour: 'red' }, 'its top level'],
    ['a field too many inside', { data: { ...manifest.data, rows: 1 } }, 'data'],
    ['no data', { data: undefined }, 'data'],
  ];
  for (const [name, change, place] of wrong) {
    it(`is refused with ${name}, and the message names the place`, () => {
      const error = expectAssayError('MANIFEST', () => parseManifest(bytesOf({ ...manifest, ...change })));
      expect(error.message).to.include(`wrong at ${place}\n`).and.include('Expected: ').and.include('Received: ');
    });
  }

  it('is refused when its tensors are not sorted, or named twice', () => {
    const [a, b] = manifest.tensors;
    const unsorted = expectAssayError('MANIFEST', () => checkManifest({ ...manifest, tensors: [b, a] }));
    expect(unsorted.message).to.include('Expected: names sorted bytewise, each once: dense1/bias, dense1/kernel');
    expectAssayError('MANIFEST', () => checkManifest({ ...manifest, tensors: [a, a] }));
  });

  it('is refused when it is not JSON or not UTF-8', () => {
    for (const bytes of [new Uint8Array(), bytesOf(manifest).subarray(1), Uint8Array.of(0x22, 0xff, 0x22)]) {
      expectAssayError('MANIFEST', () => parseManifest(bytes));
    }
    for (const document of [null, [], 'text', 7]) expectAssayError('MANIFEST', () => parseManifest(bytesOf(document)));
  });
});
