import { vocabularySize } from '../../../protocol/encoding/manifest.ts';
import type { Dataset } from '../../datasets/dataset.ts';
import type { AnyDataset, TextDataset } from '../../datasets/text/textDataset.ts';
import { createRandom, type SeedPart } from '../../random.ts';
import type { TrainingManifest } from '../trainer.ts';

/**
 * Data of a manifest's shape that can be learned and means nothing: to see a trainer work before there is a federation.
 * Samples: each class its own random corner of the unit cube, with noise, in [0, 1] as images are. Text: a random walk in
 * which a token names its successor most of the time.
 */
export function syntheticData({ data }: TrainingManifest, size: number, seed: SeedPart): AnyDataset {
  return 'features' in data
    ? syntheticSamples(data.features, data.classes, size, seed)
    : syntheticText(data.context, vocabularySize(data), size, seed);
}

function syntheticSamples(features: number, classes: number, size: number, seed: SeedPart): Dataset {
  const corners = createRandom('corners', features, classes);
  const corner = Uint8Array.from({ length: classes * features }, () => corners.nextInt(2));
  const random = createRandom(seed, 'samples');
  const x = new Float32Array(size * features);
  const y = new Int32Array(size);
  for (let row = 0; row < size; row++) {
    const label = row % classes;
    y[row] = label;
    for (let j = 0; j < features; j++) {
      x[row * features + j] = 0.25 + 0.5 * corner[label * features + j]! + 0.5 * (random.nextFloat() - 0.5);
    }
  }
  return { name: 'synthetic', features, classes, size, x, y, scale: 1 };
}

function syntheticText(context: number, vocabulary: number, size: number, seed: SeedPart): TextDataset {
  const random = createRandom(seed, 'text');
  const tokens = new Uint16Array(size * context + 1);
  let token = random.nextInt(vocabulary);
  for (let i = 0; i < tokens.length; i++) {
    tokens[i] = token;
    token = random.nextInt(8) === 0 ? random.nextInt(vocabulary) : (token * 5 + 1) % vocabulary;
  }
  return { kind: 'text', name: 'synthetic', tokens, context, size, vocabulary, bytes: tokens.length };
}
