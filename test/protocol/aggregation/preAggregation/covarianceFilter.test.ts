import { expect } from 'chai';
import fc from 'fast-check';
import { gramOfRows } from '../../../../protocol/aggregation/gram.ts';
import { covarianceFilter } from '../../../../protocol/aggregation/preAggregation/covarianceFilter.ts';
import { runs } from '../../support/arbitraries.ts';
import { dot, minus, mixedRow, norm, rowsFrom, ruleWith, spreadRows, weightedSum } from '../../support/stages.ts';

/** Of what is nearer than this fixed point may think otherwise. */
const CLOSE = 0.005;

/**
 * Algorithm 2 of the paper in floats and on the coordinates, with an eigenvector that has converged. It is clear when
 * nothing was decided by a hair: no pass was the last but for a little weight, no row had hardly any weight left (it
 * may still be the farthest), and no second pass had nearly the least spread.
 */
function naive(rows: readonly Int16Array[], f: number): { mean: number[]; isClear: boolean } {
  let weights = rows.map(() => 1);
  let isClear = true;
  const sum = () => weights.reduce((a, b) => a + b, 0);
  const passes: { mean: number[]; lambda: number }[] = [];
  while (sum() > rows.length - 2 * f) {
    const total = sum();
    const mean = weightedSum(
      weights.map((weight) => weight / total),
      rows,
    );
    const differences = rows.map((row) => minus(row, mean));
    let v = Array.from(mean, (_, k) => 1 + k / 7);
    let lambda = 0;
    for (let step = 0; step < 200; step++) {
      const projections = differences.map((difference, i) => (weights[i]! * dot(difference, v)) / total);
      const image = weightedSum(projections, differences);
      lambda = norm(image);
      if (lambda === 0) break;
      v = image.map((value) => value / lambda);
    }
    passes.push({ mean, lambda });
    if (lambda === 0) break;
    const squares = differences.map((difference, i) => (weights[i]! > 0 ? dot(difference, v) ** 2 : 0));
    const most = Math.max(...squares);
    weights = weights.map((weight, i) => (squares[i] === most ? 0 : weight * (1 - squares[i]! / most)));
    if (weights.some((weight) => weight > 0 && weight < CLOSE)) isClear = false;
    if (Math.abs(sum() - (rows.length - 2 * f)) < CLOSE) isClear = false;
  }
  const least = Math.min(...passes.map(({ lambda }) => lambda));
  const [first, ...others] = passes.filter(({ lambda }) => lambda <= least * (1 + CLOSE));
  return { mean: first!.mean, isClear: isClear && others.length === 0 };
}

const filtered = (rows: readonly Int16Array[], f: number) =>
  mixedRow(covarianceFilter(gramOfRows(rows), ruleWith({ byzantine: f })), rows);

describe('the covariance filter', () => {
  it('is the plain mean without Byzantine rows, and what all rows agree on', () => {
    const rows = rowsFrom([
      [1, 2],
      [3, 6],
      [5, 1],
    ]);
    expect(filtered(rows, 0)).to.deep.equal([3, 3]);
    expect(
      filtered(
        rowsFrom([
          [4, -4],
          [4, -4],
          [4, -4],
        ]),
        1,
      ),
    ).to.deep.equal([4, -4]);
  });

  it('by hand: of 0, 1, 2, 3, 1000 with f = 1 the outlier has no weight', () => {
    const { weights } = covarianceFilter(
      gramOfRows(rowsFrom([[0], [1], [2], [3], [1000]])),
      ruleWith({ byzantine: 1 }),
    );
    expect(weights[4]).to.equal(0);
    expect(Math.min(...weights.subarray(0, 4))).to.be.above(10_000);
  });

  it('is the algorithm of the paper where one direction stands out in every pass', () => {
    // one coordinate has most of the spread, so the power method converges at once
    const setting = fc
      .tuple(spreadRows(7, 1, 3000), spreadRows(7, 3, 60))
      .map(([main, rest]) => main.map((row, i) => Int16Array.of(row[0]!, ...rest[i]!)));
    fc.assert(
      fc.property(setting, fc.integer({ min: 1, max: 3 }), (rows, f) => {
        const spread = Math.max(...rows.map((row) => Math.abs(row[0]!)));
        fc.pre(spread > 1000);
        const { mean, isClear } = naive(rows, f);
        fc.pre(isClear);
        expect(norm(minus(filtered(rows, f), mean))).to.be.below(0.02 * spread + 2);
      }),
      runs(40),
    );
  });

  it('goes by the direction of greatest spread, not by the farthest row', () => {
    const rows = rowsFrom([[0, 4000], ...[3000, -3000, 2900, -2900, 2800, -2800, 100, -100].map((x) => [x, x / 100])]);
    for (const f of [2, 3]) {
      const { mean, isClear } = naive(rows, f);
      expect(isClear).to.equal(true);
      expect(norm(minus(filtered(rows, f), mean))).to.be.below(5);
    }
  });

  it('returns the mean of the pass with the least spread, whichever that is', () => {
    const rows = rowsFrom([
      [-3, 8],
      [-8, 8],
      [-3, 4],
      [2, 9],
      [3, 6],
      [5, 3],
      [6, 1],
      [8, 6],
      [-3, 8],
      [-7, -9],
    ]);
    const { weights } = covarianceFilter(gramOfRows(rows), ruleWith({ byzantine: 2 }));
    expect(weights[9]).to.equal(0);
    expect(norm(minus(filtered(rows, 2), naive(rows, 2).mean))).to.be.below(0.1);
  });

  it('loses f far rows, alone or in step, whatever side they come from', () => {
    fc.assert(
      fc.property(spreadRows(9, 4, 100), spreadRows(2, 4, 32_767), fc.boolean(), (honest, far, together) => {
        const sent = together ? [far[0]!, far[0]!] : far;
        fc.pre(sent.every((row) => norm(row) > 5000));
        expect(norm(filtered([...sent, ...honest], 2))).to.be.below(260);
      }),
      runs(40),
    );
  });

  it('loses nothing of near rows beside one that is 2^45 times as far', () => {
    const near = [[0], [1], [2], [3], [4], [5]];
    const without = covarianceFilter(gramOfRows(rowsFrom(near)), ruleWith({ byzantine: 0 }));
    const gram = gramOfRows(rowsFrom([...near, [0]]));
    const values = Array.from(gram.values);
    values[values.length - 1] = 2n ** 90n; // a row far off along a direction of its own
    const { weights } = covarianceFilter({ n: 7, values }, ruleWith({ byzantine: 1 }));
    expect(weights[6]).to.equal(0);
    expect([...weights.subarray(0, 6)].every((weight) => weight > 0)).to.equal(true);
    expect(without.denominator).to.equal(6 * 16_384);
  });
});
