import { type SampleData, type TextData, vocabularySize } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { Dataset } from '../datasets/dataset.ts';
import { type AnyDataset, isText, type TextDataset } from '../datasets/text/textDataset.ts';
import type { TrainingManifest } from './trainer.ts';

/**
 * Whether a data set has the manifest's shape. Asked before a node puts its stake at risk, and again by the engine.
 *
 * @throws AssayError DATASET_SHAPE
 */
export function checkDataset(dataset: AnyDataset, { data }: Pick<TrainingManifest, 'data'>): void {
  if ('tokenizer' in data) checkText(dataset, data);
  else checkSamples(dataset, data);
}

function checkSamples(dataset: AnyDataset, { features, classes }: SampleData): void {
  const fits = !isText(dataset) && dataset.features === features && dataset.classes === classes && dataset.size > 0;
  if (fits) return;
  throw refuse(
    dataset,
    `at least one sample of ${features} features, ${classes} classes`,
    isText(dataset) ? describeText(dataset) : describeSamples(dataset),
    'choose the data set and columns that the manifest describes',
  );
}

function checkText(dataset: AnyDataset, data: TextData): void {
  const vocabulary = vocabularySize(data);
  const expected = `text of at least ${data.context + 1} tokens of a vocabulary of ${vocabulary}, in windows of ${data.context}`;
  const fix = "choose more text, tokenised as the manifest's tokeniser does";
  if (!isText(dataset)) throw refuse(dataset, expected, describeSamples(dataset), 'choose a data set of texts');
  const fits = dataset.context === data.context && dataset.vocabulary === vocabulary && dataset.size > 0;
  if (!fits) throw refuse(dataset, expected, describeText(dataset), fix);
}

function describeSamples({ size, features, classes }: Dataset): string {
  return `${size} samples of ${features} features, ${classes} classes`;
}

function describeText({ tokens, context, vocabulary }: TextDataset): string {
  return `text of ${tokens.length} tokens of a vocabulary of ${vocabulary}, in windows of ${context}`;
}

function refuse({ name }: AnyDataset, expected: string, received: string, fix: string): AssayError {
  return new AssayError('DATASET_SHAPE', {
    summary: `the data set ${name} does not fit the federation's model`,
    expected,
    received,
    fix,
  });
}
