import { expect } from 'chai';
import fc from 'fast-check';
import { fixedToFloat, floatToFixed, roundHalfEven, saturateInt32 } from '../../../protocol/encoding/fixedPoint.ts';
import { int32, runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';

const one = (value: number, bits = 24) => floatToFixed(Float32Array.of(value), bits)[0];

describe('fixed point', () => {
  it('rounds to the nearest integer, ties to even', () => {
    const cases: [number, number][] = [
      [0.5, 0],
      [1.5, 2],
      [2.5, 2],
      [3.5, 4],
      [-0.5, 0],
      [-1.5, -2],
      [-2.5, -2],
      [-3.5, -4],
      [0.49999999999999994, 0],
      [0.5000000000000001, 1],
      [-0.4999, 0],
      [-0.5001, -1],
      [7, 7],
      [-7, -7],
      [2 ** 51 + 0.5, 2 ** 51],
      [2 ** 51 + 1.5, 2 ** 51 + 2],
    ];
    for (const [x, rounded] of cases) expect(roundHalfEven(x) + 0, String(x)).to.equal(rounded);
  });

  it('is odd: rounding a negated number negates the result', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), (x) => {
        expect(roundHalfEven(-x) + roundHalfEven(x)).to.equal(0);
        expect(Math.abs(roundHalfEven(x) - x)).to.be.at.most(0.5);
      }),
      runs(200),
    );
  });

  it('turns weights into integers by that rule', () => {
    expect(one(1.5 * 2 ** -24)).to.equal(2);
    expect(one(2.5 * 2 ** -24)).to.equal(2);
    expect(one(-0.5 * 2 ** -24)).to.equal(0);
    expect(one(-1.5 * 2 ** -24)).to.equal(-2);
    expect(one(1)).to.equal(2 ** 24);
    expect(one(1, 30)).to.equal(2 ** 30);
  });

  it('saturates at the ends of int32', () => {
    expect(one(127.99999)).to.be.below(2 ** 31 - 1);
    expect(one(128)).to.equal(2 ** 31 - 1);
    expect(one(-128)).to.equal(-(2 ** 31));
    expect(one(3e38)).to.equal(2 ** 31 - 1);
    expect(one(-3e38)).to.equal(-(2 ** 31));
    expect([2 ** 31, -(2 ** 31) - 1, 5, -5].map(saturateInt32)).to.deep.equal([2 ** 31 - 1, -(2 ** 31), 5, -5]);
  });

  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    it(`refuses ${value} and names its place`, () => {
      const error = expectAssayError('NOT_FINITE', () => floatToFixed(Float32Array.of(0, 1, value), 24));
      expect(error.message).to.include('weight 2').and.include(`Received: ${value}`);
    });
  }

  it('comes back from float32 exactly while an integer has at most 24 significant bits', () => {
    const short = fc.integer({ min: -(2 ** 24), max: 2 ** 24 });
    fc.assert(
      fc.property(fc.array(short), fc.integer({ min: 1, max: 30 }), (values, bits) => {
        const model = Int32Array.from(values);
        expect(floatToFixed(fixedToFloat(model, bits), bits)).to.deep.equal(model);
      }),
      runs(100),
    );
  });

  it('loses no more than float32 itself does on longer integers', () => {
    fc.assert(
      fc.property(int32, (w) => {
        const back = floatToFixed(fixedToFloat(Int32Array.of(w), 24), 24)[0]!;
        expect(back).to.equal(saturateInt32(Math.fround(w)));
      }),
      runs(200),
    );
  });
});
