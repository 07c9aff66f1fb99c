import type { Scalar, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { Classifier, Compute, ImageGenerator, LanguageModel, NamedTensors } from '../../../client/models/model.ts';
import { describeModel } from '../../../client/models/registry.ts';
import { createRandom } from '../../../client/random.ts';
import { composedCompute, initialWeights, namedTensors, toyTraining } from '../support/toyTraining.ts';

const transformer = {
  kind: 'transformer',
  vocabulary: 7,
  context: 10,
  width: 16,
  layers: 2,
  heads: 2,
  feedForward: 32,
};
const lstm = { kind: 'lstm', vocabulary: 7, context: 10, embedding: 8, hidden: 16, layers: 2 };

describe('client models: learning', () => {
  let compute: Compute;
  before(async () => {
    compute = await composedCompute();
  });

  for (const spec of [transformer, lstm]) {
    describe(spec.kind, () => {
      const model = describeModel(spec) as LanguageModel;
      const { vocabulary, context } = model;

      it('learns a text in which what comes next depends on two tokens', () => {
        const { tf, ops } = compute;
        // Of any two tokens the sum modulo 5 follows.
        const rows = Array.from({ length: 8 }, (_, row) => {
          const tokens = [row % 5, (3 * row) % 5];
          while (tokens.length <= context) tokens.push((tokens.at(-1)! + tokens.at(-2)!) % 5);
          return tokens;
        });
        const input = tf.tensor2d(
          rows.map((row) => row.slice(0, -1)),
          [8, context],
          'int32',
        );
        const next = tf.tensor1d(
          rows.flatMap((row) => row.slice(1)),
          'int32',
        );
        const loss = (weights: NamedTensors) =>
          ops.crossEntropy(tf.reshape(model.logits(compute, weights, input), [-1, vocabulary]), next);
        const { losses } = toyTraining(compute, model, 60, 0.02, loss);
        expect(losses[0]).to.be.closeTo(Math.log(vocabulary), 0.6);
        // The second token cannot be known: 7 of 80 positions stay a guess among five.
        expect(losses.at(-1)).to.be.below(0.35);
      });

      it('sees no later token: changing one never changes an earlier logit', () => {
        const { tf } = compute;
        tf.tidy(() => {
          const weights = namedTensors(tf, model.tensors, initialWeights(model));
          const random = createRandom('causal');
          const tokens = Int32Array.from({ length: context }, () => random.nextInt(vocabulary));
          const logits = (ids: Int32Array) =>
            model.logits(compute, weights, tf.tensor2d(ids, [1, ids.length], 'int32')).dataSync<'float32'>();
          const whole = logits(tokens);
          for (let changed = 0; changed < context; changed++) {
            const other = tokens.slice();
            other[changed] = (other[changed]! + 1) % vocabulary;
            const logitsOfOther = logits(other);
            const border = changed * vocabulary;
            expect(logitsOfOther.subarray(0, border)).to.deep.equal(whole.subarray(0, border));
            expect(logitsOfOther.subarray(border, border + vocabulary)).not.to.deep.equal(
              whole.subarray(border, border + vocabulary),
            );
          }
          // A prompt that is shorter than the context gives the logits of its own positions.
          const prompt = logits(tokens.slice(0, 4));
          prompt.forEach((value, i) => {
            expect(value).to.be.closeTo(whole[i]!, 1e-5);
          });
        });
      });
    });
  }

  it('the transformer tells the order of tokens, and its table is input and output', () => {
    const { tf } = compute;
    const model = describeModel(transformer) as LanguageModel;
    tf.tidy(() => {
      const weights = namedTensors(tf, model.tensors, initialWeights(model));
      const last = (ids: number[], by = weights) => {
        const logits = model.logits(compute, by, tf.tensor2d([ids], [1, ids.length], 'int32'));
        return [...logits.dataSync<'float32'>().slice(-model.vocabulary)];
      };
      expect(last([1, 2, 3])).not.to.deep.equal(last([2, 1, 3]));
      // Doubling the row of token 5, which is not in the text, doubles the logit of token 5 and no other.
      const table = tf.mul(weights['embedding/table']!, tf.tensor2d([1, 1, 1, 1, 1, 2, 1], [7, 1]));
      const [before, after] = [last([1, 2, 3]), last([1, 2, 3], { ...weights, 'embedding/table': table })];
      expect(after[5]).to.be.closeTo(2 * before[5]!, 1e-6);
      expect(after.toSpliced(5, 1)).to.deep.equal(before.toSpliced(5, 1));
    });
  });

  it('the autoencoder learns to give images back, by their class', () => {
    const { tf, ops } = compute;
    const model = describeModel({ kind: 'vae', inputs: 9, classes: 3, hidden: [24, 12], latent: 2 }) as ImageGenerator;
    const { inputs, classes } = model;
    const images = new Float32Array(12 * inputs);
    for (let row = 0; row < 12; row++) images.fill(1, row * inputs + 3 * (row % 3), row * inputs + 3 * (row % 3) + 3);
    const samples = tf.tensor2d(images, [12, inputs]);
    const labels = tf.oneHot(
      Array.from({ length: 12 }, (_, row) => row % 3),
      classes,
    ) as Tensor2D;
    const random = createRandom('noise');
    const loss = (weights: NamedTensors) => {
      const { mean, logVariance } = model.encode(compute, weights, samples, labels);
      expect([mean.shape, logVariance.shape]).to.deep.equal([
        [12, 2],
        [12, 2],
      ]);
      const noise = tf.tensor2d(
        Float32Array.from({ length: 24 }, () => random.nextNormal()),
        [12, 2],
      );
      const point = tf.add(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), noise)) as Tensor2D;
      const divergence = tf.mul(
        tf.sum(tf.sub(tf.add(tf.square(mean), tf.exp(logVariance)), tf.add(logVariance, 1))),
        0.5 / 12,
      );
      const pixels = ops.binaryCrossEntropy(model.decode(compute, weights, point, labels), samples);
      return tf.add(pixels, divergence) as Scalar;
    };
    const { losses, weights } = toyTraining(compute, model, 80, 0.02, loss);
    expect(losses[0]).to.be.above(5);
    expect(losses.at(-1)).to.be.below(1.5);
    const drawn = tf.tidy(() =>
      tf
        .sigmoid(model.decode(compute, weights, tf.zeros([3, 2]), tf.oneHot([0, 1, 2], 3) as Tensor2D))
        .dataSync<'float32'>(),
    );
    expect([...drawn].map(Math.round)).to.deep.equal([...images.subarray(0, 27)]);
  });

  it('the convolutional network tells lines from columns', () => {
    const { tf, ops } = compute;
    const conv = { kind: 'conv', size: 3, strides: 1, activation: 'relu' };
    const model = describeModel({
      kind: 'cnn',
      image: [8, 8, 1],
      classes: 2,
      stages: [
        { ...conv, filters: 4, padding: 'same' },
        { kind: 'maxPool', size: 2, strides: 2 },
        { ...conv, filters: 6, padding: 'valid' },
        { kind: 'avgPool', size: 2, strides: 1 },
        { kind: 'dense', units: 8, activation: 'tanh' },
      ],
    }) as Classifier;
    const images = new Float32Array(16 * 64);
    for (let row = 0; row < 16; row++) {
      for (let i = 0; i < 8; i++) images[row * 64 + (row % 2 ? i * 8 + (row >> 1) : (row >> 1) * 8 + i)] = 1;
    }
    const samples = tf.tensor2d(images, [16, 64]);
    const labels = tf.tensor1d(
      Array.from({ length: 16 }, (_, row) => row % 2),
      'int32',
    ) as Tensor1D;
    const loss = (weights: NamedTensors) => ops.crossEntropy(model.logits(compute, weights, samples), labels);
    const { losses } = toyTraining(compute, model, 40, 0.02, loss);
    expect(losses.at(-1)).to.be.below(0.05);
  });
});
