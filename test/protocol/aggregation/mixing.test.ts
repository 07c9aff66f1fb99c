import { expect } from 'chai';
import fc from 'fast-check';
import { gramOfRows } from '../../../protocol/aggregation/gram.ts';
import {
  boundedMixing,
  composeMixing,
  isNarrow,
  MAX_ROW_WEIGHT,
  type Mixing,
  mixChunk,
  mixGram,
  withPassingRow,
} from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { greatest } from '../../../protocol/aggregation/wholeNumbers.ts';
import { rowsOf, runs } from '../support/arbitraries.ts';

const sum = (values: readonly bigint[]) => values.reduce((a, b) => a + b, 0n);
const magnitude = (x: bigint) => (x < 0n ? -x : x);
const entries = ({ weights }: Mixing) => Array.from(weights, BigInt);

/** A mixing of that shape whose weights are each at most `most`. */
function mixingOf(rows: number, columns: number, most: number): fc.Arbitrary<Mixing> {
  return fc
    .tuple(
      fc.array(fc.integer({ min: -most, max: most }), { minLength: rows * columns, maxLength: rows * columns }),
      fc.integer({ min: 1, max: most * columns }),
    )
    .map(([weights, denominator]) => ({ rows, columns, weights: Int32Array.from(weights), denominator }));
}

describe('weights of any size', () => {
  it('are kept as they are where they fit', () => {
    const half = BigInt(MAX_ROW_WEIGHT / 2);
    const mixing = boundedMixing(2, 2, [half, -half, 1n, 0n], BigInt(MAX_ROW_WEIGHT));
    expect(mixing).to.deep.equal({
      rows: 2,
      columns: 2,
      weights: Int32Array.of(Number(half), -Number(half), 1, 0),
      denominator: MAX_ROW_WEIGHT,
    });
  });

  it('are all divided by the least power of two that makes rows and denominator fit, toward zero', () => {
    const shape = fc.record({ rows: fc.integer({ min: 1, max: 4 }), columns: fc.integer({ min: 1, max: 5 }) });
    const sized = shape.chain(({ rows, columns }) =>
      fc.record({
        rows: fc.constant(rows),
        columns: fc.constant(columns),
        weights: fc.array(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), {
          minLength: rows * columns,
          maxLength: rows * columns,
        }),
        denominator: fc.bigInt({ min: 1n, max: 2n ** 70n }),
      }),
    );
    fc.assert(
      fc.property(sized, ({ rows, columns, weights, denominator }) => {
        const bounded = boundedMixing(rows, columns, weights, denominator);
        const sums = Array.from({ length: rows }, (_, r) =>
          sum(weights.slice(r * columns, (r + 1) * columns).map(magnitude)),
        );
        const most = greatest(...sums, denominator);
        let divisor = 1n;
        while (most / divisor > BigInt(MAX_ROW_WEIGHT)) divisor *= 2n;
        expect(entries(bounded)).to.deep.equal(weights.map((weight) => weight / divisor));
        const scaled = denominator / divisor;
        expect(bounded.denominator).to.equal(Number(scaled === 0n ? 1n : scaled));
        for (let r = 0; r < rows; r++) {
          const row = sum(
            entries(bounded)
              .slice(r * columns, (r + 1) * columns)
              .map(magnitude),
          );
          expect(row <= BigInt(MAX_ROW_WEIGHT)).to.equal(true);
        }
      }),
      runs(100),
    );
  });
});

describe('mixing after mixing', () => {
  const two = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 }));

  it('is the product of the matrices, exact where it fits', () => {
    const pair = two.chain(([m, k, n]) => fc.tuple(mixingOf(m, k, 2000), mixingOf(k, n, 2000), rowsOf(n, 3)));
    fc.assert(
      fc.property(pair, ([second, first, updates]) => {
        const product = composeMixing(second, first);
        expect(product.denominator).to.equal(second.denominator * first.denominator);
        const once = mixChunk(product, updates).map((row) => Array.from(row, BigInt));
        const between = mixChunk(first, updates);
        const twice = Array.from({ length: second.rows }, (_, r) =>
          Array.from({ length: 3 }, (_unused, c) =>
            sum(between.map((row, j) => BigInt(second.weights[r * second.columns + j]!) * BigInt(row[c]!))),
          ),
        );
        expect(once).to.deep.equal(twice);
      }),
      runs(60),
    );
  });

  it('stays within the bounds of weights', () => {
    const pair = two.chain(([m, k, n]) => fc.tuple(mixingOf(m, k, 2 ** 26), mixingOf(k, n, 2 ** 26)));
    fc.assert(
      fc.property(pair, ([second, first]) => {
        const product = composeMixing(second, first);
        for (let r = 0; r < product.rows; r++) {
          const row = Array.from(product.weights.subarray(r * product.columns, (r + 1) * product.columns), Math.abs);
          expect(row.reduce((a, b) => a + b, 0)).to.be.at.most(MAX_ROW_WEIGHT);
        }
        expect(product.denominator).to.be.within(1, MAX_ROW_WEIGHT);
      }),
      runs(60),
    );
  });

  it('has the Gram matrix W G W^T, of 64-bit entries too', () => {
    const some = two.chain(([m, , n]) => fc.tuple(mixingOf(m, n, 2 ** 20), rowsOf(n, 6)));
    fc.assert(
      fc.property(some, ([mixing, updates]) => {
        const rows = mixChunk(mixing, updates).map((row) => Array.from(row, BigInt));
        const expected = rows.flatMap((x, i) => rows.slice(i).map((y) => sum(x.map((value, c) => value * y[c]!))));
        const { n, values } = mixGram(mixing, gramOfRows(updates));
        expect(n).to.equal(mixing.rows);
        expect(Array.from(values)).to.deep.equal(expected);
      }),
      runs(60),
    );
  });

  it('lets one more row pass as it is', () => {
    const first: Mixing = { rows: 1, columns: 2, weights: Int32Array.of(1, 2), denominator: 3 };
    expect(withPassingRow(first)).to.deep.equal({
      rows: 2,
      columns: 3,
      weights: Int32Array.of(1, 2, 0, 0, 0, 3),
      denominator: 3,
    });
  });
});

describe('mixed rows', () => {
  const extremes = [Int16Array.of(-32768, 32767), Int16Array.of(-32768, 32767)];

  it('are int32 up to weights of 2^15 a row, float64 beyond, and exact in both', () => {
    const narrow: Mixing = { rows: 1, columns: 2, weights: Int32Array.of(2 ** 14, 2 ** 14), denominator: 1 };
    expect(isNarrow(narrow)).to.equal(true);
    expect(mixChunk(narrow, extremes)).to.deep.equal([Int32Array.of(-(2 ** 30), 32767 * 2 ** 15)]);
    const wide: Mixing = { ...narrow, weights: Int32Array.of(2 ** 28, 2 ** 28) };
    expect(isNarrow(wide)).to.equal(false);
    expect(mixChunk(wide, extremes)).to.deep.equal([Float64Array.of(-(2 ** 44), 32767 * 2 ** 29)]);
    expect(isNarrow({ ...narrow, weights: Int32Array.of(2 ** 14, -(2 ** 14) - 1) })).to.equal(false);
  });
});
