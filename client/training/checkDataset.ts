import { AssayError } from '../../protocol/errors.ts';
import type { Dataset } from '../datasets/dataset.ts';
import type { TrainingManifest } from './trainer.ts';

/**
 * Whether a data set has the manifest's shape. Asked before a node puts its stake at risk, and again by the engine.
 *
 * @throws AssayError DATASET_SHAPE
 */
export function checkDataset(dataset: Dataset, { data }: TrainingManifest): void {
  if (!('features' in data)) {
    throw new AssayError('DATASET_SHAPE', {
      summary: `the data set ${dataset.name} is no text, and the federation trains a language model`,
      expected: 'a data set of texts',
      received: `${dataset.size} samples of ${dataset.features} features`,
      fix: 'choose a data set of the kind that the manifest describes',
    });
  }
  if (dataset.features === data.features && dataset.classes === data.classes && dataset.size > 0) return;
  throw new AssayError('DATASET_SHAPE', {
    summary: `the data set ${dataset.name} does not fit the federation's model`,
    expected: `at least one sample of ${data.features} features, ${data.classes} classes`,
    received: `${dataset.size} samples of ${dataset.features} features, ${dataset.classes} classes`,
    fix: 'choose the data set and columns that the manifest describes',
  });
}
