/** Stages that take rows as they are: iterated Krum, MDA, MoNNA. */
import { expect } from 'chai';
import fc from 'fast-check';
import { gramOfRows } from '../../../../protocol/aggregation/gram.ts';
import { iteratedKrum, iteratedKrumPicks } from '../../../../protocol/aggregation/preAggregation/iteratedKrum.ts';
import { minimumDiameter } from '../../../../protocol/aggregation/preAggregation/minimumDiameter.ts';
import type { Mixing } from '../../../../protocol/aggregation/preAggregation/mixing.ts';
import { monna } from '../../../../protocol/aggregation/preAggregation/monna.ts';
import { multiKrum } from '../../../../protocol/aggregation/preAggregation/multiKrum.ts';
import { MAX_DIAMETER_BYZANTINE } from '../../../../protocol/aggregation/rule.ts';
import { ascending } from '../../../../protocol/aggregation/wholeNumbers.ts';
import { rowsOf, runs } from '../../support/arbitraries.ts';
import { distance, referenceKrumScores } from '../../support/reference.ts';
import { contextOf, rowsFrom, ruleWith } from '../../support/stages.ts';

/** The rows taken, which must be whole rows in ascending order. */
function taken({ rows, columns, weights, denominator }: Mixing): number[] {
  expect(denominator).to.equal(1);
  const positions = Array.from({ length: rows }, (_, r) => {
    const row = Array.from(weights.subarray(r * columns, (r + 1) * columns));
    expect(row.filter((weight) => weight !== 0)).to.deep.equal([1]);
    return row.indexOf(1);
  });
  expect(positions).to.deep.equal([...positions].sort((a, b) => a - b));
  return positions;
}

const line = (...values: number[]) => rowsFrom(values.map((value) => [value]));
const fewValues = fc.integer({ min: -4, max: 4 });

describe('iterated Krum', () => {
  /** Krum on what is left, again and again, from the coordinates. */
  function naivePicks(rows: readonly Int16Array[], f: number): number[] {
    let left = rows.map((_, i) => i);
    const picks: number[] = [];
    while (picks.length < rows.length - 2 * f) {
      const there = left.map((i) => rows[i]!);
      // referenceKrumScores counts n' - f - 2 neighbours; at least one
      const scores = referenceKrumScores(there, Math.min(f, there.length - 3));
      const best = scores.indexOf([...scores].sort(ascending)[0]!);
      picks.push(left[best]!);
      left = left.filter((_, at) => at !== best);
    }
    return picks;
  }

  it('takes row by row, rescoring what is left', () => {
    const setting = fc
      .tuple(fc.integer({ min: 1, max: 2 }), fc.nat({ max: 3 }), fc.boolean())
      .chain(([f, more, tied]) =>
        fc.record({ f: fc.constant(f), rows: rowsOf(4 * f + 3 + more, 3, tied ? fewValues : undefined) }),
      );
    fc.assert(
      fc.property(setting, ({ f, rows }) => {
        const gram = gramOfRows(rows);
        const picks = iteratedKrumPicks(gram, f);
        expect(picks).to.deep.equal(naivePicks(rows, f));
        expect(taken(iteratedKrum(gram, ruleWith({ byzantine: f })))).to.deep.equal([...picks].sort((a, b) => a - b));
      }),
      runs(60),
    );
  });

  it('is not one pass of Multi-Krum: a pick changes the scores of those it was near', () => {
    const rows = line(0, 2, 4, 20, 21, 22, 30);
    const gram = gramOfRows(rows);
    const once = taken(multiKrum(gram, 1, 5));
    const iterated = taken(iteratedKrum(gram, ruleWith({ byzantine: 1 })));
    expect(iterated).to.deep.equal([...naivePicks(rows, 1)].sort((a, b) => a - b));
    expect(iterated).to.not.deep.equal(once);
  });

  it('leaves out f outliers of any size wherever they stand', () => {
    for (const outliers of [
      [0, 1],
      [4, 9],
      [9, 10],
    ]) {
      const rows = Array.from({ length: 11 }, (_, i) => Int16Array.of(i, 2 * i, -i));
      for (const i of outliers) rows[i] = Int16Array.of(32767, -32768, 30000 + i);
      expect(taken(iteratedKrum(gramOfRows(rows), ruleWith({ byzantine: 2 })))).to.not.include.members(outliers);
    }
  });

  it('with f = 1 does not pick a far row for its low index when only three are left', () => {
    const rows = line(1000, 0, 1, 2, 3, 4, 5);
    expect(iteratedKrumPicks(gramOfRows(rows), 1)).to.not.include(0);
  });

  it('takes the lowest indices of equal rows, and all rows without Byzantine', () => {
    const equal = gramOfRows(line(7, 7, 7, 7, 7, 7, 7));
    expect(taken(iteratedKrum(equal, ruleWith({ byzantine: 1 })))).to.deep.equal([0, 1, 2, 3, 4]);
    expect(taken(iteratedKrum(gramOfRows(line(1, 9, 4)), ruleWith({})))).to.deep.equal([0, 1, 2]);
  });
});

