/** What a case trains on: samples from a seed, of the shape of real ones. Speed does not depend on what they show. */
import type { Dataset } from '../../client/datasets/dataset.ts';
import { type AnyDataset, isText, type TextDataset } from '../../client/datasets/text/textDataset.ts';
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

/** `size` images of bytes with labels, or windows of tokens. */
export function makeData(bench: TrainCase, size: number): AnyDataset {
  return bench.task === 'language-model' ? makeText(bench, size) : makeImages(bench, size);
}

function makeImages({ name, model }: TrainCase, size: number): Dataset {
  const random = createRandom('bench:train', name, 'images');
  const features = 784;
  const classes = model.classes as number;
  const x = Uint8Array.from({ length: size * features }, () => random.nextInt(256));
  const y = Uint8Array.from({ length: size }, () => random.nextInt(classes));
  return { name: 'synthetic', features, classes, size, x, scale: 1 / 255, y };
}

function makeText({ name, model }: TrainCase, size: number): TextDataset {
  const random = createRandom('bench:train', name, 'tokens');
  const [context, vocabulary] = [model.context as number, model.vocabulary as number];
  const length = size * context + 1;
  const tokens = Uint16Array.from({ length }, () => random.nextInt(vocabulary));
  return { kind: 'text', name: 'synthetic', tokens, context, size, vocabulary, bytes: length };
}

/**
 * The same for PyTorch: `samples` `[size, features]` with `labels` `[size]`, or `tokens` `[size, context]` with the
 * `next` of each.
 */
export function encodeData(bench: TrainCase, size: number): Uint8Array {
  const data = makeData(bench, size);
  if (isText(data)) {
    const shape = [size, data.context];
    const tokens = data.tokens.subarray(0, size * data.context);
    return encodeTensors([
      { name: 'tokens', shape, values: tokens },
      { name: 'next', shape, values: data.tokens.subarray(1) },
    ]);
  }
  const { x, y, features, scale } = data;
  return encodeTensors([
    { name: 'samples', shape: [size, features], values: Float32Array.from(x, (value) => value * scale) },
    { name: 'labels', shape: [size], values: y },
  ]);
}

export interface NamedValues {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** A safetensors file. */
export function encodeTensors(named: readonly NamedValues[]): Uint8Array {
  const tensors = named.toSorted((a, b) => compareBytewise(a.name, b.name));
  const weights = new Float32Array(tensors.reduce((sum, { values }) => sum + values.length, 0));
  let offset = 0;
  for (const { values } of tensors) {
    weights.set(values, offset);
    offset += values.length;
  }
  return encodeSafetensors({ tensors: tensors.map(({ name, shape }) => ({ name, shape })), weights, metadata: {} });
}
