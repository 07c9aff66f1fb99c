import type { Tensor } from '@tensorflow/tfjs-core';
import type { TensorFlow } from '../../../client/models/model.ts';
import { createRandom, type Random } from '../../../client/random.ts';

/** A differentiable function of float tensors, and where its gradient is tried. */
export interface Differentiable {
  readonly name: string;
  readonly inputs: readonly Values[];
  run(inputs: readonly Tensor[]): Tensor;
  /**
   * Step of the differences: the larger, the less the rounding of single precision shows, until the function bends. 1/8
   * unless given; small for functions with kinks.
   */
  readonly step?: number;
  /** What the differences may be off by, as a share of the gradient's length: 1e-4 unless given. */
  readonly tolerance?: number;
}

/** A shape and how its numbers are drawn. */
export interface Values {
  readonly shape: readonly number[];
  readonly kind: 'any' | 'positive' | 'apart';
}

/** Uniform in -1..1. */
export const any = (...shape: number[]): Values => ({ shape, kind: 'any' });
/** Uniform in 1..2. */
export const positive = (...shape: number[]): Values => ({ shape, kind: 'positive' });
/** All numbers at least 0.3 from each other and from zero, most of them negative: no small step reorders them. */
export const apart = (...shape: number[]): Values => ({ shape, kind: 'apart' });

function draw({ shape, kind }: Values, random: Random): Float32Array {
  const length = shape.reduce((product, side) => product * side, 1);
  const values = Float32Array.from({ length }, () => 2 * random.nextFloat() - 1);
  if (kind === 'positive') return values.map((value) => 1.5 + value / 2);
  if (kind === 'any') return values;
  const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!);
  const ranks = new Float32Array(length);
  order.forEach((place, rank) => {
    ranks[place] = (rank - 0.9 * length) * 0.3 + 0.15;
  });
  return ranks;
}

/**
 * How far the gradient of `w . f(x)` that TF.js's tape gives lies from central differences of fourth order,
 *
 *     ( 8 [f(x + h v) - f(x - h v)] - [f(x + 2 h v) - f(x - 2 h v)] ) / 12 h
 *
 * along random directions v in each input alone: every coordinate takes part, a wrong one shows. The function runs in
 * single precision; w . f is summed in double. As a share of the gradient's length; the largest over inputs and
 * directions.
 */
export function gradientError(tf: TensorFlow, test: Differentiable, directions = 3): number {
  const random = createRandom('finite differences', test.name);
  const inputs = test.inputs.map((values) => draw(values, random));
  const tensor = (values: Float32Array, i: number) => tf.tensor(values, [...test.inputs[i]!.shape]);
  const shape = tf.tidy(() => test.run(inputs.map(tensor)).shape);
  const weights = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => 2 * random.nextFloat() - 1);

  const at = (moved: number, direction: Float32Array, h: number): number => {
    const places = inputs.map((x, i) => (i === moved ? x.map((value, j) => value + h * direction[j]!) : x));
    const out = tf.tidy(() => test.run(places.map(tensor)).dataSync<'float32'>());
    return out.reduce((sum, value, i) => sum + value * weights[i]!, 0);
  };
  const gradients = tf.tidy(() =>
    tf
      .grads((...tensors: Tensor[]) => test.run(tensors))(inputs.map(tensor), tf.tensor(weights, shape))
      .map((gradient) => gradient.dataSync<'float32'>()),
  );

  const h = test.step ?? 1 / 8;
  let worst = 0;
  inputs.forEach((x, i) => {
    const length = Math.hypot(...gradients[i]!);
    for (let d = 0; d < directions; d++) {
      // +-1, so that x + h v is exact where h is a power of two and x has bits to spare.
      const direction = Float32Array.from(x, () => (random.nextFloat() < 0.5 ? -1 : 1));
      const difference =
        (8 * (at(i, direction, h) - at(i, direction, -h)) - (at(i, direction, 2 * h) - at(i, direction, -2 * h))) /
        (12 * h);
      const given = gradients[i]!.reduce((sum, value, j) => sum + value * direction[j]!, 0);
      const error = Math.abs(difference - given) / Math.max(length, 1e-3);
      if (!(error <= worst)) worst = error;
    }
  });
  return worst;
}
