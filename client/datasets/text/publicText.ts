/** The text that a tokeniser learns from: its merges stand in the manifest, so whoever reads that learns something of it. */
import type { TextData } from '../../../protocol/encoding/manifest.ts';
import { parsePackages } from '../packages/packageSpec.ts';
import { readDocuments } from './readDocuments.ts';
import { parseText } from './textSpec.ts';
import { trainTokenizer } from './trainTokenizer.ts';

/** Sources that are no participant's own, installed with Assay. */
export const PUBLIC_TEXT = 'package:ox:ts,abitype:ts';

/** 256 bytes, the end of a document, and merges. */
export const PUBLIC_VOCABULARY = 512;

/**
 * A tokeniser from public text.
 *
 * @param name `package:...` or `text:...`; all of it is read, also what others would hold out
 * @throws AssayError DATASET_SPEC, PACKAGE_MISSING, PACKAGE_EMPTY, DATASET_FILE, TOKENIZER
 */
export async function publicTokenizer(
  name = PUBLIC_TEXT,
  vocabulary = PUBLIC_VOCABULARY,
): Promise<TextData['tokenizer']> {
  const spec = name.startsWith('text:') ? parseText(name) : parsePackages(name);
  const documents = await readDocuments(spec, 'public text');
  return trainTokenizer(
    documents.map(({ bytes }) => bytes),
    vocabulary,
  );
}
