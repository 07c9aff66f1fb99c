import { expect } from 'chai';
import fc from 'fast-check';
import {
  checkServerStep,
  FED_AVG,
  hasServerState,
  SERVER_OPTIMIZERS,
  type ServerStep,
  stateVectors,
  stepChunk,
} from '../../../protocol/aggregation/serverStep.ts';
import { int32, runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';
import { shiftedBy } from '../support/fractionBits.ts';

const clamp = (x: bigint) => (x > 2n ** 31n - 1n ? 2n ** 31n - 1n : x < -(2n ** 31n) ? -(2n ** 31n) : x);

/** docs/spec/rules.md in big integers, whose division truncates toward zero. */
function referenceStep(step: ServerStep, w: number, v: number, numerator: number, denominator: number, shift: number) {
  const delta = (BigInt(numerator) << BigInt(shift)) / BigInt(denominator);
  const momentum = (BigInt(step.momentumQ16) * BigInt(v)) / 65536n;
  const direction = step.optimizer === 'fedAvgM' ? clamp(momentum + delta) : delta;
  return {
    model: Number(clamp(BigInt(w) + (BigInt(step.learningRateQ16) * direction) / 65536n)),
    velocity: Number(direction),
  };
}

const steps: fc.Arbitrary<ServerStep> = fc.oneof(
  fc.record({
    optimizer: fc.constant('fedAvg' as const),
    learningRateQ16: fc.oneof(fc.constant(65536), fc.integer({ min: 1, max: 2 ** 20 })),
    momentumQ16: fc.constant(0),
    secondMomentQ16: fc.constant(0),
    adaptivity: fc.constant(0),
  }),
  fc.record({
    optimizer: fc.constant('fedAvgM' as const),
    learningRateQ16: fc.integer({ min: 1, max: 2 ** 20 }),
    momentumQ16: fc.integer({ min: 0, max: 65535 }),
    secondMomentQ16: fc.constant(0),
    adaptivity: fc.constant(0),
  }),
);

describe('the server step', () => {
  it('is exact: equal to big integers over the whole range of every quantity', () => {
    // n rows of int16, mixed with a denominator up to 100: the largest quotient is 2^15.
    const update = fc.tuple(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: -1, max: 1, noNaN: true }));
    fc.assert(
      fc.property(steps, int32, int32, update, fc.nat({ max: 16 }), (step, w, v, [denominator, part], shift) => {
        const numerator = Math.trunc(part * denominator * 32768);
        const model = Int32Array.of(w);
        const velocity = hasServerState(step) ? Int32Array.of(v) : null;
        stepChunk(step, model, velocity, Float64Array.of(numerator), denominator, shiftedBy(shift));
        const expected = referenceStep(step, w, v, numerator, denominator, shift);
        expect(model[0]).to.equal(expected.model);
        if (velocity !== null) expect(velocity[0]).to.equal(expected.velocity);
      }),
      runs(500),
    );
  });

  it('truncates toward zero, on both sides', () => {
    const model = new Int32Array(6);
    stepChunk(FED_AVG, model, null, Float64Array.of(-1, 1, -2, 2, -5, 5), 3, shiftedBy(0));
    expect([...model]).to.deep.equal([0, 0, 0, 0, -1, 1]);
  });

  it('saturates instead of wrapping', () => {
    const [top, bottom] = [2 ** 31 - 1, -(2 ** 31)];
    const model = Int32Array.of(top, bottom, top, bottom);
    stepChunk(FED_AVG, model, null, Float64Array.of(1, -1, -1, 1), 1, shiftedBy(8));
    expect([...model]).to.deep.equal([top, bottom, top - 256, bottom + 256]);
    const velocity = Int32Array.of(top, bottom);
    const fast: ServerStep = {
      optimizer: 'fedAvgM',
      learningRateQ16: 65536,
      momentumQ16: 65535,
      secondMomentQ16: 0,
      adaptivity: 0,
    };
    stepChunk(fast, new Int32Array(2), velocity, Float64Array.of(32767, -32768), 1, shiftedBy(8));
    expect([...velocity]).to.deep.equal([top, bottom]);
  });

  it('with FedAvgM and no momentum moves the model as FedAvg does', () => {
    fc.assert(
      fc.property(fc.integer({ min: -32768, max: 32767 }), int32, (update, w) => {
        const [plain, heavy] = [Int32Array.of(w), Int32Array.of(w)];
        stepChunk(FED_AVG, plain, null, Float64Array.of(update), 1, shiftedBy(8));
        stepChunk(
          { ...FED_AVG, optimizer: 'fedAvgM' },
          heavy,
          Int32Array.of(12345),
          Float64Array.of(update),
          1,
          shiftedBy(8),
        );
        expect(heavy).to.deep.equal(plain);
      }),
      runs(50),
    );
  });

  it('keeps no state with FedAvg, a velocity with FedAvgM, two moments with the adaptive ones', () => {
    expect(SERVER_OPTIMIZERS).to.deep.equal(['fedAvg', 'fedAvgM', 'fedAdagrad', 'fedAdam', 'fedYogi']);
    const planes = SERVER_OPTIMIZERS.map((optimizer) => stateVectors({ ...FED_AVG, optimizer }));
    expect(planes).to.deep.equal([0, 1, 3, 3, 3]);
  });

  const heavy: ServerStep = {
    optimizer: 'fedAvgM',
    learningRateQ16: 65536,
    momentumQ16: 58982,
    secondMomentQ16: 0,
    adaptivity: 0,
  };
  const wrong: [string, ServerStep][] = [
    ['a learning rate of zero', { ...FED_AVG, learningRateQ16: 0 }],
    ['a negative learning rate', { ...FED_AVG, learningRateQ16: -1 }],
    ['a learning rate above 16', { ...FED_AVG, learningRateQ16: 16 * 65536 + 1 }],
    ['a learning rate that is not whole', { ...FED_AVG, learningRateQ16: 0.5 }],
    ['a momentum of one', { ...heavy, momentumQ16: 65536 }],
    ['a negative momentum', { ...heavy, momentumQ16: -1, secondMomentQ16: 0, adaptivity: 0 }],
    ['a momentum that is not a number', { ...heavy, momentumQ16: Number.NaN }],
    ['FedAvg with a momentum', { ...FED_AVG, momentumQ16: 1 }],
  ];
  for (const [name, step] of wrong) {
    it(`is refused with ${name}`, () => {
      const error = expectAssayError('SERVER_STEP', () => checkServerStep(step));
      expect(error.message).to.include('Expected: ').and.include(`learningRateQ16 = ${step.learningRateQ16}`);
    });
  }

  it('is accepted at the ends of its ranges', () => {
    checkServerStep({ ...FED_AVG, learningRateQ16: 1 });
    checkServerStep({ ...heavy, learningRateQ16: 16 * 65536, momentumQ16: 65535 });
    checkServerStep({ ...heavy, momentumQ16: 0 });
  });
});
