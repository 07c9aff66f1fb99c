import { expect } from 'chai';
import fc from 'fast-check';
import { gramOfRows } from '../../../../protocol/aggregation/gram.ts';
import { geometricMedian } from '../../../../protocol/aggregation/preAggregation/geometricMedian.ts';
import { runs } from '../../support/arbitraries.ts';
import {
  contextOf,
  minus,
  mixedRow,
  norm,
  rowsFrom,
  ruleWith,
  shares,
  spreadRows,
  weightedSum,
} from '../../support/stages.ts';

const ITERATIONS = 8;

function medianOf(rows: readonly Int16Array[], iterations = ITERATIONS): number[] {
  return mixedRow(geometricMedian(gramOfRows(rows), ruleWith({ iterations }), contextOf(rows)), rows);
}

/** Weiszfeld with the same smoothing, in floats and on the coordinates. */
function naiveWeights(rows: readonly Int16Array[], iterations: number): number[] {
  let weights = rows.map(() => 1 / rows.length);
  for (let step = 0; step < iterations; step++) {
    const centre = weightedSum(weights, rows);
    const distances = rows.map((row) => norm(minus(row, centre)));
    const median = [...distances].sort((a, b) => a - b)[rows.length >> 1]!;
    const inverse = distances.map((distance) => 1 / Math.max(distance, median / 16, 1));
    const sum = inverse.reduce((a, b) => a + b, 0);
    weights = inverse.map((value) => value / sum);
  }
  return weights;
}

describe('the geometric median', () => {
  it('has the weights of the smoothed Weiszfeld algorithm', () => {
    const setting = fc.integer({ min: 1, max: 9 }).chain((n) => spreadRows(n, 6));
    fc.assert(
      fc.property(setting, fc.integer({ min: 1, max: 12 }), (rows, iterations) => {
        const mixing = geometricMedian(gramOfRows(rows), ruleWith({ iterations }), contextOf(rows));
        const naive = naiveWeights(rows, iterations);
        shares(mixing)[0]!.forEach((share, i) => {
          expect(share).to.be.closeTo(naive[i]!, 0.002);
        });
      }),
      runs(60),
    );
  });

  it('minimises the smoothed sum of distances: no step in any direction makes it less', () => {
    fc.assert(
      fc.property(
        spreadRows(7, 3),
        fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 3, maxLength: 3 }),
        (rows, by) => {
          const centre = medianOf(rows, 64);
          const distances = (at: readonly number[]) => rows.map((row) => norm(minus(row, at)));
          const nu = Math.max(distances(centre).sort((a, b) => a - b)[rows.length >> 1]! / 16, 1);
          // Below nu a parabola that meets the distance there: what weights of 1 / max(D, nu) are the gradient of.
          const smoothed = (distance: number) => (distance < nu ? (distance ** 2 / nu + nu) / 2 : distance);
          const total = (at: readonly number[]) => distances(at).reduce((sum, distance) => sum + smoothed(distance), 0);
          expect(total(centre)).to.be.at.most(total(centre.map((value, k) => value + by[k]!)) * 1.0001 + 1);
        },
      ),
      runs(40),
    );
  });

  it('by hand: on a line it is near the median, in a triangle of 120 degrees the Fermat point', () => {
    expect(medianOf(rowsFrom([[0], [0], [0], [900]]))[0]).to.be.closeTo(0, 1);
    const [x, y] = medianOf(
      rowsFrom([
        [1000, 0],
        [-500, 866],
        [-500, -866],
      ]),
    );
    expect(x).to.be.closeTo(0, 1);
    expect(y).to.be.closeTo(0, 1);
  });

  it('is what all rows agree on, and a single row is its own', () => {
    expect(
      medianOf(
        rowsFrom([
          [3, -4],
          [3, -4],
          [3, -4],
        ]),
      ),
    ).to.deep.equal([3, -4]);
    expect(medianOf(rowsFrom([[-7, 9]]))).to.deep.equal([-7, 9]);
    expect(medianOf(rowsFrom([[0], [0]]))).to.deep.equal([0]);
  });

  it('stays with the honest majority whatever f outliers send', () => {
    const honest = spreadRows(9, 4, 100);
    const outlier = spreadRows(4, 4, 32_767);
    fc.assert(
      fc.property(honest, outlier, (good, bad) => {
        const centre = medianOf([...bad, ...good]);
        // Honest rows lie within 200 of zero; the bound 2 (1 - f/n) / (1 - 2 f/n) of them is below 720
        expect(norm(centre)).to.be.below(720);
      }),
      runs(60),
    );
  });

  it('is not held by rows that place the first mean exactly on one of them', () => {
    const d = 64;
    const honest = Array.from({ length: 15 }, (_, i) =>
      Int16Array.from({ length: d }, (_u, k) => 3000 + ((i * k) % 7)),
    );
    const wanted = new Int16Array(d).fill(-1000);
    // 19 rows whose sum is 19 times the wanted one; three of them push
    const rest = Array.from(wanted, (value, k) => 18 * value - honest.reduce((sum, row) => sum + row[k]!, 0));
    const push = [0, 1, 2].map((part) => Int16Array.from(rest, (value) => Math.floor((value + part) / 3)));
    const rows = [wanted, ...push, ...honest];
    const mean = weightedSum(
      rows.map(() => 1 / rows.length),
      rows,
    );
    expect(norm(minus(mean, wanted))).to.be.below(1e-6);
    for (const value of medianOf(rows)) expect(value).to.be.within(2950, 3010);
  });

  it('has a least nu of one unit of the updates, not of the mixed rows it may be given', () => {
    const rows = rowsFrom([[0], [1], [3], [9]]);
    const gram = gramOfRows(rows);
    const mixed = { n: gram.n, values: Array.from(gram.values, (value) => value * 10_000n) };
    const rule = ruleWith({ iterations: 1 }); // the mean is 3.25: a quarter from 3, less than nu
    const scaled = shares(geometricMedian(mixed, rule, contextOf(rows, { scale: 100n })))[0]!;
    const inverse = [1 / 3.25, 1 / 2.25, 1, 1 / 5.75];
    const sum = inverse.reduce((x, y) => x + y, 0);
    shares(geometricMedian(gram, rule, contextOf(rows)))[0]!.forEach((share, i) => {
      expect(share).to.be.closeTo(inverse[i]! / sum, 0.001);
      expect(scaled[i]).to.be.closeTo(inverse[i]! / sum, 0.001);
    });
  });
});
