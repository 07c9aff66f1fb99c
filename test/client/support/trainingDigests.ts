import { sha256 } from '#sha256';
import type { AnyDataset } from '../../../client/datasets/text/textDataset.ts';
import { describeModel } from '../../../client/models/registry.ts';
import { createRandom } from '../../../client/random.ts';
import { createEngine } from '../../../client/training/tfjs/engine.ts';
import { toHex } from '../../../protocol/encoding/bytes.ts';
import type { Manifest } from '../../../protocol/encoding/manifest.ts';
import { smallManifest } from './smallFederation.ts';

const random = createRandom('training digests');

function images(size: number, features: number, classes: number): AnyDataset {
  const x = Float32Array.from({ length: size * features }, () => random.nextFloat());
  const y = Int32Array.from({ length: size }, (_, row) => row % classes);
  return { name: 'images', features, classes, size, x, y, scale: 1 };
}

function text(length: number, context: number): AnyDataset {
  const tokens = Uint16Array.from({ length }, () => random.nextInt(257));
  const size = Math.floor((length - 1) / context);
  return { kind: 'text', name: 'text', tokens, context, size, vocabulary: 257, bytes: length };
}

const conv = (size: number, filters: number, padding: string) => ({
  ...{ kind: 'conv', size, filters, strides: 1, padding, activation: 'relu' },
});
const pool = (kind: string) => ({ kind, size: 2, strides: 2 });
const tokenizer: { kind: 'byte-bpe'; merges: [number, number][] } = { kind: 'byte-bpe', merges: [] };
const letters = { task: 'language-model', data: { context: 9, tokenizer } } as const;

/** A model of every kind, odd sizes, both optimisers; all kernels that models run on take part. */
const CASES: Readonly<Record<string, { manifest: Partial<Manifest>; data: AnyDataset }>> = {
  mlp: {
    manifest: {
      model: { kind: 'mlp', inputs: 30, hidden: [17, 9], classes: 3, activation: 'tanh' },
      data: { features: 30, classes: 3 },
    },
    data: images(50, 30, 3),
  },
  cnn: {
    manifest: {
      model: {
        ...{ kind: 'cnn', image: [13, 11, 1], classes: 3 },
        stages: [
          ...[conv(5, 8, 'same'), pool('maxPool'), conv(5, 16, 'same'), conv(3, 8, 'same'), pool('avgPool')],
          { kind: 'dense', units: 12, activation: 'sigmoid' },
        ],
      },
      data: { features: 143, classes: 3 },
    },
    data: images(40, 143, 3),
  },
  lstm: {
    manifest: { ...letters, model: { kind: 'lstm', vocabulary: 257, context: 9, embedding: 6, hidden: 10, layers: 2 } },
    data: text(200, 9),
  },
  transformer: {
    manifest: {
      ...letters,
      model: {
        ...{ kind: 'transformer', vocabulary: 257, context: 9, width: 12, layers: 2, heads: 3, feedForward: 20 },
      },
    },
    data: text(200, 9),
  },
  vae: {
    manifest: {
      task: 'image-generation',
      model: { kind: 'vae', inputs: 30, classes: 3, hidden: [14], latent: 5 },
      data: { features: 30, classes: 3 },
    },
    data: images(50, 30, 3),
  },
};

/** For each kind of model the hash of the weights that a short training ends with: `{ cnn: '0x...' }`. */
export async function trainingDigests(): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const [name, { manifest: own, data }] of Object.entries(CASES)) {
    const parts: Uint8Array[] = [];
    for (const training of [
      { optimizer: 'sgd', momentum: 0.9, learningRate: 0.05 },
      { optimizer: 'adam', momentum: 0, learningRate: 0.01, maxGradientNorm: 1 },
    ] as const) {
      const manifest = { ...smallManifest({ localEpochs: 2, batchSize: 16, ...training }), ...own } as Manifest;
      const tensors = describeModel(manifest.model).tensors.map(({ name, shape }) => ({ name, shape: [...shape] }));
      const engine = await createEngine({ ...manifest, tensors });
      const { weights } = engine.train(data, { weights: engine.init('digests'), round: 2, seed: 'digests' });
      if (!weights.every(Number.isFinite)) throw new Error(`${name} learned infinities`);
      parts.push(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength));
    }
    digests[name] = toHex(sha256(Buffer.concat(parts)));
  }
  return digests;
}
