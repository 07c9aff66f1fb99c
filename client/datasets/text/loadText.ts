import type { TextData } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import type { SeedPart } from '../../random.ts';
import type { PackageSpec } from '../packages/packageSpec.ts';
import { loadCorpus } from './corpus.ts';
import { encodeDocuments, type TextDataset, type TextDocument, type TextSplit } from './textDataset.ts';
import type { TextSpec } from './textSpec.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

/**
 * The text of a folder or of installed packages in the tokens and windows of a manifest.
 *
 * @throws AssayError HOLD_OUT, DATASET_SIZE, TOKENIZER, and as reading does
 */
export async function loadText(spec: TextSpec | PackageSpec, data: TextData, seed: SeedPart): Promise<TextSplit> {
  const { name, documents, heldOut } = await loadCorpus(spec, seed);
  const tokenizer = createTokenizer(data.tokenizer);
  return {
    train: encodeText(`${name} (to train on)`, documents, tokenizer, data.context),
    test: encodeText(`${name} (held out)`, heldOut, tokenizer, data.context),
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
