import type { Dataset } from '../../../client/datasets/dataset.ts';
import { describeModel } from '../../../client/models/registry.ts';
import { createRandom, type SeedPart } from '../../../client/random.ts';
import type { Manifest } from '../../../protocol/encoding/manifest.ts';

/** Three classes in four dimensions: normal clouds around corners, easy to learn in a few milliseconds. */
export function clouds(size: number, seed: SeedPart): Dataset {
  const random = createRandom(seed, 'clouds');
  const x = new Float32Array(size * 4);
  const y = new Int32Array(size);
  for (let row = 0; row < size; row++) {
    const label = random.nextInt(3);
    y[row] = label;
    for (let j = 0; j < 4; j++) x[row * 4 + j] = (j === label ? 2 : 0) + 0.5 * random.nextNormal();
  }
  return { name: 'clouds', features: 4, classes: 3, size, x, y, scale: 1 };
}

export function smallManifest(training: Partial<Manifest['training']> = {}): Manifest {
  const model = { kind: 'mlp', inputs: 4, hidden: [8], classes: 3, activation: 'relu' };
  return {
    format: 'assay-manifest/1',
    name: 'clouds',
    task: 'classification',
    model,
    tensors: describeModel(model).tensors.map(({ name, shape }) => ({ name, shape: [...shape] })),
    training: { localEpochs: 3, batchSize: 16, learningRate: 0.1, optimizer: 'sgd', momentum: 0.5, ...training },
    data: { features: 4, classes: 3 },
    engine: 'tfjs-wasm/3',
  };
}
