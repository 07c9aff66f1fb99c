import { vocabularySize } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { Model } from '../models/model.ts';
import type { TrainingManifest } from './trainer.ts';

/**
 * Whether a manifest's model is made for its task and its data.
 * @throws AssayError MODEL_TASK, MODEL_DATA
 */
export function checkModel(model: Model, { task, data }: Pick<TrainingManifest, 'task' | 'data'>): void {
  if (model.task !== task) {
    throw new AssayError('MODEL_TASK', {
      summary: "the manifest's model is made for another task",
      expected: `a model for ${task}`,
      received: `a ${model.spec.kind} model, whose task is ${model.task}`,
      fix: 'make the manifest anew from the model',
    });
  }
  const of = (first: string, a: number, second: string, b: number) => `${a} ${first}, ${b} ${second}`;
  const expected =
    'tokenizer' in data
      ? of('tokens of context', data.context, 'tokens', vocabularySize(data))
      : of('features', data.features, 'classes', data.classes);
  const received =
    model.task === 'language-model'
      ? of('tokens of context', model.context, 'tokens', model.vocabulary)
      : of('features', model.inputs, 'classes', model.classes);
  if (expected === received) return;
  throw new AssayError('MODEL_DATA', {
    summary: "the manifest's model takes other data than the manifest describes",
    expected,
    received,
    fix: 'give model and data the same measures',
  });
}
