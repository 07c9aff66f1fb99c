/** What holds for every stage, whatever its idea: it is total, bounded, pure, and blind to names and units. */
import { expect } from 'chai';
import fc from 'fast-check';
import { gramOfRows, type InnerProducts } from '../../../../protocol/aggregation/gram.ts';
import { adaptiveClipping } from '../../../../protocol/aggregation/preAggregation/adaptiveClipping.ts';
import { bucketing } from '../../../../protocol/aggregation/preAggregation/bucketing.ts';
import { centeredClipping } from '../../../../protocol/aggregation/preAggregation/centeredClipping.ts';
import { covarianceFilter } from '../../../../protocol/aggregation/preAggregation/covarianceFilter.ts';
import { flTrust } from '../../../../protocol/aggregation/preAggregation/flTrust.ts';
import { foolsGold } from '../../../../protocol/aggregation/preAggregation/foolsGold.ts';
import { geometricMedian } from '../../../../protocol/aggregation/preAggregation/geometricMedian.ts';
import { iteratedKrum } from '../../../../protocol/aggregation/preAggregation/iteratedKrum.ts';
import { minimumDiameter } from '../../../../protocol/aggregation/preAggregation/minimumDiameter.ts';
import { MAX_ROW_WEIGHT, type Mixing } from '../../../../protocol/aggregation/preAggregation/mixing.ts';
import { monna } from '../../../../protocol/aggregation/preAggregation/monna.ts';
import { multiKrum } from '../../../../protocol/aggregation/preAggregation/multiKrum.ts';
import { nearestNeighborMixing } from '../../../../protocol/aggregation/preAggregation/nearestNeighborMixing.ts';
import { signGuard } from '../../../../protocol/aggregation/preAggregation/signGuard.ts';
import type { Stage } from '../../../../protocol/aggregation/preAggregation/stage.ts';
import type { Rule } from '../../../../protocol/aggregation/rule.ts';
import { rowsOf, runs } from '../../support/arbitraries.ts';
import { contextOf, madeUpGram, ruleWith, shares, spreadRows } from '../../support/stages.ts';

interface Subject {
  readonly stage: Stage;
  /** Fewest rows for f. */
  readonly least: (f: number) => number;
  readonly parts?: Partial<Rule>;
  /** f of the order test: Krum scores by one neighbour tie by construction (each is the other's nearest). */
  readonly byzantine?: { readonly min: number; readonly max: number };
  /**
   * The order of rows decides, not only among equals: buckets, the first of several least sets, clusters of equal size.
   */
  readonly isOrdered?: boolean;
  /** Exactly the same for rows a power of two larger; others round their distances. */
  readonly isScaleFree?: boolean;
}

const few = { min: 0, max: 2 };
const majority = (f: number) => 2 * f + 1;

const SUBJECTS: Record<string, Subject> = {
  multiKrum: {
    stage: (gram, { byzantine }) => multiKrum(gram, byzantine, 0),
    least: (f) => 2 * f + 3,
    isScaleFree: true,
  },
  nearestNeighborMixing: {
    stage: (gram, { byzantine }) => nearestNeighborMixing(gram, byzantine),
    least: majority,
    isScaleFree: true,
  },
  bucketing: { stage: bucketing, least: () => 1, parts: { bucketSize: 3 }, isOrdered: true, isScaleFree: true },
  adaptiveClipping: { stage: adaptiveClipping, least: majority, isScaleFree: true },
  iteratedKrum: { stage: iteratedKrum, least: (f) => 4 * f + 3, byzantine: { min: 3, max: 3 }, isScaleFree: true },
  geometricMedian: { stage: geometricMedian, least: majority, parts: { iterations: 8 } },
  centeredClipping: { stage: centeredClipping, least: (f) => 2 * f + 2, parts: { iterations: 3, radius: 5000n } },
  minimumDiameter: { stage: minimumDiameter, least: majority, isOrdered: true, isScaleFree: true },
  monna: { stage: monna, least: majority, parts: { reference: 10 }, isScaleFree: true },
  covarianceFilter: { stage: covarianceFilter, least: majority },
  foolsGold: { stage: foolsGold, least: () => 1, isScaleFree: true },
  signGuard: { stage: signGuard, least: majority, isOrdered: true, isScaleFree: true },
  flTrust: { stage: flTrust, least: () => 1, parts: { reference: 10 }, isScaleFree: true },
};

function checkBounds({ rows, columns, weights, denominator }: Mixing, n: number): void {
  expect(columns).to.equal(n);
  expect(rows).to.be.greaterThan(0);
  expect(weights).to.have.length(rows * columns);
  expect(denominator).to.satisfy(Number.isInteger);
  expect(denominator).to.be.within(1, MAX_ROW_WEIGHT);
  for (let r = 0; r < rows; r++) {
    const row = Array.from(weights.subarray(r * columns, (r + 1) * columns));
    expect(Math.min(...row)).to.be.at.least(0);
    expect(row.reduce((sum, weight) => sum + weight, 0)).to.be.at.most(MAX_ROW_WEIGHT);
  }
}

