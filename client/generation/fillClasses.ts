import { AssayError } from '../../protocol/errors.ts';
import { countClasses, type Dataset } from '../datasets/dataset.ts';
import type { ImageGenerator } from '../models/model.ts';
import type { Random } from '../random.ts';
import { drawImages } from './drawImages.ts';
import type { OpenModel } from './openModel.ts';

/**
 * A silo's samples with drawn ones beside them, so that every class has at least `perClass`: a participant that never
 * saw a class learns it from the federation's generator. Own samples come first and stay as they are; nothing is drawn of
 * classes that have enough.
 *
 * @param temperature of drawing, see `drawImages`
 * @throws AssayError GENERATED_SHAPE when the generator draws other images than the silo holds
 */
export function fillClasses(
  open: OpenModel<ImageGenerator>,
  silo: Dataset,
  perClass: number,
  random: Random,
  temperature = 1,
): Dataset {
  const { inputs, classes } = open.model;
  const { x, y, features, scale } = silo;
  if (!(x instanceof Uint8Array) || scale !== 1 / 255 || features !== inputs || silo.classes !== classes) {
    throw new AssayError('GENERATED_SHAPE', {
      summary: `what the generator draws does not fit the data set ${silo.name}`,
      expected: `grey images of ${inputs} pixels as bytes, ${classes} classes`,
      received: `${x instanceof Uint8Array ? 'bytes' : 'floats'}, ${features} numbers per sample, ${silo.classes} classes`,
    });
  }
  const labels = countClasses(silo).flatMap((count, label) =>
    new Array<number>(Math.max(0, perClass - count)).fill(label),
  );
  const size = silo.size + labels.length;
  const samples = new Uint8Array(size * features);
  samples.set(x);
  samples.set(drawImages(open, labels, random, temperature), silo.size * features);
  const allLabels = new Uint8Array(size);
  allLabels.set(y);
  allLabels.set(labels, silo.size);
  return { ...silo, name: `${silo.name} and drawn samples`, size, x: samples, y: allLabels };
}
