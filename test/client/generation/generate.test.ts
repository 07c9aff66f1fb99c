/** What a model generates: with small models whose right answer is known, and with a real one for its shapes and bits. */
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { countClasses } from '../../../client/datasets/dataset.ts';
import { continueText } from '../../../client/generation/continueText.ts';
import { drawImages } from '../../../client/generation/drawImages.ts';
import { fillClasses } from '../../../client/generation/fillClasses.ts';
import { isGenerator, type OpenModel, openModel } from '../../../client/generation/openModel.ts';
import type { ImageGenerator, LanguageModel } from '../../../client/models/model.ts';
import { describeModel } from '../../../client/models/registry.ts';
import { createRandom } from '../../../client/random.ts';
import { expectError } from '../support/expectError.ts';

const TRANSFORMER = {
  ...{ kind: 'transformer', vocabulary: 300, context: 8 },
  ...{ width: 16, layers: 1, heads: 2, feedForward: 32 },
};
const VAE = { kind: 'vae', inputs: 36, classes: 3, hidden: [12], latent: 4 };
const GREEDY = { temperature: 0, topK: 0, topP: 1 };
const WILD = { temperature: 1, topK: 0, topP: 1 };

async function openRandom(spec: typeof TRANSFORMER | typeof VAE): Promise<OpenModel> {
  const random = createRandom('generate test');
  const weights = Float32Array.from({ length: describeModel(spec).dimension }, () => random.nextFloat() - 0.5);
  return openModel(spec, weights);
}

function take<Item>(items: Iterator<Item>, count: number): Item[] {
  return Array.from({ length: count }, () => items.next().value);
}

