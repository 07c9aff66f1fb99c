import type { Dataset } from '../dataset.ts';
import { DOCUMENT_END, type Tokenizer } from './tokenizer.ts';

/**
 * Text as one row of tokens, `DOCUMENT_END` after each document. A sample is a window of `context + 1` tokens: the model
 * sees the first `context` and is asked for the next one at each of them.
 */
export interface TextDataset {
  readonly kind: 'text';
  /** Where it comes from, for messages and reports: `text:contracts`. */
  readonly name: string;
  readonly tokens: Uint16Array;
  /** Tokens a model sees at once. */
  readonly context: number;
  /** Number of windows when each begins where the one before it ended. */
  readonly size: number;
  /** Number of tokens there are: no token is above it. */
  readonly vocabulary: number;
  /** Bytes of text that the tokens stand for: tokenisers differ in bytes per token, so losses compare per byte. */
  readonly bytes: number;
}

/** Text with the part kept away from training. */
export interface TextSplit {
  readonly train: TextDataset;
  readonly test: TextDataset;
}

/** What a trainer learns from. */
export type AnyDataset = Dataset | TextDataset;

export function isText(dataset: AnyDataset): dataset is TextDataset {
  return 'kind' in dataset;
}

/** One file of a corpus. */
export interface TextDocument {
  /** Its path within the corpus, `/` between folders. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Documents one after the other, in the order they are given. */
export function encodeDocuments(
  name: string,
  documents: readonly TextDocument[],
  tokenizer: Tokenizer,
  context: number,
): TextDataset {
  const encoded = documents.map(({ bytes }) => tokenizer.encode(bytes));
  const tokens = new Uint16Array(encoded.reduce((length, part) => length + part.length + 1, 0));
  let length = 0;
  for (const part of encoded) {
    tokens.set(part, length);
    length += part.length;
    tokens[length++] = DOCUMENT_END;
  }
  const bytes = documents.reduce((sum, document) => sum + document.bytes.length, 0);
  return {
    kind: 'text',
    name,
    tokens,
    context,
    size: countWindows(tokens, context),
    vocabulary: tokenizer.vocabulary,
    bytes,
  };
}

/** Windows that begin at `offset`, `offset + context`, ...: each needs one token more than the context. */
export function countWindows(tokens: ArrayLike<number>, context: number, offset = 0): number {
  return Math.max(0, Math.floor((tokens.length - 1 - offset) / context));
}

/** Bits that a model needs per byte of text, from its mean loss per token in nats. */
export function bitsPerByte(loss: number, { tokens, bytes }: Pick<TextDataset, 'tokens' | 'bytes'>): number {
  return (loss * tokens.length) / bytes / Math.LN2;
}
