import { expect } from 'chai';
import fc from 'fast-check';
import { combineChunk, combineDenominator } from '../../../protocol/aggregation/combine/combineChunk.ts';
import type { Combine } from '../../../protocol/aggregation/rule.ts';
import { runs } from '../support/arbitraries.ts';
import { loadVectors } from '../support/vectors.ts';

interface Case {
  readonly name: string;
  readonly combine: Combine;
  readonly byzantine: number;
  readonly column: number[];
  readonly numerator: string;
  readonly denominator: number;
}
const { cases } = loadVectors<Case>('combine.json');

const combineColumn = (combine: Combine, f: number, column: readonly number[]) =>
  combineChunk(
    combine,
    f,
    column.map((value) => Float64Array.of(value)),
  )[0]!;

describe('a combine', () => {
  it(`agrees with all ${cases.length} vectors`, () => {
    expect(cases.length).to.be.above(150);
    for (const { name, combine, byzantine: f, column, numerator, denominator } of cases) {
      const rows = column.map((value) => Int16Array.of(value));
      expect(String(combineChunk(combine, f, rows)[0]), name).to.equal(numerator);
      expect(combineDenominator(combine, column.length, f), name).to.equal(denominator);
    }
  });

  it('is exact for the widest mixed rows: 100 values up to 2^44', () => {
    const wide = fc.bigInt({ min: -(2n ** 44n), max: 2n ** 44n });
    const sizes = fc.integer({ min: 1, max: 100 }).chain((m) => fc.array(wide, { minLength: m, maxLength: m }));
    fc.assert(
      fc.property(sizes, fc.nat({ max: 24 }), (values, wish) => {
        const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
        const m = values.length;
        const f = Math.min(wish, Math.floor((m - 1) / 2));
        const center = sorted[(m - 1) >> 1]! + sorted[m >> 1]!;
        const far = (x: bigint) => (2n * x < center ? center - 2n * x : 2n * x - center);
        const nearest = [...sorted].sort((a, b) => (far(a) === far(b) ? Number(a - b) : far(a) < far(b) ? -1 : 1));
        const sum = (kept: readonly bigint[]) => kept.reduce((total, value) => total + value, 0n);
        const expected: Record<Combine, bigint> = {
          mean: sum(sorted),
          median: m % 2 === 0 ? center : center / 2n,
          trimmedMean: sum(sorted.slice(f, m - f)),
          meaMed: sum(nearest.slice(0, m - f)),
          bulyan: sum(nearest.slice(0, m - 2 * f)),
        };
        for (const combine of Object.keys(expected) as Combine[]) {
          expect(BigInt(combineColumn(combine, f, values.map(Number))), combine).to.equal(expected[combine]);
        }
      }),
      runs(150),
    );
  });

  it('of the values nearest the median keeps the lower of two equally far ones, whoever sent it', () => {
    expect(combineColumn('meaMed', 1, [0, 10, 20])).to.equal(10); // 0 and 10, not 10 and 20
    expect(combineColumn('meaMed', 1, [20, 10, 0])).to.equal(10);
    expect(combineColumn('meaMed', 1, [-6, 16, 0, 10])).to.equal(4); // median 5: -6 and 16 are 11 away
    expect(combineColumn('bulyan', 1, [0, 10, 20, 30, 40])).to.equal(60);
  });
});
