import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { cutPieces, MAX_PIECE_BYTES } from '../../../../client/datasets/text/pieces.ts';
import { createTokenizer, DOCUMENT_END } from '../../../../client/datasets/text/tokenizer.ts';
import { mergePair, trainTokenizer } from '../../../../client/datasets/text/trainTokenizer.ts';
import { checkManifest } from '../../../../protocol/encoding/manifest.ts';
import { expectError } from '../../support/expectError.ts';
import { smallManifest } from '../../support/smallFederation.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const pieces = (text: string | Uint8Array) => {
  const bytes = typeof text === 'string' ? bytesOf(text) : text;
  const cut: string[] = [];
  cutPieces(bytes, (start, end) => cut.push(Buffer.from(bytes.subarray(start, end)).toString()));
  return cut;
};

/** Text with many repetitions, white space of all kinds and bytes that are no UTF-8. */
const someText = fc
  .array(
    fc.oneof(
      fc.constantFrom('aa', 'ab', 'aab', 'b', ' ', '  ', '\n', '\t', '\n    ', ' {', '});', '_x1', 'é', '🌍'),
      fc.uint8Array({ maxLength: 3 }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => Uint8Array.from(parts.flatMap((part) => [...(typeof part === 'string' ? bytesOf(part) : part)])));

describe('client byte-pair tokeniser', () => {
  it('cuts code where its documentation says', () => {
    expect(pieces('if (a_1 == 2) {\n    return  x;\r\n}\t\n')).to.deep.equal([
      'if',
      ' (',
      'a_1',
      ' ==',
      ' 2',
      ')',
      ' {',
      '\n    ',
      'return',
      ' ',
      ' x',
      ';',
      '\r\n',
      '}',
      '\t\n',
    ]);
    expect(pieces(' über  ')).to.deep.equal([' über', '  ']);
    expect(pieces('\tx')).to.deep.equal(['\t', 'x']);
    expect(pieces('x'.repeat(300)).map((piece) => piece.length)).to.deep.equal([128, 128, 44]);
  });

  it('loses no byte of any text when cutting', () => {
    fc.assert(
      fc.property(someText, (bytes) => {
        let at = 0;
        cutPieces(bytes, (start, end) => {
          expect(start).to.equal(at);
          expect(end - start).to.be.within(1, MAX_PIECE_BYTES);
          at = end;
        });
        expect(at).to.equal(bytes.length);
      }),
    );
  });

  it('merges the pair that comes most often, of equal ones the lowest', () => {
    const bytes = (text: string) => [...bytesOf(text)];
    // Pieces: "abab" "_" joined as words; a b comes four times, b a twice.
    expect(trainTokenizer([bytesOf('abab\nabab')], 400).merges).to.deep.equal([bytes('ab'), [257, 257]]);
    // "zy" and "xw" both come twice.
    expect(trainTokenizer([bytesOf('zy.xw.zy.xw')], 258).merges).to.deep.equal([bytes('xw')]);
    expect(trainTokenizer([bytesOf('abcdefg')], 400).merges).to.deep.equal([]);
    // No pair reaches from one document to the next, or over a cut.
    expect(trainTokenizer([bytesOf('a'), bytesOf('b'), bytesOf('a\nb')], 400).merges).to.deep.equal([]);
  });

  it('trains as the plain algorithm does, which counts everything anew for every merge', () => {
    fc.assert(
      fc.property(fc.array(someText, { maxLength: 3 }), (documents) => {
        expect(trainTokenizer(documents, 275).merges).to.deep.equal(trainPlainly(documents, 275));
      }),
      { numRuns: 60 },
    );
  });

  it('encodes as the plain algorithm does, which applies one merge after the other', () => {
    fc.assert(
      fc.property(someText, someText, (known, text) => {
        const tokenizer = trainTokenizer([known, text.subarray(0, text.length / 2)], 280);
        const expected: number[] = [];
        cutPieces(text, (start, end) => {
          let tokens = [...text.subarray(start, end)];
          tokenizer.merges.forEach((merge, i) => {
            tokens = mergePair(tokens, merge, 257 + i);
          });
          expected.push(...tokens);
        });
        expect([...createTokenizer(tokenizer).encode(text)]).to.deep.equal(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('gives any bytes back, whatever text it learnt from', () => {
    const tokenizer = createTokenizer(trainTokenizer([bytesOf('the thesis of the theatre\n'.repeat(3))], 300));
    fc.assert(
      fc.property(fc.oneof(someText, fc.uint8Array({ maxLength: 400 })), (bytes) => {
        expect(tokenizer.decode(tokenizer.encode(bytes))).to.deep.equal(bytes);
      }),
    );
    expect([...tokenizer.decode([DOCUMENT_END, 65, DOCUMENT_END])]).to.deep.equal([65]);
  });

  it('makes real code shorter by more than half, with merges that a manifest takes', () => {
    const source = new Uint8Array(readFileSync(new URL('../../../../client/models/registry.ts', import.meta.url)));
    const trained = trainTokenizer([source], 512);
    const tokenizer = createTokenizer(trained);
    expect(tokenizer.vocabulary).to.equal(512);
    expect(tokenizer.encode(source).length).to.be.below(source.length / 2);
    const manifest = checkManifest({
      ...smallManifest(),
      task: 'language-model',
      data: { context: 8, tokenizer: trained },
    });
    expect(manifest.data).to.deep.equal({ context: 8, tokenizer: trained });
  });

  it('refuses merges that no training gives, and tokens that do not exist', async () => {
    const broken = (merges: [number, number][], text: RegExp) =>
      expectError(() => createTokenizer({ kind: 'byte-bpe', merges }), 'TOKENIZER', text);
    await broken([[65, 257]], /merge 0, \[65, 257\]/);
    await broken([[65, DOCUMENT_END]], /merge 0/);
    await broken(
      [
        [65, 66],
        [65, 66],
      ],
      /every pair once/,
    );
    // Every merge doubles the token before it: 2^40 bytes, were it let.
    const bomb = Array.from({ length: 40 }, (_, i): [number, number] => (i === 0 ? [65, 65] : [256 + i, 256 + i]));
    await broken(bomb, /at most 128 bytes/);
    const tokenizer = createTokenizer({ kind: 'byte-bpe', merges: [] });
    await expectError(() => tokenizer.decode([257]), 'TOKENIZER', /from 0 to 256/);
    await expectError(() => trainTokenizer([], 256), 'TOKENIZER', /257/);
    await expectError(() => trainTokenizer([], 65_537), 'TOKENIZER', /65536/);
  });
});

function trainPlainly(documents: Uint8Array[], vocabulary: number): number[][] {
  let words: number[][] = [];
  for (const document of documents) cutPieces(document, (start, end) => words.push([...document.subarray(start, end)]));
  const merges: number[][] = [];
  while (257 + merges.length < vocabulary) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        const pair = `${word[i]},${word[i + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const ranked = [...counts]
      .map(([pair, count]) => ({ pair: pair.split(',').map(Number), count }))
      .sort((a, b) => b.count - a.count || a.pair[0]! - b.pair[0]! || a.pair[1]! - b.pair[1]!);
    if (ranked[0] === undefined || ranked[0].count < 2) break;
    const merge = ranked[0].pair as [number, number];
    words = words.map((word) => mergePair(word, merge, 257 + merges.length));
    merges.push(merge);
  }
  return merges;
}
