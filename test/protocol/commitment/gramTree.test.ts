import { expect } from 'chai';
import fc from 'fast-check';
import { gramOfRows } from '../../../protocol/aggregation/gram.ts';
import { BulkHasher } from '../../../protocol/commitment/bulkHasher.ts';
import { GRAM_SPAN, GramCommitter, gramMatrixHash } from '../../../protocol/commitment/gramTree.ts';
import { type Hex, toHex } from '../../../protocol/encoding/bytes.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import { runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';
import { loadVectors } from '../support/vectors.ts';

interface Case {
  readonly name: string;
  readonly dimension: number;
  readonly chunkSize: number;
  readonly rows: number[][];
  readonly spans: string[][];
  readonly matrixHash: Hex;
  readonly gram: string[];
  readonly gramRoot: Hex;
}
const { cases } = loadVectors<Case>('gramTree.json');
const packed = (values: readonly string[]) => BigInt64Array.from(values, BigInt);

describe('Gram trees', () => {
  for (const vector of cases) {
    it(`vector: ${vector.name}`, () => {
      const n = vector.rows.length;
      const { chunkCount } = vectorLayout(vector.dimension, vector.chunkSize);
      const rows = vector.rows.map((row) => Int16Array.from(row));
      const width = GRAM_SPAN * vector.chunkSize;
      const committer = new GramCommitter(n, chunkCount);
      for (const [s, span] of vector.spans.entries()) {
        const partial = gramOfRows(rows.map((row) => row.subarray(s * width, (s + 1) * width)));
        expect([...partial.values].map(String)).to.deep.equal(span);
        committer.appendSpan(partial.values);
      }
      const { gramRoot, matrix } = committer.finish();
      expect([...matrix].map(String)).to.deep.equal(vector.gram);
      expect(gramRoot).to.equal(vector.gramRoot);
      expect(toHex(gramMatrixHash(matrix, n))).to.equal(vector.matrixHash);
      expect([...gramOfRows(rows).values].map(String)).to.deep.equal(vector.gram);
    });
  }

  it('change with any entry of any span, even when the whole matrix stays the same', () => {
    const spans = [packed(['5', '-2', '7']), packed(['1', '0', '2'])];
    const rootOf = (parts: readonly BigInt64Array[]) => {
      const committer = new GramCommitter(2, 2 * GRAM_SPAN);
      for (const part of parts) committer.appendSpan(part);
      return committer.finish();
    };
    const { gramRoot, matrix } = rootOf(spans);
    const seen = new Set([gramRoot]);
    for (let entry = 0; entry < 3; entry++) {
      const [first, second] = spans.map((span) => span.slice()) as [BigInt64Array, BigInt64Array];
      first[entry] = first[entry]! + 1n;
      second[entry] = second[entry]! - 1n;
      const altered = rootOf([first, second]);
      expect([...altered.matrix]).to.deep.equal([...matrix]);
      seen.add(altered.gramRoot);
    }
    expect(seen.size).to.equal(4);
  });

  it('are hashed by the kernels as by the plain reference, for any number of rows and spans', () => {
    const hasher = new BulkHasher(loadKernels());
    const entry = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constantFrom(0n, -1n, 1n));
    const tree = fc.record({
      n: fc.oneof(fc.integer({ min: 1, max: 33 }), fc.constantFrom(50, 101, 257)),
      spans: fc.integer({ min: 1, max: 5 }),
      entries: fc.array(entry, { minLength: 1, maxLength: 19 }),
    });
    fc.assert(
      fc.property(tree, ({ n, spans, entries }) => {
        const [plain, fast] = [null, hasher].map((by) => new GramCommitter(n, spans * GRAM_SPAN, by));
        for (let s = 0; s < spans; s++) {
          const matrix = new BigInt64Array((n * (n + 1)) / 2).map((_, k) => entries[(k + s) % entries.length]!);
          expect(fast!.appendSpan(matrix)).to.deep.equal(plain!.appendSpan(matrix));
        }
        expect(fast!.finish()).to.deep.equal(plain!.finish());
      }),
      runs(60),
    );
  });

  it('keep their own copy of a span', () => {
    const committer = new GramCommitter(1, 1);
    const span = packed(['9']);
    committer.appendSpan(span);
    span[0] = 0n;
    expect(committer.finish().matrix[0]).to.equal(9n);
  });

  it('hold no more spans than the layout has', () => {
    const committer = new GramCommitter(1, GRAM_SPAN);
    committer.appendSpan(packed(['1']));
    expectAssayError('TREE_FULL', () => committer.appendSpan(packed(['1'])));
  });
});
