import { FIRST_MERGED_TOKEN, type TextData } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import { cutPieces } from './pieces.ts';

type Merge = [number, number];

/** A pair that comes only once saves nothing that could come again. */
const LEAST_COUNT = 2;

interface Word {
  /** The piece in the tokens there are so far. */
  tokens: number[];
  /** How often the piece comes in the text. */
  readonly count: number;
}

/**
 * Byte-pair encoding (Sennrich, Haddow and Birch 2016, section 3.2) over bytes: what two tokens stand beside each other
 * most often becomes a token, again and again. Ties go to the lower pair, left before right, so the same text gives the
 * same merges everywhere.
 *
 * @param vocabulary tokens there shall be at most: 257 + merges; fewer when no pair comes twice any more
 * @throws AssayError TOKENIZER
 */
export function trainTokenizer(documents: Iterable<Uint8Array>, vocabulary: number): TextData['tokenizer'] {
  if (!Number.isInteger(vocabulary) || vocabulary < FIRST_MERGED_TOKEN || vocabulary > 65_536) {
    throw new AssayError('TOKENIZER', {
      summary: 'that is not a size of vocabulary',
      expected: `${FIRST_MERGED_TOKEN} (bytes and the separator of documents) to 65536`,
      received: String(vocabulary),
    });
  }
  const words = countWords(documents);
  const pairs = new PairCounts();
  words.forEach((word, index) => {
    pairs.add(word, index, 1);
  });
  const merges: Merge[] = [];
  while (FIRST_MERGED_TOKEN + merges.length < vocabulary) {
    const best = pairs.best();
    if (best === undefined) break;
    const token = FIRST_MERGED_TOKEN + merges.length;
    merges.push([...best] as Merge);
    for (const index of pairs.wordsOf(best)) {
      const word = words[index]!;
      pairs.add(word, index, -1);
      word.tokens = mergePair(word.tokens, best, token);
      pairs.add(word, index, 1);
    }
  }
  return { kind: 'byte-bpe', merges };
}

/** `tokens` with every `pair` in it, from the left, as one token. */
export function mergePair(
  tokens: readonly number[],
  [left, right]: readonly [number, number],
  token: number,
): number[] {
  const merged: number[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] === left && tokens[i + 1] === right) {
      merged.push(token);
      i++;
    } else merged.push(tokens[i]!);
  }
  return merged;
}

function countWords(documents: Iterable<Uint8Array>): Word[] {
  const counts = new Map<string, number>();
  for (const document of documents) {
    const text = Buffer.from(document.buffer, document.byteOffset, document.byteLength).toString('latin1');
    cutPieces(document, (start, end) => {
      const piece = text.slice(start, end);
      counts.set(piece, (counts.get(piece) ?? 0) + 1);
    });
  }
  return [...counts].map(([piece, count]) => ({ tokens: [...Buffer.from(piece, 'latin1')], count }));
}

/** How often each pair comes, and in which words it may be found. */
class PairCounts {
  readonly #pairs = new Map<number, { count: number; readonly words: Set<number> }>();

  add({ tokens, count }: Word, index: number, sign: 1 | -1): void {
    for (let i = 0; i + 1 < tokens.length; i++) {
      const key = tokens[i]! * 65_536 + tokens[i + 1]!;
      const known = this.#pairs.get(key);
      if (known === undefined) this.#pairs.set(key, { count: sign * count, words: new Set([index]) });
      else {
        known.count += sign * count;
        if (known.count === 0) this.#pairs.delete(key);
        else known.words.add(index);
      }
    }
  }

  /** The pair that comes most often; of equal ones the lowest. */
  best(): readonly [number, number] | undefined {
    let best: number | undefined;
    let most = LEAST_COUNT - 1;
    for (const [key, { count }] of this.#pairs) {
      if (count > most || (count === most && best !== undefined && key < best)) [best, most] = [key, count];
    }
    return best === undefined ? undefined : [Math.floor(best / 65_536), best % 65_536];
  }

  /** Words that hold the pair, and perhaps some that held it once: a copy, as merging changes the counts. */
  wordsOf([left, right]: readonly [number, number]): number[] {
    return [...this.#pairs.get(left * 65_536 + right)!.words];
  }
}
