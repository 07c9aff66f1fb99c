/** Which manifest a new federation starts from: a preset by name, or a draft in a file. */
import { readFile } from 'node:fs/promises';
import { mnistMlp, type Preset, SAMPLE_PRESETS, TEXT_PRESETS, tabularMlp } from '../../client/models/presets.ts';
import type { TextData } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import { completeManifest } from './draftManifest.ts';

export const PRESETS = [
  'mnist',
  'mnist-cnn',
  'lenet',
  'fedavg-cnn',
  'digits-vae',
  'mlp',
  'code-transformer',
  'char-lstm',
] as const;

export interface PresetOptions {
  readonly name: string;
  readonly model: (typeof PRESETS)[number];
  readonly manifest?: string;
  readonly tokenizer?: string;
  readonly modelFile?: string;
  readonly baseFile?: string;
  readonly features?: number;
  readonly classes?: number;
  readonly hidden: number;
}

/** The bound for a draft, whose honest updates nobody knows, unless `--norm-bound` names another. */
const DRAFT_UPDATE_NORM = 10;

/** @throws AssayError MODEL_OPTIONS, JSON_FILE, and what `completeManifest` throws */
export async function choosePreset(options: PresetOptions): Promise<Preset> {
  const { name, features, classes, hidden, modelFile, baseFile } = options;
  const tokenizer = options.tokenizer === undefined ? undefined : await readTokenizer(options.tokenizer);
  if (options.manifest !== undefined) {
    const base = baseFile === undefined ? undefined : new Uint8Array(await readFile(baseFile));
    const parts = { name, ...(tokenizer && { tokenizer }), ...(modelFile && { modelFile }), ...(base && { base }) };
    const manifest = await completeManifest(await readJson(options.manifest), parts);
    return { manifest, maxUpdateNorm: DRAFT_UPDATE_NORM };
  }
  switch (options.model) {
    case 'mnist':
      return mnistMlp(name);
    case 'mlp':
      if (features !== undefined && classes !== undefined) return tabularMlp(name, { features, classes, hidden });
      throw new AssayError('MODEL_OPTIONS', {
        summary: '--model mlp needs to know the shape of the data',
        expected: '--features N and --classes N',
        received: `features ${features ?? 'not given'}, classes ${classes ?? 'not given'}`,
      });
    case 'code-transformer':
    case 'char-lstm':
      return TEXT_PRESETS[options.model](name, tokenizer ?? missingTokenizer(options.model));
    default:
      return SAMPLE_PRESETS[options.model](name);
  }
}

async function readTokenizer(path: string): Promise<TextData['tokenizer']> {
  // Whether its merges are right is checked with the manifest it becomes a part of.
  return (await readJson(path)) as TextData['tokenizer'];
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new AssayError('JSON_FILE', {
      summary: `${path} cannot be read`,
      expected: 'a file of JSON',
      received: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}

function missingTokenizer(model: string): never {
  throw new AssayError('MODEL_OPTIONS', {
    summary: `--model ${model} reads text, which a tokeniser cuts into tokens`,
    expected: '--tokenizer FILE',
    received: 'none',
    fix: 'train one: assay tokenizer --dataset text:FOLDER?ext=ts --out tokenizer.json',
  });
}
