/** Stages that go by directions and signs: FLTrust, FoolsGold, SignGuard. */
import { expect } from 'chai';
import fc from 'fast-check';
import { gramEntry, gramOfRows } from '../../../../protocol/aggregation/gram.ts';
import { COSINE_ONE, fixedCosine } from '../../../../protocol/aggregation/preAggregation/cosine.ts';
import { flTrust } from '../../../../protocol/aggregation/preAggregation/flTrust.ts';
import { fixedLog2, foolsGold, logitWeight } from '../../../../protocol/aggregation/preAggregation/foolsGold.ts';
import { mixGram } from '../../../../protocol/aggregation/preAggregation/mixing.ts';
import { largestCluster, signGuard } from '../../../../protocol/aggregation/preAggregation/signGuard.ts';
import { rowsOf, runs } from '../../support/arbitraries.ts';
import { expectAssayError } from '../../support/expectAssayError.ts';
import { contextOf, dot, minus, mixedRow, norm, rowsFrom, ruleWith, shares, spreadRows } from '../../support/stages.ts';

const cosine = (x: ArrayLike<number>, y: ArrayLike<number>) => {
  const lengths = norm(x) * norm(y);
  return lengths === 0 ? 0 : dot(x, y) / lengths;
};

describe('a fixed cosine', () => {
  it('is the cosine, exact for parallel rows, zero for a row of zeros', () => {
    fc.assert(
      fc.property(rowsOf(2, 4), ([x, y]) => {
        const fixed = Number(fixedCosine(gramOfRows([x!, y!]), 0, 1)) / Number(COSINE_ONE);
        expect(fixed).to.be.closeTo(cosine(x!, y!), 1e-6);
      }),
      runs(60),
    );
    const gram = gramOfRows(
      rowsFrom([
        [3, -7],
        [9, -21],
        [-30, 70],
        [0, 0],
      ]),
    );
    expect([1, 2, 3].map((j) => fixedCosine(gram, 0, j))).to.deep.equal([COSINE_ONE, -COSINE_ONE, 0n]);
  });
});

describe('FLTrust', () => {
  const trusted = (rows: readonly Int16Array[]) =>
    flTrust(gramOfRows(rows), ruleWith({ reference: 10 }), contextOf(rows));

  it('weighs by ReLU cosine and matches norms, as the paper does', () => {
    const setting = fc.integer({ min: 2, max: 8 }).chain((n) => spreadRows(n, 3));
    fc.assert(
      fc.property(setting, (rows) => {
        const [root, ...others] = rows;
        fc.pre(norm(root!) > 100);
        const scores = others.map((row) => Math.max(0, cosine(row, root!)));
        const total = scores.reduce((a, b) => a + b, 0);
        fc.pre(total > 0.05 && others.every((row) => norm(row) * 200 > norm(root!)));
        const paper = Array.from(root!, (_, k) =>
          others.reduce((sum, row, i) => sum + (scores[i]! / total) * (norm(root!) / norm(row)) * row[k]!, 0),
        );
        // Scores and weights are cut to units of 2^-14 (the scores once more, to 2^-24): by so much a term, and their sum.
        const trustees = others.filter((_, i) => scores[i]! > 0);
        const cut = trustees.reduce((sum, row) => sum + 2 * norm(root!) + norm(row), 0) / 16_000;
        const bound = cut / (total - trustees.length / 16_000);
        expect(norm(minus(mixedRow(trusted(rows), rows), paper))).to.be.below(bound + 1e-6);
      }),
      runs(60),
    );
  });

  it('never gives more than the norm of the root, exactly', () => {
    const setting = fc.integer({ min: 1, max: 7 }).chain((n) => rowsOf(n, 3));
    fc.assert(
      fc.property(setting, (rows) => {
        const gram = gramOfRows(rows);
        const mixing = trusted(rows);
        const square = gramEntry(mixGram(mixing, gram), 0, 0);
        expect(square <= BigInt(mixing.denominator) ** 2n * gramEntry(gram, 0, 0)).to.equal(true);
        expect(mixing.weights[0]).to.equal(0);
      }),
      runs(80),
    );
  });

  it('by hand: against the root nothing, along it matched to its norm, at 60 degrees half', () => {
    const rows = rowsFrom([
      [1000, 0],
      [-800, 3],
      [10, 0],
      [500, 866],
    ]);
    const row = shares(trusted(rows))[0]!;
    expect(row[0]).to.equal(0);
    expect(row[1]).to.equal(0);
    expect(row[2]).to.be.closeTo(100 / 1.5, 0.05);
    expect(row[3]).to.be.closeTo(0.5 / 1.5, 0.001);
  });

  it('scales a short row up, but by no more than 256', () => {
    const { weights, denominator } = trusted(rowsFrom([[30_000], [1], [30_000], [200]]));
    expect([...weights]).to.deep.equal([0, 16_384 * 256, 16_384, 16_384 * 150]);
    expect(denominator).to.equal(3 * 16_384);
  });

  it('moves nothing without the root, with a root of zeros, when nobody agrees with it, when it is alone', () => {
    const none = (mixing: { weights: Int32Array; denominator: number }) => {
      expect([...new Set(mixing.weights)]).to.deep.equal([0]);
      expect(mixing.denominator).to.equal(1);
    };
    none(trusted(rowsFrom([[0], [5], [6]])));
    none(trusted(rowsFrom([[7], [-5], [0]])));
    none(trusted(rowsFrom([[7]])));
    const rows = rowsFrom([[7], [7]]);
    none(flTrust(gramOfRows(rows), ruleWith({ reference: 99 }), contextOf(rows)));
  });

  it('bears any number of Byzantine rows', () => {
    const rows = rowsFrom([[300, 10], [320, 0], ...Array.from({ length: 20 }, () => [-32000, 500])]);
    const [x, y] = mixedRow(trusted(rows), rows);
    expect(x).to.be.closeTo(300, 2);
    expect(y).to.be.closeTo(0, 1);
  });
});

