import { AssayError } from '../../../protocol/errors.ts';
import { type AnyDataset, isText } from '../../datasets/text/textDataset.ts';
import type { Compute, Model } from '../../models/model.ts';
import { classificationObjective } from './classification.ts';
import { imageGenerationObjective } from './imageGeneration.ts';
import { languageModelObjective } from './languageModel.ts';
import type { Objective } from './objective.ts';

/**
 * What a model of a task minimises on a data set.
 *
 * @throws AssayError DATASET_SHAPE when the data are of another task's kind
 */
export function createObjective(compute: Compute, model: Model, dataset: AnyDataset): Objective {
  if (model.task === 'language-model' && isText(dataset)) return languageModelObjective(compute, model, dataset);
  if (model.task === 'classification' && !isText(dataset)) return classificationObjective(compute, model, dataset);
  if (model.task === 'image-generation' && !isText(dataset)) return imageGenerationObjective(compute, model, dataset);
  throw new AssayError('DATASET_SHAPE', {
    summary: `the data set ${dataset.name} is of another kind than the federation's task`,
    expected: `data for ${model.task}`,
    received: isText(dataset) ? 'text' : 'samples with classes',
    fix: 'choose a data set of the kind that the manifest describes',
  });
}
