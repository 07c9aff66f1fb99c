/** Centred clipping and adaptive clipping. */
import { expect } from 'chai';
import fc from 'fast-check';
import { gramEntry, gramOfRows } from '../../../../protocol/aggregation/gram.ts';
import { adaptiveClipping, clippingWeight } from '../../../../protocol/aggregation/preAggregation/adaptiveClipping.ts';
import { centeredClipping } from '../../../../protocol/aggregation/preAggregation/centeredClipping.ts';
import { rowsOf, runs } from '../../support/arbitraries.ts';
import { contextOf, minus, mixedRow, norm, rowsFrom, ruleWith, shares, spreadRows } from '../../support/stages.ts';

describe('centred clipping', () => {
  function clipped(rows: readonly Int16Array[], radius: bigint, iterations: number) {
    return centeredClipping(gramOfRows(rows), ruleWith({ radius, iterations }), contextOf(rows));
  }

  /** The paper's loop, in floats and on the coordinates; the last row is v_0. */
  function naive(rows: readonly Int16Array[], radius: number, iterations: number): number[] {
    let centre = Array.from(rows.at(-1)!);
    const updates = rows.slice(0, -1);
    for (let step = 0; step < iterations; step++) {
      const pulls = updates.map((row) => {
        const difference = minus(row, centre);
        const length = norm(difference);
        return difference.map((value) => value * Math.min(1, length === 0 ? 1 : radius / length));
      });
      centre = centre.map((value, k) => value + pulls.reduce((sum, pull) => sum + pull[k]!, 0) / updates.length);
    }
    return centre;
  }

  it('is the loop of the paper', () => {
    const setting = fc.integer({ min: 2, max: 9 }).chain((n) => spreadRows(n, 5));
    fc.assert(
      fc.property(
        setting,
        fc.integer({ min: 1, max: 60_000 }),
        fc.integer({ min: 1, max: 6 }),
        (rows, radius, steps) => {
          const ours = mixedRow(clipped(rows, BigInt(radius), steps), rows);
          expect(norm(minus(ours, naive(rows, radius, steps)))).to.be.below(1);
        },
      ),
      runs(60),
    );
  });

  it('by hand: from a history of zero, four rows at 10 and one at 1000 with tau 20 move it by (4 * 10 + 20) / 5', () => {
    const rows = rowsFrom([[10], [10], [10], [10], [1000], [0]]);
    expect(mixedRow(clipped(rows, 20n, 1), rows)[0]).to.be.closeTo(12, 0.01);
  });

  it('is the mean of the updates where nothing is clipped, and forgets history then', () => {
    const rows = rowsFrom([
      [10, 0],
      [20, 4],
      [30, 8],
      [-500, 7],
    ]);
    const mixing = clipped(rows, 30_000n, 3);
    expect(mixedRow(mixing, rows)[0]).to.be.closeTo(20, 0.001);
    expect(mixedRow(mixing, rows)[1]).to.be.closeTo(4, 0.001);
  });

  it('stays with history when nobody comes near and tau is small, whatever is sent', () => {
    fc.assert(
      fc.property(rowsOf(6, 3), fc.integer({ min: 1, max: 50 }), (rows, radius) => {
        const history = rows.at(-1)!;
        const moved = minus(mixedRow(clipped(rows, BigInt(radius), 4), rows), history);
        expect(norm(moved)).to.be.at.most(4 * radius + 0.1);
      }),
      runs(60),
    );
  });

  it('has weights that always sum to the denominator: shifting all rows and history shifts the result', () => {
    fc.assert(
      fc.property(spreadRows(5, 4), fc.integer({ min: 1, max: 20_000 }), (rows, radius) => {
        const { weights, denominator } = clipped(rows, BigInt(radius), 3);
        expect(weights.reduce((sum, weight) => sum + weight, 0)).to.equal(denominator);
      }),
      runs(40),
    );
  });

  it('has a radius in the units of updates, not of the mixed rows it may be given', () => {
    const rows = rowsFrom([[10], [20], [1000], [0]]);
    const gram = gramOfRows(rows);
    const mixed = { n: gram.n, values: Array.from(gram.values, (value) => value * 49n) };
    const rule = ruleWith({ radius: 15n, iterations: 2 });
    const scaled = centeredClipping(mixed, rule, contextOf(rows, { scale: 7n }));
    expect(scaled).to.deep.equal(centeredClipping(gram, rule, contextOf(rows)));
  });
});

describe('adaptive clipping', () => {
  it('by hand: of norms 3, 4, 12, 5, 13 with f = 1 one row is clipped, to 12', () => {
    // floor(2 * 1/5 * 4) = 1
    const rows = rowsFrom([
      [3, 0],
      [0, 4],
      [0, 12],
      [3, 4],
      [5, 12],
    ]);
    const { weights, denominator } = adaptiveClipping(gramOfRows(rows), ruleWith({ byzantine: 1 }));
    const diagonal = rows.map((_, i) => weights[i * 5 + i]);
    expect(denominator).to.equal(16_384);
    expect(diagonal).to.deep.equal([16_384, 16_384, 16_384, 16_384, Math.floor((16_384 * 12) / 13)]);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).to.equal(diagonal.reduce<number>((a, b) => a + b!, 0));
  });

  it('clips as many as the definition says, to the norm of the next, and never leaves a row longer', () => {
    const setting = fc
      .tuple(fc.integer({ min: 0, max: 3 }), fc.nat({ max: 3 }))
      .chain(([f, more]) => fc.record({ f: fc.constant(f), rows: rowsOf(2 * f + 1 + more, 4) }));
    fc.assert(
      fc.property(setting, ({ f, rows }) => {
        const n = rows.length;
        const mixing = adaptiveClipping(gramOfRows(rows), ruleWith({ byzantine: f }));
        const lengths = rows.map(norm).sort((a, b) => b - a);
        const count = Math.floor((2 * f * (n - f)) / n);
        const threshold = lengths[count]!;
        shares(mixing).forEach((row, i) => {
          const share = Math.min(1, norm(rows[i]!) === 0 ? 1 : threshold / norm(rows[i]!));
          expect(row[i]).to.be.closeTo(share, 1e-4);
          const square = BigInt(mixing.weights[i * n + i]!) ** 2n * gramEntry(gramOfRows(rows), i, i);
          const bound = rows.map((x) => gramEntry(gramOfRows([x]), 0, 0)).sort((a, b) => (a > b ? -1 : 1))[count]!;
          if (norm(rows[i]!) > threshold) expect(square <= BigInt(mixing.denominator) ** 2n * bound).to.equal(true);
        });
      }),
      runs(60),
    );
  });

  it('clips to nothing when the next norm is zero, and leaves rows of zeros alone', () => {
    const rows = rowsFrom([[0], [5], [0], [0], [0]]);
    const { weights } = adaptiveClipping(gramOfRows(rows), ruleWith({ byzantine: 1 }));
    expect([0, 1, 2].map((i) => weights[i * 6])).to.deep.equal([16_384, 0, 16_384]);
  });

  it('rounds a weight down, exactly: the root of a quotient of 126 bits', () => {
    expect(clippingWeight(1n, 4n)).to.equal(8192);
    expect(clippingWeight(2n ** 62n - 1n, 2n ** 62n)).to.equal(16_383);
    expect(clippingWeight(0n, 9n)).to.equal(0);
  });
});
