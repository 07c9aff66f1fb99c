/** The models that a grid can name. */
import { type Manifest, type SampleData, type TextData, vocabularySize } from '../../protocol/encoding/manifest.ts';
import { isTextSpec, parseDataset } from '../datasets/loadSilo.ts';
import type { ModelSpec } from '../models/model.ts';
import { mnistMlp, type Preset, SAMPLE_PRESETS, TEXT_PRESETS } from '../models/presets.ts';
import { describeModel } from '../models/registry.ts';

export const MODEL_PRESETS = [
  'mnist-mlp',
  'mnist-cnn',
  'lenet',
  'fedavg-cnn',
  'digits-vae',
  'code-transformer',
  'char-lstm',
] as const;
type PresetName = (typeof MODEL_PRESETS)[number];

/** What a grid's text is learnt with, when it does not say. */
export const TEXT_MODEL: PresetName = 'code-transformer';

/** Of these the vocabulary may be left open: it is the tokeniser's. */
const TEXT_KINDS = ['transformer', 'lstm'];

const NO_MERGES: TextData['tokenizer'] = { kind: 'byte-bpe', merges: [] };

/** Stand-ins, for what can be said of a cell before its data are read. */
const ANY_SAMPLES: SampleData = { features: 1, classes: 2 };
const ANY_TEXT: TextData = { context: 1, tokenizer: NO_MERGES };

/** What a cell says about its model. */
export interface ModelChoice {
  readonly model?: PresetName | ModelSpec | undefined;
  /** Of the MLP that samples get without one. */
  readonly hidden: readonly number[];
  readonly activation: string;
}

interface CellModel extends ModelChoice {
  readonly dataset: string;
}

export function isTextDataset(dataset: string): boolean {
  return isTextSpec(parseDataset(dataset));
}

/** The settings of a cell's model. */
export function chosenModel({ model, hidden, activation }: ModelChoice, data: SampleData | TextData): ModelSpec {
  const isText = 'tokenizer' in data;
  const choice = model ?? (isText ? TEXT_MODEL : undefined);
  if (choice === undefined) {
    const { features, classes } = data as SampleData;
    return { kind: 'mlp', inputs: features, hidden, classes, activation };
  }
  if (typeof choice === 'string') return presetOf(choice, isText ? data.tokenizer : NO_MERGES).manifest.model;
  if (!TEXT_KINDS.includes(choice.kind)) return choice;
  return { vocabulary: vocabularySize(isText ? data : ANY_TEXT), ...choice };
}

function presetOf(name: PresetName, tokenizer: TextData['tokenizer']): Preset {
  switch (name) {
    case 'mnist-mlp':
      return mnistMlp();
    case 'code-transformer':
    case 'char-lstm':
      return TEXT_PRESETS[name](name, tokenizer);
    default:
      return SAMPLE_PRESETS[name]();
  }
}

/** What a cell's model learns to do. @throws AssayError as `describeModel` */
export function cellTask(cell: CellModel): Manifest['task'] {
  return describeModel(chosenModel(cell, standInData(cell))).task;
}

/** Data of the kind that the cell names, without their size: enough for what does not compute. */
export function standInData({ dataset, ...choice }: CellModel): SampleData | TextData {
  return isTextDataset(dataset) ? { ...ANY_TEXT, context: contextOf(choice) ?? ANY_TEXT.context } : ANY_SAMPLES;
}

/** Tokens that a language model sees at once; null for other models. */
export function contextOf(choice: ModelChoice): number | null {
  const model = describeModel(chosenModel(choice, ANY_TEXT));
  return model.task === 'language-model' ? model.context : null;
}