describe('FoolsGold', () => {
  /** The paper's algorithm 1 in floats, on this round's rows; the greatest alpha is what the others are divided by. */
  function naive(rows: readonly Int16Array[]): { weights: number[]; top: number } {
    const n = rows.length;
    const cosines = rows.map((x, i) => rows.map((y, j) => (i === j ? 0 : cosine(x, y))));
    const alike = cosines.map((row) => Math.max(...row, 0));
    const alphas = rows.map((_, i) => {
      const pardoned = Array.from({ length: n }, (_unused, j) =>
        alike[j]! > alike[i]! ? (cosines[i]![j]! * alike[i]!) / alike[j]! : cosines[i]![j]!,
      );
      return 1 - Math.max(...pardoned, 0);
    });
    const top = Math.max(...alphas);
    const weights = alphas.map((alpha) => {
      const scaled = Math.min(alpha / top, 0.99);
      return Math.min(1, Math.max(0, Math.log(scaled / (1 - scaled)) + 0.5));
    });
    return { weights, top };
  }

  it('has the weights of the paper', () => {
    const setting = fc.integer({ min: 1, max: 7 }).chain((n) => spreadRows(n, 4));
    fc.assert(
      fc.property(setting, (rows) => {
        const expected = naive(rows);
        // Of rows that are nearly parallel the alphas are what is left of cosines in units of 2^-24: noise.
        fc.pre(expected.top > 0.001);
        const { weights } = foolsGold(gramOfRows(rows));
        expected.weights.forEach((weight, i) => {
          expect(weights[i]! / 16_384).to.be.closeTo(weight, 0.001);
        });
      }),
      runs(60),
    );
  });

  it('takes weight from identities of one attacker, however many, and leaves the others theirs', () => {
    const honest = rowsFrom([
      [1000, 0, 0],
      [0, 1000, 0],
      [0, 0, 1000],
    ]);
    const sybils = Array.from({ length: 12 }, () => Int16Array.of(-700, -700, -700));
    const { weights, denominator } = foolsGold(gramOfRows([...sybils, ...honest]));
    expect([...weights.subarray(0, 12)]).to.deep.equal(new Array(12).fill(0));
    expect([...weights.subarray(12)]).to.deep.equal([16_384, 16_384, 16_384]);
    expect(denominator).to.equal(3 * 16_384);
  });

  it('moves nothing when all rows are parallel: each may be the copy of another', () => {
    const { weights, denominator } = foolsGold(
      gramOfRows(
        rowsFrom([
          [1, 2],
          [2, 4],
          [3, 6],
        ]),
      ),
    );
    expect([[...weights], denominator]).to.deep.equal([[0, 0, 0], 1]);
  });

  it('has a logarithm: to the base of two within 2^-19, and the logit of the paper', () => {
    for (const [a, b] of [
      [1n, 1n],
      [1n, 3n],
      [5n, 4n],
      [2n ** 24n - 1n, 1n],
      [1n, 2n ** 24n - 1n],
      [99n, 1n],
    ] as const) {
      expect(Number(fixedLog2(a, b)) / 2 ** 20).to.be.closeTo(Math.log2(Number(a) / Number(b)), 2 ** -19);
    }
    expect(fixedLog2(8n, 1n)).to.equal(3n << 20n);
    expect(fixedLog2(1n, 4n)).to.equal(-2n << 20n);
    const at = (alpha: number) => Number(logitWeight(BigInt(Math.round(alpha * 2 ** 24)))) / 16_384;
    expect([at(0), at(0.37), at(0.63), at(1)]).to.deep.equal([0, 0, 1, 1]);
    for (const alpha of [0.38, 0.45, 0.5, 0.55, 0.62]) {
      expect(at(alpha)).to.be.closeTo(Math.log(alpha / (1 - alpha)) + 0.5, 1e-4);
    }
  });
});

