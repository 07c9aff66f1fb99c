import type { TextData } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import type { SeedPart } from '../../random.ts';
import { holdOutDocuments } from './holdOutDocuments.ts';
import { readFolder } from './readFolder.ts';
import { encodeDocuments, type TextDataset, type TextDocument, type TextSplit } from './textDataset.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

/** Text in a folder, parsed from the command line or a config file. */
export interface TextSpec {
  readonly kind: 'text';
  readonly folder: string;
  /** Endings of the files, without their dot. */
  readonly extensions: readonly string[];
  /** Share of files held out for evaluation. */
  readonly holdOut: number;
}

export const TEXT_EXPECTED = 'text:FOLDER?ext=sol,ts with optional &holdout=0.1';

/**
 * Parses `text:FOLDER?ext=...`.
 *
 * @throws AssayError DATASET_SPEC
 *
 * @example
 * parseText('text:contracts?ext=sol&holdout=0.1');
 */
export function parseText(text: string): TextSpec {
  const match = /^text:([^?]+)(?:\?(.+))?$/.exec(text);
  if (match === null) throw specError(text, 'name a folder');
  const settings = new URLSearchParams(match[2] ?? '');
  const unknown = [...settings.keys()].find((key) => !['ext', 'holdout'].includes(key));
  if (unknown !== undefined) throw specError(text, `there is no setting ${unknown}=`);
  const extensions = (settings.get('ext') ?? 'txt').split(',').map((item) => item.trim().replace(/^\./, ''));
  if (extensions.includes('')) throw specError(text, 'ext= lists endings of files, as in ext=sol,ts');
  const holdOut = Number(settings.get('holdout') ?? '0.1');
  if (!(holdOut > 0 && holdOut < 1)) throw specError(text, 'holdout= is a share between 0 and 1');
  return { kind: 'text', folder: match[1]!, extensions, holdOut };
}

/** Text of a folder in the tokens and windows of a manifest. @throws AssayError as its parts do */
export async function loadText(spec: TextSpec, data: TextData, seed: SeedPart): Promise<TextSplit> {
  const documents = await readFolder(spec.folder, spec.extensions);
  return splitText(`text:${spec.folder}`, documents, spec.holdOut, data, seed);
}

/** Documents as text to train on and text held out. @throws AssayError HOLD_OUT, DATASET_SIZE, TOKENIZER */
export function splitText(
  name: string,
  documents: readonly TextDocument[],
  share: number,
  data: TextData,
  seed: SeedPart,
): TextSplit {
  const tokenizer = createTokenizer(data.tokenizer);
  const { train, test } = holdOutDocuments(documents, share, seed);
  return {
    train: encodeText(`${name} (to train on)`, train, tokenizer, data.context),
    test: encodeText(`${name} (held out)`, test, tokenizer, data.context),
  };
}

/** Documents as a data set that has at least one window. @throws AssayError DATASET_SIZE */
export function encodeText(
  name: string,
  documents: readonly TextDocument[],
  tokenizer: Tokenizer,
  context: number,
): TextDataset {
  const dataset = encodeDocuments(name, documents, tokenizer, context);
  if (dataset.size > 0) return dataset;
  throw new AssayError('DATASET_SIZE', {
    summary: `${name} is shorter than what the model sees at once`,
    expected: `at least ${context + 1} tokens`,
    received: `${dataset.tokens.length} tokens in ${documents.length} files`,
    fix: 'use more text',
  });
}

function specError(text: string, fix: string): AssayError {
  return new AssayError('DATASET_SPEC', {
    summary: 'that is not a data set of text',
    expected: TEXT_EXPECTED,
    received: JSON.stringify(text),
    fix,
  });
}
