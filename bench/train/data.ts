/** What a case trains on: samples from a seed, of the shape of real ones. Speed does not depend on what they show. */
import type { Dataset } from '../../client/datasets/dataset.ts';
import { encodeSafetensors } from '../../client/export/safetensors.ts';
import type { Model } from '../../client/models/model.ts';
import { createRandom } from '../../client/random.ts';
import { compareBytewise, tensorSlices } from '../../protocol/encoding/manifest.ts';
import type { TrainCase } from './plan.ts';

/** Weights that every engine starts from. */
export function initialWeights({ name }: TrainCase, model: Model): Float32Array {
  const weights = new Float32Array(model.dimension);
  for (const slice of tensorSlices(model.tensors)) {
    const values = weights.subarray(slice.offset, slice.offset + slice.length);
    model.initialise(slice, values, createRandom('bench:train', name, slice.name));
  }
  return weights;
}

/** `size` images of bytes with labels; more of them begin with the same. */
export function makeImages({ name, model }: TrainCase, size: number): Dataset {
  const pixels = createRandom('bench:train', name, 'pixels');
  const labels = createRandom('bench:train', name, 'labels');
  const features = 784;
  const classes = model.classes as number;
  const x = Uint8Array.from({ length: size * features }, () => pixels.nextInt(256));
  const y = Uint8Array.from({ length: size }, () => labels.nextInt(classes));
  return { name: 'synthetic', features, classes, size, x, scale: 1 / 255, y };
}

/** Tokens of `size` windows one after the other, and the one that follows the last. */
export function makeTokens({ name, model }: TrainCase, size: number): Uint16Array {
  const random = createRandom('bench:train', name, 'tokens');
  const length = size * (model.context as number) + 1;
  return Uint16Array.from({ length }, () => random.nextInt(model.vocabulary as number));
}

/** Windows of context + 1 tokens, `[size, context + 1]`: the last token of one is the first of the next. */
export function windowsOf(tokens: Uint16Array, context: number): Int32Array {
  const size = (tokens.length - 1) / context;
  return Int32Array.from(
    { length: size * (context + 1) },
    (_, i) => tokens[Math.floor(i / (context + 1)) * context + (i % (context + 1))]!,
  );
}

/** The same for PyTorch: `samples` `[size, features]` with `labels` `[size]`, or windows as `tokens`. */
export function encodeData(bench: TrainCase, size: number): Uint8Array {
  if (bench.task === 'language-model') {
    const context = bench.model.context as number;
    const windows = windowsOf(makeTokens(bench, size), context);
    return encode([{ name: 'tokens', shape: [size, context + 1], values: windows }]);
  }
  const { x, y, features, scale } = makeImages(bench, size);
  return encode([
    { name: 'samples', shape: [size, features], values: Float32Array.from(x, (value) => value * scale) },
    { name: 'labels', shape: [size], values: y },
  ]);
}

interface Named {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

function encode(named: readonly Named[]): Uint8Array {
  const tensors = named.toSorted((a, b) => compareBytewise(a.name, b.name));
  const weights = new Float32Array(tensors.reduce((sum, { values }) => sum + values.length, 0));
  let offset = 0;
  for (const { values } of tensors) {
    weights.set(values, offset);
    offset += values.length;
  }
  return encodeSafetensors({ tensors: tensors.map(({ name, shape }) => ({ name, shape })), weights, metadata: {} });
}
