import { expect } from 'chai';
import fc from 'fast-check';
import { addGramChunk, gramEntry, gramIndex, gramOfRows, squaredDistance } from '../../../protocol/aggregation/gram.ts';
import { type Mixing, mixChunk, mixingHash } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { krumScores, multiKrum } from '../../../protocol/aggregation/preAggregation/multiKrum.ts';
import {
  nearestNeighborMixing,
  nearestOthers,
} from '../../../protocol/aggregation/preAggregation/nearestNeighborMixing.ts';
import { rowsOf, runs } from '../support/arbitraries.ts';
import { distance, referenceKrumScores, referenceSelection } from '../support/reference.ts';

const someRows = fc
  .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 40 }))
  .chain(([n, d]) => rowsOf(n, d));

/** The rows of a mixing matrix as lists of the participants in them. */
function members({ rows, columns, weights }: Mixing): number[][] {
  return Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_unused, i) => i).filter((i) => weights[r * columns + i] === 1),
  );
}

describe('the Gram matrix', () => {
  it('is exact: all inner products and distances, by chunks of any width', () => {
    fc.assert(
      fc.property(someRows, fc.integer({ min: 1, max: 41 }), (rows, width) => {
        const gram = gramOfRows(rows);
        const chunked = new BigInt64Array(gram.values.length);
        for (let at = 0; at < rows[0]!.length; at += width) {
          addGramChunk(
            chunked,
            rows.map((row) => row.subarray(at, at + width)),
          );
        }
        expect(chunked).to.deep.equal(gram.values);
        for (const [i, x] of rows.entries()) {
          for (const [j, y] of rows.entries()) {
            expect(gramEntry(gram, i, j)).to.equal(
              x.reduce((sum, value, k) => sum + BigInt(value) * BigInt(y[k]!), 0n),
            );
            expect(squaredDistance(gram, i, j)).to.equal(distance(x, y));
          }
        }
      }),
      runs(40),
    );
  });

  it('packs its upper triangle row by row', () => {
    const order: number[] = [];
    for (let i = 0; i < 4; i++) for (let j = i; j < 4; j++) order.push(gramIndex(4, i, j));
    expect(order).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(gramIndex(4, 3, 1)).to.equal(gramIndex(4, 1, 3));
  });

  it('does not lose a bit at the extremes over many coordinates', () => {
    const d = 10_000;
    const rows = [new Int16Array(d).fill(-32768), new Int16Array(d).fill(32767)];
    expect([...gramOfRows(rows).values]).to.deep.equal([10737418240000n, -10737090560000n, 10736762890000n]);
  });
});

describe('Krum', () => {
  it('has the scores and the selection of the definition', () => {
    const setting = fc
      .tuple(fc.integer({ min: 0, max: 2 }), fc.nat({ max: 3 }))
      .chain(([f, more]) =>
        fc.record({ f: fc.constant(f), m: fc.integer({ min: 0, max: 3 }), rows: rowsOf(2 * f + 3 + more, 5) }),
      );
    fc.assert(
      fc.property(setting, ({ f, m, rows }) => {
        const gram = gramOfRows(rows);
        expect(krumScores(gram, f)).to.deep.equal(referenceKrumScores(rows, f));
        const mixing = multiKrum(gram, f, m);
        expect(members(mixing)).to.deep.equal(referenceSelection(rows, f, m).map((i) => [i]));
        expect([mixing.columns, mixing.denominator]).to.deep.equal([rows.length, 1]);
      }),
      runs(60),
    );
  });

  it('by hand: of 0, 1, 3, 7, 100 with f = 1 it takes 1, whose two nearest are at 1 and 4', () => {
    const gram = gramOfRows([0, 1, 3, 7, 100].map((value) => Int16Array.of(value)));
    expect(krumScores(gram, 1)).to.deep.equal([10n, 5n, 13n, 52n, 18058n]);
    expect(members(multiKrum(gram, 1, 1))).to.deep.equal([[1]]);
    expect(members(multiKrum(gram, 1, 0))).to.deep.equal([[0], [1], [2], [3]]);
    expect(members(multiKrum(gram, 1, 2))).to.deep.equal([[0], [1]]);
  });

  it('gives every tie to the lower index', () => {
    const equal = gramOfRows(Array.from({ length: 5 }, () => Int16Array.of(4)));
    expect(members(multiKrum(equal, 1, 2))).to.deep.equal([[0], [1]]);
    const line = gramOfRows([0, 10, 20, 30, 40, 50].map((value) => Int16Array.of(value)));
    expect(members(multiKrum(line, 1, 1))).to.deep.equal([[1]]); // 1, 2, 3 and 4 tie
  });
});

describe('nearest-neighbour mixing', () => {
  it('takes each row and its n - f - 1 nearest, of equally near ones the lower index', () => {
    const line = gramOfRows([0, 10, 20, 30, 40].map((value) => Int16Array.of(value)));
    expect(nearestOthers(line, 2)).to.deep.equal([1, 3, 0, 4]);
    const mixing = nearestNeighborMixing(line, 2);
    expect(members(mixing)).to.deep.equal([
      [0, 1, 2],
      [0, 1, 2],
      [1, 2, 3],
      [2, 3, 4],
      [2, 3, 4],
    ]);
    expect(mixing.denominator).to.equal(3);
    expect(members(nearestNeighborMixing(line, 1))[2]).to.deep.equal([0, 1, 2, 3]); // 0 and 4 tie
  });

  it('keeps a row among its own neighbours even when others are equal to it', () => {
    const equal = gramOfRows(Array.from({ length: 5 }, () => Int16Array.of(4)));
    expect(members(nearestNeighborMixing(equal, 2))).to.deep.equal([
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 3],
      [0, 1, 4],
    ]);
  });

  it('has rows whose weights sum to the denominator', () => {
    const setting = fc.integer({ min: 0, max: 2 }).chain((f) => fc.tuple(fc.constant(f), rowsOf(2 * f + 2, 4)));
    fc.assert(
      fc.property(setting, ([f, rows]) => {
        const mixing = nearestNeighborMixing(gramOfRows(rows), f);
        for (const row of members(mixing)) expect(row).to.have.length(mixing.denominator);
      }),
      runs(40),
    );
  });
});

describe('the mixing matrix', () => {
  const mixing: Mixing = { rows: 2, columns: 3, weights: Int32Array.of(1, 0, 2, 0, 3, 0), denominator: 3 };

  it('mixes rows by its weights', () => {
    const rows = [Int16Array.of(1, -1), Int16Array.of(10, 20), Int16Array.of(-32768, 32767)];
    expect(mixChunk(mixing, rows).map((row) => [...row])).to.deep.equal([
      [-65535, 65533],
      [30, 60],
    ]);
  });

  it('holds the largest sums there are: 100 rows at the extremes', () => {
    const all = { rows: 1, columns: 100, weights: new Int32Array(100).fill(1), denominator: 100 };
    const rows = Array.from({ length: 100 }, () => Int16Array.of(-32768, 32767));
    expect([...mixChunk(all, rows)[0]!]).to.deep.equal([-3276800, 3276700]);
  });

  it('has a hash that every field changes', () => {
    const weights = Int32Array.of(1, 0, 2, 0, 3, 1);
    const others: Mixing[] = [
      { ...mixing, rows: 3, columns: 2 },
      { ...mixing, denominator: 4 },
      { ...mixing, weights },
      { ...mixing, rows: 1, columns: 6 },
    ];
    expect(new Set([mixing, ...others].map(mixingHash)).size).to.equal(5);
  });
});