describe('minimum-diameter averaging', () => {
  function* subsets(n: number, size: number, from = 0): Generator<number[]> {
    if (size === 0) yield [];
    else for (let i = from; i <= n - size; i++) for (const rest of subsets(n, size - 1, i + 1)) yield [i, ...rest];
  }

  const diameter = (rows: readonly Int16Array[], set: readonly number[]) =>
    set
      .flatMap((i) => set.map((j) => distance(rows[i]!, rows[j]!)))
      .sort(ascending)
      .at(-1)!;

  /** All sets, in lexicographic order. */
  function naive(rows: readonly Int16Array[], f: number): number[] {
    let best: number[] = [];
    let least: bigint | undefined;
    for (const set of subsets(rows.length, rows.length - f)) {
      const own = diameter(rows, set);
      if (least === undefined || own < least) [best, least] = [set, own];
    }
    return best;
  }

  it('is the first set of least diameter, as the enumeration of all sets finds it', () => {
    const setting = fc
      .tuple(fc.integer({ min: 0, max: 3 }), fc.nat({ max: 2 }), fc.boolean())
      .chain(([f, more, tied]) =>
        fc.record({ f: fc.constant(f), rows: rowsOf(2 * f + 1 + more, 3, tied ? fewValues : undefined) }),
      );
    fc.assert(
      fc.property(setting, ({ f, rows }) => {
        expect(taken(minimumDiameter(gramOfRows(rows), ruleWith({ byzantine: f })))).to.deep.equal(naive(rows, f));
      }),
      runs(100),
    );
  });

  it('by hand: of 0, 10, 11, 12, 30 with f = 2 the three in the middle; of equal sets the first', () => {
    expect(taken(minimumDiameter(gramOfRows(line(0, 10, 11, 12, 30)), ruleWith({ byzantine: 2 })))).to.deep.equal([
      1, 2, 3,
    ]);
    expect(taken(minimumDiameter(gramOfRows(line(0, 1, 2, 3, 4)), ruleWith({ byzantine: 2 })))).to.deep.equal([
      0, 1, 2,
    ]);
    expect(taken(minimumDiameter(gramOfRows(line(5, 5, 5)), ruleWith({ byzantine: 1 })))).to.deep.equal([0, 1]);
  });

  it('has its greatest f with as many rows as there may be, arranged against the search', () => {
    // 100 rows as unit vectors of a random graph: every pair at one of two distances
    let state = 1;
    const random = () => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const n = 100;
    const values = Array.from({ length: (n * (n + 1)) / 2 }, () => BigInt(Math.floor(random() * 1000)));
    for (let i = 0; i < n; i++) values[i * n - (i * (i - 1)) / 2] = 1000n;
    const gram = { n, values };
    const set = taken(minimumDiameter(gram, ruleWith({ byzantine: MAX_DIAMETER_BYZANTINE })));
    expect(set).to.have.length(n - MAX_DIAMETER_BYZANTINE);
  });
});

describe('MoNNA', () => {
  it('takes the pivot and its n - f - 1 nearest, of equally near ones the lower index', () => {
    const rows = line(0, 10, 20, 30, 40, 1000);
    const gram = gramOfRows(rows);
    const of = (reference: number, byzantine: number) =>
      taken(monna(gram, ruleWith({ reference, byzantine }), contextOf(rows)));
    expect(of(12, 2)).to.deep.equal([0, 1, 2, 3]); // 0 and 40 are as far from 20
    expect(of(10, 2)).to.deep.equal([0, 1, 2, 3]);
    expect(of(14, 2)).to.deep.equal([1, 2, 3, 4]);
    expect(of(15, 2)).to.deep.equal([2, 3, 4, 5]); // a Byzantine pivot stays in
  });

  it('keeps the pivot among its nearest even when rows of lower index equal it', () => {
    const rows = line(5, 5, 5, 5, 5);
    expect(taken(monna(gramOfRows(rows), ruleWith({ reference: 14, byzantine: 2 }), contextOf(rows)))).to.deep.equal([
      0, 1, 4,
    ]);
  });

  it('moves nothing without its pivot: nobody takes its place', () => {
    const rows = line(1, 2, 3);
    expect(monna(gramOfRows(rows), ruleWith({ reference: 3, byzantine: 1 }), contextOf(rows))).to.deep.equal({
      rows: 1,
      columns: 3,
      weights: new Int32Array(3),
      denominator: 1,
    });
  });
});
