import { expect } from 'chai';
import fc from 'fast-check';
import { countTrimmed } from '../../../protocol/aggregation/trimming.ts';
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
});
