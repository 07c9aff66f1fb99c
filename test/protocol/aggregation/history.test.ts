import { expect } from 'chai';
import fc from 'fast-check';
import { historyChunk } from '../../../protocol/aggregation/history.ts';
import { int32, runs } from '../support/arbitraries.ts';
import { shiftedBy } from '../support/fractionBits.ts';

describe('the history row', () => {
  it('is zero after the genesis model', () => {
    expect(historyChunk(Int32Array.of(5, -7), null, shiftedBy(8))).to.deep.equal(new Int16Array(2));
  });

  it('is the last step in the units of updates, towards zero, within int16', () => {
    const pairs = fc.array(fc.tuple(int32, int32), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(pairs, fc.nat({ max: 16 }), (models, shift) => {
        const base = Int32Array.from(models, ([now]) => now);
        const previous = Int32Array.from(models, ([, before]) => before);
        const expected = models.map(([now, before]) => {
          const step = (BigInt(now) - BigInt(before)) / 2n ** BigInt(shift);
          return Number(step > 32767n ? 32767n : step < -32768n ? -32768n : step);
        });
        expect([...historyChunk(base, previous, shiftedBy(shift))]).to.deep.equal(expected);
      }),
      runs(200),
    );
  });

  it('by hand: with F - G = 8 a step of 256 is one unit, and less is none', () => {
    const base = Int32Array.of(256, -256, 255, -255, 2 ** 31 - 1);
    const previous = Int32Array.of(0, 0, 0, 0, -(2 ** 31));
    expect([...historyChunk(base, previous, shiftedBy(8))]).to.deep.equal([1, -1, 0, 0, 32767]);
  });
});
