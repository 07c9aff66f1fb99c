import { AssayError } from '../../../protocol/errors.ts';
import { deriveSeed, type SeedPart } from '../../random.ts';
import type { TextDocument } from './textDataset.ts';

/**
 * Keeps whole files away from training: windows of one file share too much to stand on both sides. Which ones depends
 * on the seed and a file's own name alone, so a file stays on its side when others come or go. Both sides keep at least
 * one.
 *
 * @throws AssayError HOLD_OUT
 */
export function holdOutDocuments(
  documents: readonly TextDocument[],
  share: number,
  seed: SeedPart,
): { readonly train: TextDocument[]; readonly test: TextDocument[] } {
  if (!(share > 0 && share < 1) || documents.length < 2) {
    throw new AssayError('HOLD_OUT', {
      summary: 'the text cannot be split into training and held-out files',
      expected: 'a share between 0 and 1, and at least two files',
      received: `share ${share} of ${documents.length} files`,
      fix: 'use holdout=0.1, or text in more files',
    });
  }
  const draws = documents.map(({ name }) => draw(seed, name));
  const [least, most] = [Math.min(...draws), Math.max(...draws)];
  const isHeldOut = (_: TextDocument, i: number) => draws[i] === least || (draws[i]! < share && draws[i] !== most);
  return { train: documents.filter((document, i) => !isHeldOut(document, i)), test: documents.filter(isHeldOut) };
}

/** Uniform in [0, 1) by the file's name. */
function draw(seed: SeedPart, name: string): number {
  const hash = deriveSeed(seed, 'hold-out', name);
  const view = new DataView(hash.buffer, hash.byteOffset);
  return (view.getUint32(0) * 2 ** 20 + (view.getUint32(4) >>> 12)) / 2 ** 52;
}
