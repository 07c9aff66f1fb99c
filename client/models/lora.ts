import type { Tensor2D } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { type TensorSpec, tensorSlices } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import { checkLength } from './checkLength.ts';
import { fillUniform } from './initialisers.ts';
import type { Compute, Model, ModelSpec, NamedTensors } from './model.ts';
import { listTensors } from './tensorList.ts';

/**
 * Low-rank adaptation (Hu et al. 2022, section 4.1): a public base model stays as it is, and beside each chosen matrix W
 * `[in, out]` two thin ones are trained. Only these are federated: small updates for a big model.
 *
 *     W' = W + (alpha / rank) A B,   A [in, rank], B [rank, out],   B = 0 at first: round 0 is the base model
 *
 * A filter `[kh, kw, c, o]` counts as the matrix `[kh kw c, o]`. For a target `block1/attention/kernel` the adapters are
 * named `block1/attention/kernel/loraA` and `.../loraB`.
 */
export const loraSettings = z.strictObject({
  kind: z.literal('lora'),
  base: z.strictObject({
    /** The base's weights: a safetensors file with exactly the base model's tensors. */
    cid: z.string().min(1),
    /** SHA-256 of that file, hexadecimal: whoever got it by another way can check it too. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    model: z.looseObject({
      kind: z
        .string()
        .min(1)
        .refine((kind) => kind !== 'lora', 'a base that is whole: merge its adapters into its base first'),
    }),
  }),
  rank: z.number().int().positive(),
  alpha: z.number().positive(),
  /** Names of the base's tensors; `*` stands for any characters: `block*\/attention/kernel`. */
  targets: z.array(z.string().min(1)).min(1),
});

export type LoraSettings = Readonly<z.infer<typeof loraSettings>>;

/** A tensor of the base with its adapters, seen as a matrix. */
export interface LoraTarget {
  readonly target: TensorSpec;
  readonly a: string;
  readonly b: string;
  readonly rows: number;
  readonly columns: number;
}

/** @throws AssayError MODEL_SETTINGS when a target names no matrix of the base */
export function buildLora(settings: LoraSettings, base: Model): Model {
  const { rank, alpha } = settings;
  const targets = loraTargets(settings, base);
  const shapes: Record<string, readonly number[]> = {};
  for (const { a, b, rows, columns } of targets) {
    shapes[a] = [rows, rank];
    shapes[b] = [rank, columns];
  }

  const adapt = ({ tf }: Compute, weights: NamedTensors): NamedTensors => {
    const adapted: Record<string, NamedTensors[string]> = { ...weights };
    for (const { target, a, b } of targets) {
      const change = tf.mul(tf.matMul(weights[a] as Tensor2D, weights[b] as Tensor2D), alpha / rank);
      adapted[target.name] = tf.add(weights[target.name]!, tf.reshape(change, [...target.shape]));
    }
    return adapted;
  };

  const common = {
    spec: settings as ModelSpec,
    ...listTensors(shapes),
    frozen: base.tensors,
    head: targets.filter(({ target }) => base.head.includes(target.name)).flatMap(({ a, b }) => [a, b]),

    initialise({ name, shape }: TensorSpec, values: Float32Array, random: Parameters<Model['initialise']>[2]) {
      if (name.endsWith('/loraA')) fillUniform(values, 1 / Math.sqrt(shape[0]!), random);
    },
  };
  if (base.task === 'image-generation') {
    return {
      ...base,
      ...common,
      encode: (compute, weights, samples, labels) => base.encode(compute, adapt(compute, weights), samples, labels),
      decode: (compute, weights, points, labels) => base.decode(compute, adapt(compute, weights), points, labels),
    };
  }
  if (base.task === 'language-model') {
    return {
      ...base,
      ...common,
      logits: (compute, weights, tokens) => base.logits(compute, adapt(compute, weights), tokens),
    };
  }
  return {
    ...base,
    ...common,
    logits: (compute, weights, samples) => base.logits(compute, adapt(compute, weights), samples),
  };
}

/** The tensors of the base that are adapted, in coordinate order. @throws AssayError MODEL_SETTINGS */
export function loraTargets(settings: Pick<LoraSettings, 'targets' | 'rank'>, base: Model): LoraTarget[] {
  const matrices = base.tensors.filter(({ shape }) => shape.length >= 2);
  for (const text of settings.targets) {
    if (matrices.some(({ name }) => matches(name, text))) continue;
    throw new AssayError('MODEL_SETTINGS', {
      summary: 'the settings of the lora model do not fit its base',
      expected: `targets among ${matrices.map(({ name }) => name).join(', ')}`,
      received: text,
      fix: 'name a matrix; * stands for any characters',
    });
  }
  const chosen = matrices.filter(({ name }) => settings.targets.some((text) => matches(name, text)));
  return chosen.map((target) => {
    const columns = target.shape.at(-1)!;
    const rows = target.shape.slice(0, -1).reduce((product, side) => product * side, 1);
    return { target, a: `${target.name}/loraA`, b: `${target.name}/loraB`, rows, columns };
  });
}

/**
 * The base with its adapters folded in: a plain model of the base's kind, to export, to generate with, or to adapt
 * again. The product is summed in double precision and rounded once.
 *
 * @param adapters `[d]`, the adapter model's order
 * @param frozen the base's weights, in the base's order
 */
export function mergeAdapters(
  settings: LoraSettings,
  base: Model,
  adapters: Float32Array,
  frozen: Float32Array,
): Float32Array {
  const targets = loraTargets(settings, base);
  const shapes = Object.fromEntries(
    targets.flatMap(({ a, b, rows, columns }) => [
      [a, [rows, settings.rank]],
      [b, [settings.rank, columns]],
    ]),
  );
  const listed = listTensors(shapes);
  checkLength(adapters, listed.dimension, 'adapters');
  checkLength(frozen, base.dimension, 'weights of the base');
  const own = new Map(tensorSlices(listed.tensors).map((slice) => [slice.name, slice.offset]));
  const places = new Map(tensorSlices(base.tensors).map((slice) => [slice.name, slice.offset]));
  const { rank, alpha } = settings;
  const merged = frozen.slice();
  for (const { target, a, b, rows, columns } of targets) {
    const [atA, atB, place] = [own.get(a)!, own.get(b)!, places.get(target.name)!];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let k = 0; k < rank; k++) sum += adapters[atA + row * rank + k]! * adapters[atB + k * columns + column]!;
        const at = place + row * columns + column;
        merged[at] = frozen[at]! + (alpha / rank) * sum;
      }
    }
  }
  return merged;
}

/**
 * Whether a name fits a pattern with stars, in time linear in both: manifests come from strangers, and an expression made
 * of their stars could take for ever.
 */
function matches(name: string, pattern: string): boolean {
  const [first, ...rest] = pattern.split('*') as [string, ...string[]];
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
