import { expect } from 'chai';
import fc from 'fast-check';
import { clipQuantized, normSqOf } from '../../../client/update/clipQuantized.ts';
import { isqrt } from '../../../protocol/aggregation/wholeNumbers.ts';
import { NO_NORM_BOUND } from '../../../protocol/round/parameters.ts';

const int16 = fc.int16Array({ min: -32767, max: 32767, minLength: 1, maxLength: 200 });

describe('client clipQuantized', () => {
  it('never exceeds the bound, and states the exact norm of what it returns', () => {
    fc.assert(
      fc.property(int16, fc.bigInt(0n, 2n ** 38n), (quantized, bound) => {
        const { quantized: clipped, normSq } = clipQuantized(quantized, bound);
        expect(normSq <= bound, `${normSq} <= ${bound}`).to.equal(true);
        expect(normSq).to.equal([...clipped].reduce((sum, q) => sum + BigInt(q) * BigInt(q), 0n));
        clipped.forEach((value, i) => {
          expect(Math.abs(value)).to.be.at.most(Math.abs(quantized[i]!));
          expect(value === 0 || Math.sign(value) === Math.sign(quantized[i]!)).to.equal(true);
        });
      }),
    );
  });

  it('leaves an update within the bound as it is, also exactly at it', () => {
    fc.assert(
      fc.property(int16, (quantized) => {
        const normSq = normSqOf(quantized);
        for (const bound of [normSq, normSq + 1n, NO_NORM_BOUND]) {
          const result = clipQuantized(quantized, bound);
          expect([...result.quantized]).to.deep.equal([...quantized]);
          expect(result.scaleQ16).to.equal(65536);
        }
        if (normSq > 0n) expect(clipQuantized(quantized, normSq - 1n).normSq < normSq).to.equal(true);
      }),
    );
  });

  it('clips one above the bound: by hand, (3, 4, 12) to a norm of 6', () => {
    // normSq 169, bound 36: s16 = isqrt(36 * 2^32 / 169) = floor(6/13 * 2^16) = 30247; 3, 4, 12 times 0.46153 truncate
    // to 1, 1, 5.
    const { quantized, normSq, scaleQ16 } = clipQuantized(Int16Array.from([3, -4, 12]), 36n);
    expect(scaleQ16).to.equal(30247);
    expect([...quantized]).to.deep.equal([1, -1, 5]);
    expect(normSq).to.equal(27n);
  });

  it('keeps nearly all the length it may keep', () => {
    const { normSq } = clipQuantized(new Int16Array(5000).fill(20_000), 10n ** 11n);
    expect(Number(normSq)).to.be.within(0.999e11, 1e11);
  });

  it('sums squares exactly past 2^53', () => {
    const vector = new Int16Array(2 ** 23 + 5).fill(32767);
    expect(normSqOf(vector)).to.equal(32767n ** 2n * BigInt(vector.length));
  });

  it('isqrt is the floor of the square root', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 128n), (value) => {
        const root = isqrt(value);
        expect(root * root <= value && value < (root + 1n) * (root + 1n)).to.equal(true);
      }),
    );
  });
});
