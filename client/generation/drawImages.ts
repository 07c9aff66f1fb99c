import type { Tensor2D } from '@tensorflow/tfjs-core';
import { AssayError } from '../../protocol/errors.ts';
import type { ImageGenerator } from '../models/model.ts';
import type { Random } from '../random.ts';
import type { OpenModel } from './openModel.ts';

/** Images decoded in one go. */
const BATCH = 200;

/**
 * One image for each label: a latent point drawn from the prior N(0, temperature^2), decoded for that class (Kingma and
 * Welling 2014, section 2.1). A pixel is the mean of its distribution, as grey. Below temperature 1, points keep to the
 * middle of the prior: images are more alike, and more of them are of the class that was asked for (the reduced
 * temperature of Kingma and Dhariwal 2018, section 5).
 *
 * @param labels class of each image, 0..classes-1
 * @param temperature 1 for the prior itself; 0 gives one image per class
 * @returns images `[labels.length, inputs]`, row-major, 0 black to 255 white
 * @throws AssayError CLASS_RANGE
 */
export function drawImages(
  { model, compute, weights }: OpenModel<ImageGenerator>,
  labels: readonly number[],
  random: Random,
  temperature = 1,
): Uint8Array {
  const { classes, latent, inputs } = model;
  const stranger = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (stranger !== undefined) {
    throw new AssayError('CLASS_RANGE', {
      summary: 'the model knows no such class',
      expected: `a class from 0 to ${classes - 1}`,
      received: String(stranger),
    });
  }
  const { tf } = compute;
  const images = new Uint8Array(labels.length * inputs);
  for (let start = 0; start < labels.length; start += BATCH) {
    const batch = labels.slice(start, start + BATCH);
    const points = Float32Array.from({ length: batch.length * latent }, () => temperature * random.nextNormal());
    const wanted = new Float32Array(batch.length * classes);
    batch.forEach((label, i) => {
      wanted[i * classes + label] = 1;
    });
    const pixels = tf.tidy(() => {
      const latentPoints: Tensor2D = tf.tensor2d(points, [batch.length, latent]);
      const logits = model.decode(compute, weights, latentPoints, tf.tensor2d(wanted, [batch.length, classes]));
      return logits.dataSync<'float32'>();
    });
    for (let i = 0; i < pixels.length; i++) {
      images[start * inputs + i] = Math.round(255 / (1 + Math.exp(-pixels[i]!)));
    }
  }
  return images;
}