function permuted(gram: InnerProducts, order: readonly number[]): InnerProducts {
  const values: bigint[] = [];
  const at = (i: number, j: number) => {
    const [row, column] = [Math.min(i, j), Math.max(i, j)];
    return gram.values[row * gram.n - (row * (row - 1)) / 2 + column - row]!;
  };
  for (let i = 0; i < gram.n; i++) for (let j = i; j < gram.n; j++) values.push(at(order[i]!, order[j]!));
  return { n: gram.n, values };
}

for (const [name, { stage, least, parts, byzantine, isOrdered, isScaleFree }] of Object.entries(SUBJECTS)) {
  describe(`the stage ${name}`, () => {
    const sizedWith = (range: { readonly min: number; readonly max: number }) =>
      fc
        .tuple(fc.integer(range), fc.integer({ min: 0, max: 4 }))
        .map(([f, more]) => ({ rule: ruleWith({ byzantine: f, ...parts }), n: least(f) + more }));
    const sized = sizedWith(few);

    it('takes whatever rows there are: equal ones, zeros, extremes', () => {
      const degenerate = (n: number) =>
        fc.oneof(
          rowsOf(n, 6),
          rowsOf(n, 3, fc.constantFrom(0, 0, 0, 1)),
          rowsOf(n, 2, fc.constantFrom(-32768, 32767, 0)),
          rowsOf(1, 4).map(([row]) => Array.from({ length: n }, () => row!)),
          fc.constant(Array.from({ length: n }, () => new Int16Array(5))),
        );
      const setting = sized.chain(({ rule, n }) => fc.record({ rule: fc.constant(rule), rows: degenerate(n) }));
      fc.assert(
        fc.property(setting, ({ rule, rows }) => {
          const gram = gramOfRows(rows);
          const before = gram.values.slice();
          const mixing = stage(gram, rule, contextOf(rows));
          checkBounds(mixing, rows.length);
          expect(stage(gram, rule, contextOf(rows))).to.deep.equal(mixing);
          expect(gram.values).to.deep.equal(before);
        }),
        runs(60),
      );
    });

    it('gives an answer within bounds to a Gram matrix that no rows have', () => {
      const setting = sized.chain(({ rule, n }) => fc.record({ rule: fc.constant(rule), gram: madeUpGram(n) }));
      fc.assert(
        fc.property(setting, ({ rule, gram }) => {
          const rows = Array.from({ length: gram.n }, (_, i) => [i, -i, 0]);
          checkBounds(stage(gram, rule, contextOf(rows)), gram.n);
        }),
        runs(60),
      );
    });

    if (!isOrdered) {
      it('does not care who is who: rows in another order have their weights in that order', () => {
        const setting = sizedWith(byzantine ?? few).chain(({ rule, n }) => {
          const last = name === 'centeredClipping' ? [n - 1] : []; // the history row stays where it is
          const others = Array.from({ length: n - last.length }, (_, i) => i);
          return fc.record({
            rule: fc.constant(rule),
            rows: spreadRows(n, 8),
            order: fc.shuffledSubarray(others, { minLength: others.length }).map((order) => [...order, ...last]),
          });
        });
        fc.assert(
          fc.property(setting, ({ rule, rows, order }) => {
            const gram = gramOfRows(rows);
            const context = contextOf(rows);
            const moved = {
              ...context,
              indices: order.map((i) => context.indices[i]!),
              signs: order.map((i) => context.signs![i]!),
            };
            const before = shares(stage(gram, rule, context));
            const after = shares(stage(permuted(gram, order), rule, moved));
            const put = (row: number[]) => order.map((i) => row[i]!);
            expect(after.map(String).sort()).to.deep.equal(before.map((row) => String(put(row))).sort());
          }),
          runs(30),
        );
      });
    }

    it('does not care for units', () => {
      const setting = sized.chain(({ rule, n }) => fc.record({ rule: fc.constant(rule), rows: spreadRows(n, 8) }));
      fc.assert(
        fc.property(setting, ({ rule, rows }) => {
          const gram = gramOfRows(rows);
          const larger = { n: gram.n, values: Array.from(gram.values, (value) => value << 20n) };
          const one = stage(gram, rule, contextOf(rows));
          const other = stage(larger, rule, contextOf(rows, { scale: 2n ** 10n }));
          if (isScaleFree) expect(other).to.deep.equal(one);
          else {
            shares(one).forEach((row, r) => {
              row.forEach((share, i) => {
                expect(shares(other)[r]![i]).to.be.closeTo(share, 0.002);
              });
            });
          }
        }),
        runs(30),
      );
    });
  });
}