describe('generating', () => {
  describe('text', () => {
    let open: OpenModel<LanguageModel>;
    before(async () => {
      const real = await openRandom(TRANSFORMER);
      isGenerator(real, 'language-model');
      open = real;
    });

    /** Says that the token after a window is the sum of its tokens, modulo 7; it looks back on three. */
    function summing(windows: number[][] = []): OpenModel<LanguageModel> {
      const logits: LanguageModel['logits'] = ({ tf }, _, tokens: Tensor2D) => {
        const window = [...tokens.dataSync()];
        windows.push(window);
        const sum = window.reduce((total, token) => total + token, 0) % 7;
        const all = window.flatMap((_, i) =>
          Array.from({ length: 7 }, (_, t) => (i === window.length - 1 && t === sum ? 9 : 0)),
        );
        return tf.tensor3d(all, [1, window.length, 7]) as Tensor3D;
      };
      return { ...open, model: { ...open.model, vocabulary: 7, context: 3, logits } };
    }

    it('continues a prompt with what the model says, looking back as far as its context', () => {
      const windows: number[][] = [];
      const tokens = take(continueText(summing(windows), [1, 2], GREEDY, createRandom('x'), -1), 5);
      expect(tokens).to.deep.equal([3, 6, 4, 6, 2]);
      expect(windows).to.deep.equal([
        [1, 2],
        [1, 2, 3],
        [2, 3, 6],
        [3, 6, 4],
        [6, 4, 6],
      ]);
    });

    it('never draws the separator of documents', () => {
      // 3 would be next.
      expect(continueText(summing(), [1, 2], GREEDY, createRandom('x'), 3).next().value).to.equal(0);
    });

    it('gives the same tokens for a seed, others for another', () => {
      const draw = (seed: string) => take(continueText(open, [5, 6, 7], WILD, createRandom(seed), 256), 30);
      expect(draw('one')).to.deep.equal(draw('one'));
      expect(draw('one')).to.not.deep.equal(draw('two'));
      for (const token of draw('one')) expect(token).to.be.within(0, 299);
    });

    it('leaves no tensors behind', () => {
      const { tf } = open.compute;
      const before = tf.memory().numTensors;
      take(continueText(open, [5], WILD, createRandom('leak'), 256), 5);
      expect(tf.memory().numTensors).to.equal(before);
    });

    it('refuses an empty prompt and impossible settings', async () => {
      await expectError(() => continueText(open, [], GREEDY, createRandom('x'), 256).next(), 'PROMPT');
      const hot = { ...GREEDY, temperature: -1 };
      await expectError(() => continueText(open, [1], hot, createRandom('x'), 256).next(), 'SAMPLING');
    });
  });

  describe('images', () => {
    let open: OpenModel<ImageGenerator>;
    before(async () => {
      const real = await openRandom(VAE);
      isGenerator(real, 'image-generation');
      open = real;
    });

    it('each label gets its image, over batches', () => {
      // The pixel at the label's place is white, all others black.
      const decode: ImageGenerator['decode'] = ({ tf }, _, __, labels) =>
        tf.sub(
          tf.mul(
            tf.pad(labels, [
              [0, 0],
              [0, 33],
            ]),
            40,
          ),
          20,
        ) as Tensor2D;
      const labels = Array.from({ length: 450 }, (_, i) => (i * 7) % 3);
      const images = drawImages({ ...open, model: { ...open.model, decode } }, labels, createRandom('x'));
      expect(images).to.have.length(450 * 36);
      labels.forEach((label, i) => {
        const image = [...images.subarray(i * 36, (i + 1) * 36)];
        expect(image).to.deep.equal(Array.from({ length: 36 }, (_, pixel) => (pixel === label ? 255 : 0)));
      });
    });

    it('gives the same images for a seed, others for another, each its own', () => {
      const draw = (seed: string) => drawImages(open, [0, 0, 1], createRandom(seed));
      expect(draw('one')).to.deep.equal(draw('one'));
      expect(draw('one')).to.not.deep.equal(draw('two'));
      const images = draw('one');
      expect(images.subarray(0, 36), 'two of the same class').to.not.deep.equal(images.subarray(36, 72));
    });

    it('fills up the classes that a silo lacks, and leaves its own samples as they are', async () => {
      const x = Uint8Array.from({ length: 5 * 36 }, (_, i) => i);
      const silo = {
        name: 'silo',
        features: 36,
        classes: 3,
        size: 5,
        x,
        y: Uint8Array.of(2, 0, 0, 0, 2),
        scale: 1 / 255,
      };
      const full = fillClasses(open, silo, 3, createRandom('fill'));
      expect(countClasses(full)).to.deep.equal([3, 3, 3]);
      expect([...full.x.subarray(0, 5 * 36)]).to.deep.equal([...x]);
      expect([...full.y]).to.deep.equal([2, 0, 0, 0, 2, 1, 1, 1, 2]);
      expect([...full.x.subarray(5 * 36)]).to.deep.equal([...drawImages(open, [1, 1, 1, 2], createRandom('fill'))]);
      expect(fillClasses(open, silo, 0, createRandom('fill')).size, 'nothing to draw').to.equal(5);
      await expectError(() => fillClasses(open, { ...silo, classes: 4 }, 3, createRandom('fill')), 'GENERATED_SHAPE');
    });

    it('at temperature 0 all images of a class are the same; the default is the prior itself', () => {
      const images = drawImages(open, [1, 1], createRandom('cold'), 0);
      expect(images.subarray(0, 36)).to.deep.equal(images.subarray(36));
      expect(drawImages(open, [1], createRandom('x'))).to.deep.equal(drawImages(open, [1], createRandom('x'), 1));
    });

    it('refuses a class that is not there', async () => {
      await expectError(() => drawImages(open, [0, 3], createRandom('x')), 'CLASS_RANGE');
    });
  });

  it('refuses a model of another task, weights of another model, adapters without their base', async () => {
    const vae = await openRandom(VAE);
    await expectError(() => isGenerator(vae, 'language-model'), 'GENERATION_TASK');
    await expectError(() => openModel(VAE, new Float32Array(3)), 'WEIGHTS_LENGTH');
    const base = { cid: 'bafy', sha256: '0'.repeat(64), model: VAE };
    const lora = { kind: 'lora', base, rank: 1, alpha: 1, targets: ['encoder/mean/kernel'] };
    await expectError(() => openModel(lora, new Float32Array(describeModel(lora).dimension)), 'ADAPTERS_ALONE');
  });
});
