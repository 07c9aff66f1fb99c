import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { AssayError } from '../../protocol/errors.ts';
import { glorotUniform, heUniform } from './initialisers.ts';
import type { Classifier, ModelSpec } from './model.ts';
import { listTensors } from './tensorList.ts';

const positive = z.number().int().positive();

/** One step from the image to the logits. Pools only take windows inside the image. */
const stage = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('conv'),
    /** Side of the square filters, pixels. */
    size: positive,
    filters: positive,
    strides: positive,
    padding: z.enum(['same', 'valid']),
    activation: z.enum(['linear', 'relu']),
  }),
  z.strictObject({ kind: z.literal('maxPool'), size: positive, strides: positive }),
  z.strictObject({ kind: z.literal('avgPool'), size: positive, strides: positive }),
  z.strictObject({ kind: z.literal('dense'), units: positive, activation: z.enum(['relu', 'tanh', 'sigmoid']) }),
]);

/**
 * Convolutional network for images (LeCun et al. 1998): convolutions and pools, then dense layers, then `output` with
 * one logit per class. Layers are named `conv1`, `conv2`, ... and `dense1`, `dense2`, ...; a convolution's `kernel` is
 * `[size, size, channels, filters]`.
 */
export const cnnSettings = z.strictObject({
  kind: z.literal('cnn'),
  /** Height, width, channels; a sample is the image row by row, channels innermost. */
  image: z.tuple([positive, positive, positive]),
  classes: z.number().int().min(2),
  stages: z.array(stage),
});

export type CnnSettings = Readonly<z.infer<typeof cnnSettings>>;
type Stage = CnnSettings['stages'][number];

/** A stage with its name and the shapes on both sides of it, without the batch. */
export interface PlacedStage {
  readonly name: string;
  readonly stage: Stage;
  readonly input: readonly number[];
  readonly output: readonly number[];
}

/** @throws AssayError MODEL_SETTINGS when the stages do not fit together */
export function buildCnn(settings: CnnSettings): Classifier {
  const { classes, image } = settings;
  const placed = placeStages(settings);
  const features = product(placed.at(-1)?.output ?? image);
  const shapes: Record<string, readonly number[]> = { 'output/kernel': [features, classes], 'output/bias': [classes] };
  const rectified = new Set<string>();
  for (const { name, stage, input } of placed) {
    if (stage.kind === 'conv') {
      shapes[`${name}/kernel`] = [stage.size, stage.size, input[2]!, stage.filters];
      shapes[`${name}/bias`] = [stage.filters];
    } else if (stage.kind === 'dense') {
      shapes[`${name}/kernel`] = [product(input), stage.units];
      shapes[`${name}/bias`] = [stage.units];
    } else continue;
    if (stage.activation === 'relu') rectified.add(`${name}/kernel`);
  }

  return {
    task: 'classification',
    spec: settings as ModelSpec,
    inputs: product(image),
    classes,
    ...listTensors(shapes),
    head: ['output/bias', 'output/kernel'],

    initialise({ name, shape }, values, random) {
      if (shape.length < 2) return;
      const window = product(shape.slice(0, -2));
      const fanIn = window * shape.at(-2)!;
      if (rectified.has(name)) heUniform(values, fanIn, random);
      else glorotUniform(values, fanIn, window * shape.at(-1)!, random);
    },

    logits({ tf, ops }, weights, samples) {
      let signal = tf.reshape(samples, [-1, ...image]);
      for (const { name, stage, input } of placed) {
        switch (stage.kind) {
          case 'conv':
            signal = ops.conv2d(
              signal as Tensor4D,
              weights[`${name}/kernel`] as Tensor4D,
              weights[`${name}/bias`] as Tensor1D,
              stage,
            );
            break;
          case 'dense': {
            const flat = input.length === 1 ? signal : tf.reshape(signal, [-1, product(input)]);
            const kernel = weights[`${name}/kernel`] as Tensor2D;
            signal = ops.dense(flat, kernel, weights[`${name}/bias`] as Tensor1D, stage.activation);
            break;
          }
          default:
            signal = ops[stage.kind](signal as Tensor4D, stage.size, stage.strides);
        }
      }
      const flat = signal.rank === 2 ? signal : tf.reshape(signal, [-1, features]);
      return ops.dense(flat, weights['output/kernel'] as Tensor2D, weights['output/bias'] as Tensor1D) as Tensor2D;
    },
  };
}

/** Every stage with its name and its shapes. @throws AssayError MODEL_SETTINGS when one does not fit the one before it */
export function placeStages({ image, stages }: CnnSettings): PlacedStage[] {
  const counts: Record<string, number> = {};
  let input: readonly number[] = image;
  return stages.map((stage, i) => {
    const number = (counts[stage.kind] ?? 0) + 1;
    counts[stage.kind] = number;
    if (stage.kind !== 'dense' && input.length === 1)
      throw misfit(i, stage, 'an image before it: dense stages come last');
    const output = outputOf(stage, input);
    if (output.some((side) => side < 1))
      throw misfit(i, stage, `a window within the ${input.join(' x ')} that come in`);
    const placed = { name: `${stage.kind}${number}`, stage, input, output };
    input = output;
    return placed;
  });
}

function outputOf(stage: Stage, input: readonly number[]): readonly number[] {
  if (stage.kind === 'dense') return [stage.units];
  const side = (length: number) =>
    stage.kind === 'conv' && stage.padding === 'same'
      ? Math.ceil(length / stage.strides)
      : Math.floor((length - stage.size) / stage.strides) + 1;
  return [side(input[0]!), side(input[1]!), stage.kind === 'conv' ? stage.filters : input[2]!];
}

function product(sides: readonly number[]): number {
  return sides.reduce((all, side) => all * side, 1);
}

function misfit(index: number, stage: Stage, expected: string): AssayError {
  return new AssayError('MODEL_SETTINGS', {
    summary: `stage ${index + 1} of the cnn model does not fit the stages before it`,
    expected,
    received: JSON.stringify(stage),
    fix: 'make the window smaller, or change the order of the stages',
  });
}
