import { expect } from 'chai';
import fc from 'fast-check';
import { createRandom } from '../../../client/random.ts';
import { checkFinite } from '../../../client/update/checkFinite.ts';
import { clipQuantized } from '../../../client/update/clipQuantized.ts';
import { clipUpdate } from '../../../client/update/clipUpdate.ts';
import { computeUpdate } from '../../../client/update/computeUpdate.ts';
import { prepareUpdate } from '../../../client/update/prepareUpdate.ts';
import { quantizeStochastic } from '../../../client/update/quantizeStochastic.ts';
import { fixedToFloat } from '../../../protocol/encoding/fixedPoint.ts';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import { QuantizeKernel } from '../../../protocol/kernels/quantize.ts';

const kernel = new QuantizeKernel(loadKernels());

/** Every float32 there is: tiny and huge ones, both zeros, subnormals, halves of a unit. */
const anyFloat = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ min: -1, max: 1, noNaN: true }),
  fc.constantFrom(0, -0, 2 ** -17, -(2 ** -17), 2 ** -149, 0.5, -0.5, 32767 / 65536, -32768 / 65536, 3e38, -3e38),
);
/** Longer than a block of the kernel at times, and of any remainder. */
const vector = fc
  .tuple(fc.array(anyFloat, { minLength: 1, maxLength: 41 }), fc.integer({ min: 1, max: 40_000 }))
  .map(([pattern, length]) => Float32Array.from({ length }, (_, k) => pattern[k % pattern.length]!));
const pairOfVectors = fc
  .tuple(vector, fc.array(anyFloat, { minLength: 1, maxLength: 23 }))
  .map(([a, pattern]) => [a, a.map((_, k) => pattern[k % pattern.length]!)] as const);

/** The bits, so that 0 and -0 differ. */
const bits = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex');

describe('client update by kernels', () => {
  it('subtracts and scales to the bits of the plain functions', () => {
    fc.assert(
      fc.property(pairOfVectors, fc.double({ min: 1e-6, max: 1e3, noNaN: true }), ([a, b], maxNorm) => {
        expect(bits(computeUpdate(a, b, kernel))).to.equal(bits(computeUpdate(a, b)));
        const [fast, plain] = [clipUpdate(a, maxNorm, kernel), clipUpdate(a, maxNorm)];
        expect(bits(fast.update)).to.equal(bits(plain.update));
        expect(fast).to.deep.equal({ ...plain, update: fast.update });
      }),
      { numRuns: 40 },
    );
  });

  it('rounds stochastically to the bits of the plain function, and leaves the generator where it does', () => {
    fc.assert(
      fc.property(pairOfVectors, fc.constantFrom(8, 16, 24), fc.boolean(), fc.nat(), ([a, b], G, first, seed) => {
        const error = first ? null : b.map((value) => value * 2 ** -20);
        const [randomA, randomB] = [createRandom(seed), createRandom(seed)];
        const fast = quantizeStochastic(a, error, G, randomA, kernel);
        const plain = quantizeStochastic(a, error, G, randomB);
        expect(fast.quantized).to.deep.equal(plain.quantized);
        expect(bits(fast.error)).to.equal(bits(plain.error));
        expect(fast.saturated).to.equal(plain.saturated);
        expect(randomA.nextUint32()).to.equal(randomB.nextUint32());
      }),
      { numRuns: 60 },
    );
  });

  it('clips integers as the plain function does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -32768, max: 32767 }), { minLength: 1, maxLength: 31 }),
        fc.integer({ min: 1, max: 20_000 }),
        fc.bigInt({ min: 0n, max: 2n ** 45n }),
        (pattern, length, bound) => {
          const quantized = Int16Array.from({ length }, (_, k) => pattern[k % pattern.length]!);
          expect(clipQuantized(quantized, bound, kernel)).to.deep.equal(clipQuantized(quantized, bound));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('turns model coordinates into weights as the plain function does', () => {
    fc.assert(
      fc.property(
        fc.int32Array({ minLength: 1, maxLength: 300 }),
        fc.constantFrom(0, 16, 24, 30),
        (model, fractionBits) => {
          const edges = Int32Array.of(2 ** 31 - 1, -(2 ** 31), 16777217, -16777219, 33554434, ...model);
          expect(bits(kernel.fixedToFloat(edges, fractionBits))).to.equal(bits(fixedToFloat(edges, fractionBits)));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('finds one NaN or infinity, wherever it is, and says what the plain function says', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const place of [0, 7, 16383, 16384, 19_996]) {
        const weights = new Float32Array(20_001).fill(3e38);
        expect(kernel.allFinite(weights)).to.equal(true);
        weights[place] = bad;
        weights[place + 4] = bad; // in the same lane
        const tensors = [{ name: 'w', shape: [20_001] }];
        expect(kernel.allFinite(weights)).to.equal(false);
        expect(() => checkFinite(weights, tensors, kernel)).to.throw(`w[${place}]`);
        const random = createRandom('nan');
        const rounding = [[weights, null] as const, [new Float32Array(20_001), weights] as const];
        for (const [update, error] of rounding) {
          expect(() => quantizeStochastic(update, error, 16, random, kernel)).to.throw(`coordinate ${place} of`);
        }
      }
    }
  });

  it('prepares an update to the same bits, clips and all', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.nat(), fc.constantFrom(0.05, 1, 1e6), (d, seed, spread) => {
        const random = createRandom(seed);
        const draw = () => Float32Array.from({ length: d }, () => random.nextNormal() * spread);
        const task = {
          trained: draw(),
          base: draw(),
          tensors: [{ name: 'w', shape: [d] }],
          error: Float32Array.from({ length: d }, () => (random.nextFloat() - 0.5) * 2 ** -16),
          normSqBound: 2n ** 30n,
          updateFractionBits: 16,
          round: 3,
          seed: 'kernels',
        };
        const [fast, plain] = [prepareUpdate({ ...task, kernel }), prepareUpdate(task)];
        expect(bits(fast.error)).to.equal(bits(plain.error));
        expect(fast).to.deep.equal({ ...plain, error: fast.error });
      }),
      { numRuns: 40 },
    );
  });
});
