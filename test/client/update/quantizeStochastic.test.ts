import { expect } from 'chai';
import fc from 'fast-check';
import { createRandom } from '../../../client/random.ts';
import { quantizeStochastic } from '../../../client/update/quantizeStochastic.ts';
import { expectError } from '../support/expectError.ts';

const G = 16;
const unit = 2 ** -G;
const updates = fc.array(fc.double({ min: -0.7, max: 0.7, noNaN: true }), { minLength: 1, maxLength: 50 });

describe('client quantizeStochastic', () => {
  it('rounds to one of the two neighbours and keeps the rest as error, less than one unit', () => {
    fc.assert(
      fc.property(updates, fc.string(), (values, seed) => {
        const update = Float32Array.from(values);
        const { quantized, error, saturated } = quantizeStochastic(update, null, G, createRandom(seed));
        let cut = 0;
        update.forEach((value, i) => {
          expect(Math.abs(error[i]!)).to.be.at.most(unit);
          if (Math.abs(value) > 32767 * unit) {
            expect(Math.abs(quantized[i]!)).to.equal(32767);
            if (Math.abs(value) >= 32768 * unit) cut++;
          } else expect(quantized[i]! * unit + error[i]!).to.be.closeTo(value, unit * 1e-6);
        });
        expect(saturated).to.be.at.least(cut);
      }),
    );
  });

  it('is unbiased: the mean over draws is the number itself', () => {
    const random = createRandom('unbiased');
    const update = new Float32Array(20_000).fill(7.3 * unit);
    const { quantized } = quantizeStochastic(update, null, G, random);
    const mean = quantized.reduce((sum, q) => sum + q, 0) / quantized.length;
    // Deviation of the mean: sqrt(0.3 * 0.7 / 20000) = 0.0032.
    expect(mean).to.be.closeTo(7.3, 0.02);
    expect(new Set(quantized)).to.deep.equal(new Set([7, 8]));
  });

  it('feeds the error back: over rounds nothing is lost', () => {
    const random = createRandom('feedback');
    const update = Float32Array.from([0.3 * unit, -0.45 * unit, 5.5 * unit]);
    const sums = [0, 0, 0];
    let error: Float32Array | null = null;
    for (let round = 0; round < 100; round++) {
      const result = quantizeStochastic(update, error, G, random);
      result.quantized.forEach((q, i) => {
        sums[i]! += q;
      });
      error = result.error;
    }
    [30, -45, 550].forEach((expected, i) => {
      expect(sums[i]!).to.be.closeTo(expected, 1.001);
    });
  });

  it('never feeds back what saturation cut: a coordinate far out leaves less than a unit', () => {
    const { quantized, error, saturated } = quantizeStochastic(
      Float32Array.from([3, -3]),
      null,
      G,
      createRandom('cut'),
    );
    expect([...quantized]).to.deep.equal([32767, -32767]);
    expect(saturated).to.equal(2);
    expect([...error].every((rest) => Math.abs(rest) <= unit)).to.equal(true);
  });

  it('is bit-equal for a seed and differs for another', () => {
    const update = Float32Array.from({ length: 500 }, (_, i) => i * 1e-5 * 0.37);
    const run = (seed: string) => quantizeStochastic(update, null, G, createRandom(seed)).quantized.join();
    expect(run('a')).to.equal(run('a'));
    expect(run('a')).not.to.equal(run('b'));
  });

  it('refuses NaN and an error of another model', async () => {
    const random = createRandom('refuse');
    await expectError(
      () => quantizeStochastic(Float32Array.from([0, NaN]), null, G, random),
      'UPDATE_NOT_FINITE',
      /coordinate 1/,
    );
    await expectError(
      () => quantizeStochastic(new Float32Array(3), new Float32Array(2), G, random),
      'ERROR_FEEDBACK_LENGTH',
      /Expected: 3 coordinates\n.*Received: 2 coordinates/,
    );
  });
});
