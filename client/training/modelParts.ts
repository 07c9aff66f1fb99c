import { type TensorSlice, type TensorSpec, tensorSlices } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import { checkLength } from '../models/checkLength.ts';
import type { Model } from '../models/model.ts';
import { createRandom, type SeedPart } from '../random.ts';
import type { LocalMemory, TrainingManifest } from './trainer.ts';

/** Name of the own head in a participant's memory. */
export const HEAD = 'head';

/** Values by name of tensor. */
export type NamedVectors = ReadonlyMap<string, Float32Array>;

/**
 * A model in two parts: the tensors that are trained jointly (the manifest's), and the head, which stays at home where the
 * manifest says `personal` and is empty elsewhere. "Whole" vectors hold both, in the model's order of coordinates.
 */
export interface ModelParts {
  readonly federated: readonly TensorSlice[];
  readonly head: readonly TensorSlice[];
  /** Coordinates of the whole model. */
  readonly dimension: number;
  /** Federated weights `[d]` and a head as one whole vector. @throws AssayError WEIGHTS_LENGTH */
  join(federated: Float32Array, head: Float32Array): Float32Array;
  /** The federated part of a whole vector. */
  federatedOf(whole: Float32Array): Float32Array;
  /** The head of a whole vector. */
  headOf(whole: Float32Array): Float32Array;
  /** A federated vector by name of tensor, without copying. */
  byName(federated: Float32Array): NamedVectors;
  /** Initial values of the federated part, or of the head. */
  initialise(part: 'federated' | 'head', seed: SeedPart): Float32Array;
  /** The own head: what a participant kept, or, before its first round, the one its seed starts with. */
  ownHead(memory: LocalMemory | null | undefined, seed: SeedPart): Float32Array;
}

/**
 * The parts of a manifest's model.
 * @throws AssayError MODEL_TENSORS when the manifest lists other tensors than its model has: coordinates of another
 *   order would mean other weights
 */
export function modelParts(model: Model, manifest: Pick<TrainingManifest, 'tensors' | 'training'>): ModelParts {
  const atHome = new Set(manifest.training.personal === undefined ? [] : model.head);
  const whole = tensorSlices(model.tensors);
  const expected = model.tensors.filter(({ name }) => !atHome.has(name));
  const list = (tensors: readonly TensorSpec[]) =>
    tensors.map(({ name, shape }) => `${name}[${shape.join(',')}]`).join(' ');
  if (list(expected) !== list(manifest.tensors)) {
    throw new AssayError('MODEL_TENSORS', {
      summary: 'the tensors in the manifest are not those of its model',
      expected: list(expected),
      received: list(manifest.tensors),
      fix: 'make the manifest anew from the model',
    });
  }
  const place = new Map(whole.map((slice) => [slice.name, slice.offset]));
  const federated = tensorSlices(expected);
  const head = tensorSlices(model.tensors.filter(({ name }) => atHome.has(name)));

  const sizeOf = (slices: readonly TensorSlice[]) => slices.reduce((sum, { length }) => sum + length, 0);
  const extract = (slices: readonly TensorSlice[], values: Float32Array): Float32Array => {
    const part = new Float32Array(sizeOf(slices));
    for (const { name, offset, length } of slices) {
      const from = place.get(name)!;
      part.set(values.subarray(from, from + length), offset);
    }
    return part;
  };
  const insert = (slices: readonly TensorSlice[], part: Float32Array, values: Float32Array, what: string): void => {
    checkLength(part, sizeOf(slices), what);
    for (const { name, offset, length } of slices) values.set(part.subarray(offset, offset + length), place.get(name)!);
  };
  const initialise = (part: 'federated' | 'head', seed: SeedPart): Float32Array => {
    const slices = part === 'head' ? head : federated;
    const values = new Float32Array(sizeOf(slices));
    for (const slice of slices) {
      const own = values.subarray(slice.offset, slice.offset + slice.length);
      model.initialise(slice, own, createRandom(seed, 'initialise', slice.name));
    }
    return values;
  };
  return {
    federated,
    head,
    dimension: model.dimension,
    join(federatedValues, headValues) {
      const values = new Float32Array(model.dimension);
      insert(federated, federatedValues, values, 'weights');
      insert(head, headValues, values, 'values of the head');
      return values;
    },
    federatedOf: (values) => extract(federated, values),
    headOf: (values) => extract(head, values),
    byName: (values) =>
      new Map(federated.map(({ name, offset, length }) => [name, values.subarray(offset, offset + length)])),
    initialise,
    ownHead: (memory, seed) => memory?.[HEAD] ?? initialise('head', seed),
  };
}
