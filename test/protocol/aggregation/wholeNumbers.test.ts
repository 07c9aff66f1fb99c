import { expect } from 'chai';
import fc from 'fast-check';
import { ascending, greatest, isqrt, least, total } from '../../../protocol/aggregation/wholeNumbers.ts';
import { runs } from '../support/arbitraries.ts';

describe('whole numbers', () => {
  it('have an exact root, rounded down, at any size and beside every square', () => {
    const check = (value: bigint) => {
      const root = isqrt(value);
      expect(root * root <= value && value < (root + 1n) * (root + 1n), `root of ${value}`).to.equal(true);
    };
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 400n }), fc.integer({ min: 0, max: 400 }), (value, shift) => {
        const root = value >> BigInt(shift);
        check(root);
        check(root * root);
        check(root * root + 2n * root);
        if (root > 0n) check(root * root - 1n);
      }),
      runs(300),
    );
    for (let bits = 0n; bits < 130n; bits++)
      for (const by of [-1n, 0n, 1n]) if (bits > 0n || by >= 0n) check((1n << bits) + by);
  });

  it('have no root below zero but zero', () => {
    expect([isqrt(-1n), isqrt(-(2n ** 80n)), isqrt(0n)]).to.deep.equal([0n, 0n, 0n]);
  });

  it('are ordered, compared and added', () => {
    const values = [3n, -(2n ** 70n), 2n ** 70n, 0n];
    expect([...values].sort(ascending)).to.deep.equal([-(2n ** 70n), 0n, 3n, 2n ** 70n]);
    expect([greatest(...values), least(...values), total(values)]).to.deep.equal([2n ** 70n, -(2n ** 70n), 3n]);
  });
});
