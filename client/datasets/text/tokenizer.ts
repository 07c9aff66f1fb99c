import { FIRST_MERGED_TOKEN, type TextData, vocabularySize } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import { cutPieces, MAX_PIECE_BYTES } from './pieces.ts';

/** Stands after every document; no text contains it. */
export const DOCUMENT_END = 256;

/** Pieces whose tokens are remembered: code repeats its words. */
const REMEMBERED_PIECES = 65_536;

/** Text as numbers and back. Any bytes are text: what is no UTF-8 survives as well. */
export interface Tokenizer {
  /** Number of tokens there are: 256 bytes, the end of a document, and the merges. */
  readonly vocabulary: number;
  /** The tokens of a text; `DOCUMENT_END` is not among them. */
  encode(text: Uint8Array | string): Uint16Array;
  /** The bytes of tokens, whose text may end within a character; the end of a document gives none. */
  decode(tokens: ArrayLike<number>): Uint8Array;
}

/**
 * The tokeniser of a manifest: byte-level byte-pair encoding. A text is cut in pieces (`pieces.ts`); in a piece, the
 * pair whose merge was learnt first is merged first, until no pair of the list is left.
 *
 * @throws AssayError TOKENIZER when the merges cannot come from a training
 *
 * @example
 * const tokenizer = createTokenizer({ kind: 'byte-bpe', merges: [[116, 104], [257, 101]] }); // t+h, th+e
 * [...tokenizer.encode('the thesis')]; // [258, 32, 258, 115, 105, 115]
 */
export function createTokenizer({ merges }: TextData['tokenizer']): Tokenizer {
  const texts = tokenTexts(merges);
  const tokenOf = new Map(merges.map(([left, right], i) => [left * 65_536 + right, FIRST_MERGED_TOKEN + i]));
  const remembered = new Map<string, readonly number[]>();

  const encodePiece = (piece: string): readonly number[] => {
    const known = remembered.get(piece);
    if (known !== undefined) return known;
    const tokens: number[] = [...Buffer.from(piece, 'latin1')];
    for (;;) {
      let lowest = Number.POSITIVE_INFINITY;
      for (let i = 0; i + 1 < tokens.length; i++) {
        const token = tokenOf.get(tokens[i]! * 65_536 + tokens[i + 1]!);
        if (token !== undefined && token < lowest) lowest = token;
      }
      if (lowest === Number.POSITIVE_INFINITY) break;
      const [left, right] = merges[lowest - FIRST_MERGED_TOKEN]!;
      let length = 0;
      for (let i = 0; i < tokens.length; i++) {
        const isPair = tokens[i] === left && tokens[i + 1] === right;
        tokens[length++] = isPair ? lowest : tokens[i]!;
        if (isPair) i++;
      }
      tokens.length = length;
    }
    if (remembered.size >= REMEMBERED_PIECES) remembered.clear();
    remembered.set(piece, tokens);
    return tokens;
  };

  return {
    vocabulary: vocabularySize({ tokenizer: { kind: 'byte-bpe', merges } }),

    encode(text) {
      const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
      // One character per byte: strings are what maps look up quickly.
      const characters = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
      const tokens = new Uint16Array(bytes.length);
      let length = 0;
      cutPieces(bytes, (start, end) => {
        for (const token of encodePiece(characters.slice(start, end))) tokens[length++] = token;
      });
      return tokens.slice(0, length);
    },

    decode(tokens) {
      const parts = Array.from(tokens, (token) => texts[token] ?? unknownToken(token, texts.length));
      return Uint8Array.from(parts.flat());
    },
  };
}

/** The bytes of every token. Merges come from a manifest, so from strangers: everything is checked. */
function tokenTexts(merges: TextData['tokenizer']['merges']): number[][] {
  const texts: number[][] = Array.from({ length: 256 }, (_, byte) => [byte]);
  texts.push([]);
  const seen = new Set<number>();
  merges.forEach(([left, right], i) => {
    const name = `merge ${i}, [${left}, ${right}]`;
    const isEarlier = [left, right].every((token) => token < texts.length && token !== DOCUMENT_END);
    if (!isEarlier) throw wrongMerge(name, `two of the tokens 0..${texts.length - 1} but ${DOCUMENT_END}`);
    if (seen.has(left * 65_536 + right)) throw wrongMerge(name, 'every pair once');
    seen.add(left * 65_536 + right);
    const text = [...texts[left]!, ...texts[right]!];
    // No text has such a token; and a list that doubles its last token would fill the memory.
    if (text.length > MAX_PIECE_BYTES) throw wrongMerge(name, `tokens of at most ${MAX_PIECE_BYTES} bytes`);
    texts.push(text);
  });
  return texts;
}

function wrongMerge(received: string, expected: string): AssayError {
  return new AssayError('TOKENIZER', {
    summary: 'the tokeniser of the manifest is broken',
    expected,
    received,
    fix: 'train it anew from text',
  });
}

function unknownToken(token: number, vocabulary: number): never {
  throw new AssayError('TOKENIZER', {
    summary: 'there is no such token',
    expected: `a whole number from 0 to ${vocabulary - 1}`,
    received: String(token),
    fix: 'use the tokeniser of the federation whose model this is',
  });
}
