import { expect } from 'chai';
import fc from 'fast-check';
import { gramOfRows } from '../../../protocol/aggregation/gram.ts';
import { mixChunk } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { nearestNeighborMixing } from '../../../protocol/aggregation/preAggregation/nearestNeighborMixing.ts';
import { preAggregate } from '../../../protocol/aggregation/preAggregation/preAggregate.ts';
import { parseRule } from '../../../protocol/aggregation/rule.ts';
import {
  countTrimmed,
  EQUAL_SHARE_Q16,
  keptWeightsQ16,
  trimmedByUpdate,
} from '../../../protocol/aggregation/trimming.ts';
import { plainContext } from '../../../protocol/round/roundIo.ts';
import { rowsOf, runs } from '../support/arbitraries.ts';

describe('who was trimmed', () => {
  it('is who stands among the f lowest or highest when a column is sorted, the lower index first among equals', () => {
    const setting = fc
      .tuple(fc.nat({ max: 2 }), fc.nat({ max: 3 }))
      .chain(([f, more]) => fc.tuple(fc.constant(f), rowsOf(2 * f + 1 + more, 9)));
    fc.assert(
      fc.property(setting, ([f, rows]) => {
        const m = rows.length;
        const expected = new Array<number>(m).fill(0);
        for (let k = 0; k < 9; k++) {
          const order = rows.map((_, i) => i).sort((a, b) => rows[a]![k]! - rows[b]![k]! || a - b);
          for (const i of [...order.slice(0, f), ...order.slice(m - f)]) expected[i]!++;
        }
        const counts = new Array<number>(m).fill(0);
        for (let at = 0; at < 9; at += 4) {
          countTrimmed(
            counts,
            rows.map((row) => row.subarray(at, at + 4)),
            f,
          );
        }
        expect(counts).to.deep.equal(expected);
        expect(counts.reduce((a, b) => a + b)).to.equal(2 * f * 9);
      }),
      runs(60),
    );
  });

  it('the weights left are the complement of the trimming, and add up to n equal shares', () => {
    expect(keptWeightsQ16([0, 0, 0, 0], 9, null, 4)).to.deep.equal(Array(4).fill(EQUAL_SHARE_Q16));
    expect(keptWeightsQ16([8, 8, 0, 0], 8, null, 4)).to.deep.equal([0, 0, 2 * EQUAL_SHARE_Q16, 2 * EQUAL_SHARE_Q16]);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 100 }), { minLength: 2, maxLength: 12 }), (trimmed) => {
        const weights = keptWeightsQ16(trimmed, 101, null, trimmed.length);
        const sum = weights.reduce((a, b) => a + b);
        expect(sum).to.be.within(trimmed.length * EQUAL_SHARE_Q16 - trimmed.length, trimmed.length * EQUAL_SHARE_Q16);
        for (let i = 1; i < trimmed.length; i++) {
          if (trimmed[i]! > trimmed[i - 1]!) expect(weights[i]).to.be.below(weights[i - 1]!);
        }
      }),
      runs(60),
    );
  });

  it('after mixing an outlier weighs next to nothing, and equal updates weigh the same whichever of their rows is trimmed', () => {
    const rows = [0, 0, 0, 0, 900].map((base) => Int16Array.from({ length: 16 }, (_, k) => base + (k % 3)));
    const mixing = nearestNeighborMixing(gramOfRows(rows), 1);
    const mixed = mixChunk(mixing, rows);
    const counts = [0, 0, 0, 0, 0];
    countTrimmed(counts, mixed, 1);
    expect(counts, 'rows 0 to 3 are equal after mixing: the lowest index is trimmed').to.deep.equal([16, 0, 0, 0, 16]);
    const weights = keptWeightsQ16(counts, 16, mixing, 5);
    expect(weights).to.deep.equal([0, 1, 2, 3].map(() => weights[0]).concat(0));
  });

  it('weighs by weights of any size, and by none but those of updates', () => {
    const wide = {
      rows: 2,
      columns: 3,
      weights: Int32Array.of(2 ** 28, 2 ** 28, 0, 0, 2 ** 28, 2 ** 28),
      denominator: 2 ** 29,
    };
    expect(keptWeightsQ16([0, 2 ** 20], 2 ** 20, wide, 2)).to.deep.equal([EQUAL_SHARE_Q16, EQUAL_SHARE_Q16]);
    expect(keptWeightsQ16([2 ** 20, 0], 2 ** 20, wide, 2)).to.deep.equal([0, 2 * EQUAL_SHARE_Q16]);
  });

  it('counts belong to updates only where each has a row of its own, in its place', () => {
    const nnm = parseRule('nnm+trimmed-mean', 1);
    expect(trimmedByUpdate([1, 2, 3], nnm)).to.deep.equal([1, 2, 3]);
    expect(trimmedByUpdate(null, nnm)).to.equal(null);
    expect(trimmedByUpdate([1, 2], parseRule('bucketing+trimmed-mean', 0))).to.equal(null);
    // As many buckets as updates, shuffled: bucket 0 is not update 0.
    const shuffled = parseRule('bucketing+trimmed-mean', 1, { bucketSize: 1 });
    const gram = gramOfRows([Int16Array.of(1), Int16Array.of(2), Int16Array.of(3)]);
    const context = { ...plainContext(3), signs: null, dimension: 1 };
    const { rows, weights } = preAggregate(shuffled, gram, context);
    expect(rows).to.equal(3);
    expect([...weights]).to.not.deep.equal([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    expect(trimmedByUpdate([1, 2, 3], shuffled)).to.equal(null);
  });
});