describe('SignGuard', () => {
  const guarded = (rows: readonly Int16Array[]) => signGuard(gramOfRows(rows), ruleWith({}), contextOf(rows));

  /** Honest rows of mostly positive coordinates whose norms differ a little. */
  const honest = (count: number) =>
    Array.from({ length: count }, (_, i) =>
      Int16Array.from({ length: 40 }, (_u, k) => (k % 10 < 2 ? -10 : 10) + (i % 3)),
    );

  it('keeps norms from a tenth to three times the median norm', () => {
    const rows = [10, 11, 12, 1, 30, 1000, 2].map((size) => new Int16Array(40).fill(size));
    // sorted 1, 2, 10, 11, 12, 30, 1000: the median is 11; 1 is below 1.1, 30 within 33
    const row = shares(guarded(rows))[0]!;
    expect(row.map((share) => share > 0)).to.deep.equal([true, true, true, false, true, false, true]);
    expect(row[0]).to.be.closeTo(1 / 5, 1e-4);
    expect(row[4]).to.be.closeTo(11 / 30 / 5, 1e-4);
    expect(guarded(rows).denominator).to.equal(5 * 16_384);
  });

  it('draws both bounds exactly', () => {
    const rows = [20, 20, 20, 2, 1, 60, 61].map((size) => new Int16Array(40).fill(size));
    expect(shares(guarded(rows))[0]!.map((share) => share > 0)).to.deep.equal([
      true,
      true,
      true,
      true,
      false,
      true,
      false,
    ]);
  });

  it('drops rows whose signs are not those of the largest cluster: flipped signs of the same norm', () => {
    const rows = honest(7);
    for (const i of [0, 3, 6]) rows[i] = rows[i]!.map((value) => -value);
    const row = shares(guarded(rows))[0]!;
    expect(row.map((share) => share > 0)).to.deep.equal([false, true, true, false, true, true, false]);
  });

  it('does not care who is who among two clusters of different size', () => {
    const rows = honest(9).map((row, i) => (i < 3 ? row.map((value) => -value) : row));
    const before = shares(guarded(rows))[0]!;
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, 8], { minLength: 9 }), (order) => {
        expect(shares(guarded(order.map((i) => rows[i]!)))[0]).to.deep.equal(order.map((i) => before[i]));
      }),
      runs(20),
    );
  });

  it('takes the lower of two middle norms, so f = (n - 1) / 2 outliers cannot choose it', () => {
    const rows = [10, 12, 3000, 3000].map((size) => new Int16Array(40).fill(size));
    expect(shares(guarded(rows))[0]!.map((share) => share > 0)).to.deep.equal([true, true, false, false]);
  });

  it('moves nothing when no row passes both filters', () => {
    const row = (size: number, above: number, below: number) =>
      Int16Array.from({ length: 40 }, (_, k) => (k < above ? size : k < above + below ? -size : 0));
    // the three that agree in sign are far shorter than a tenth of the median norm
    const rows = [
      row(1, 40, 0),
      row(1, 40, 0),
      row(1, 40, 0),
      row(100, 0, 40),
      row(100, 0, 40),
      row(500, 1, 1),
      row(500, 1, 1),
    ];
    expect(guarded(rows)).to.deep.equal({ rows: 1, columns: 7, weights: new Int32Array(7), denominator: 1 });
  });

  it('finds the largest of three clusters, and of equal ones that of the lowest row', () => {
    const at = (x: number): [number, number, number] => [x, 0, 65_536 - x];
    const points = [at(100), at(30_000), at(30_200), at(60_000), at(30_100), at(60_050), at(120)];
    expect(largestCluster(points)).to.deep.equal([1, 2, 4]);
    expect(largestCluster([at(60_000), at(0), at(60_000), at(0)])).to.deep.equal([0, 2]);
    expect(largestCluster([at(5)])).to.deep.equal([0]);
  });

  it('clusters as its definition says, word by word', () => {
    type Point = [number, number, number];
    const length = (a: Point, b: Point) => a.reduce((sum, value, axis) => sum + (value - b[axis]!) ** 2, 0);
    function naiveCluster(points: Point[]): number[] {
      const n = points.length;
      const kth = points.map((a) => {
        const sorted = points.map((b) => length(a, b)).sort((x, y) => x - y);
        return Math.floor(Math.sqrt(sorted[Math.max(Math.floor(n / 2), 1) - 1]!));
      });
      const h = Math.max(1, Math.floor(kth.reduce((x, y) => x + y, 0) / n));
      const within = (a: Point) => points.filter((b) => length(a, b) <= h * h);
      const rest = (start: Point) => {
        let at = start;
        for (let step = 0; step < 64; step++) {
          const near = within(at);
          if (near.length === 0) return at;
          at = [0, 1, 2].map((axis) => Math.floor(near.reduce((sum, b) => sum + b[axis]!, 0) / near.length)) as Point;
        }
        return at;
      };
      const centres = points
        .map(rest)
        .sort((a, b) => within(b).length - within(a).length || a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
      const kept: Point[] = [];
      for (const c of centres) if (kept.every((k) => length(k, c) > h * h)) kept.push(c);
      const label = (point: Point) => {
        const lengths = kept.map((c) => length(c, point));
        return lengths.findIndex((l) => lengths.every((other) => l <= other));
      };
      const labels = points.map(label);
      const sizes = labels.map((own) => labels.filter((other) => other === own).length);
      const winner = labels[sizes.indexOf(Math.max(...sizes))];
      return points.map((_, i) => i).filter((i) => labels[i] === winner);
    }
    const point = fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: 0, max: 12 }))) as unknown as fc.Arbitrary<Point>;
    const wide = fc.tuple(
      ...[0, 1, 2].map(() => fc.integer({ min: 0, max: 65_536 })),
    ) as unknown as fc.Arbitrary<Point>;
    const several = (one: fc.Arbitrary<Point>) => fc.array(one, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.oneof(several(point), several(wide)), (points) => {
        expect(largestCluster(points)).to.deep.equal(naiveCluster(points));
      }),
      runs(200),
    );
  });

  it('refuses to guess signs', () => {
    const rows = rowsFrom([[1], [2], [3]]);
    expectAssayError('NO_SIGNS', () => signGuard(gramOfRows(rows), ruleWith({}), contextOf(rows, { signs: null })));
  });
});
