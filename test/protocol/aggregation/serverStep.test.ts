import { expect } from 'chai';
import fc from 'fast-check';
import {
  checkServerStep,
  FED_AVG,
  hasServerState,
  modelFromState,
  SERVER_OPTIMIZERS,
  type ServerStep,
  stateVectors,
  stepChunk,
} from '../../../protocol/aggregation/serverStep.ts';
import { isqrt } from '../../../protocol/aggregation/wholeNumbers.ts';
import { int32, runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';
import { shiftedBy } from '../support/fractionBits.ts';
import { loadVectors } from '../support/vectors.ts';

const clamp = (x: bigint) => (x > 2n ** 31n - 1n ? 2n ** 31n - 1n : x < -(2n ** 31n) ? -(2n ** 31n) : x);

/** docs/spec/rules.md in big integers, whose division truncates toward zero. */
function referenceStep(step: ServerStep, w: number, v: number, numerator: number, denominator: number, shift: number) {
  const delta = clamp((BigInt(numerator) << BigInt(shift)) / BigInt(denominator));
  const momentum = (BigInt(step.momentumQ16) * BigInt(v)) / 65536n;
  const direction = step.optimizer === 'fedAvgM' ? clamp(momentum + delta) : delta;
  return {
    model: Number(clamp(BigInt(w) + (BigInt(step.learningRateQ16) * direction) / 65536n)),
    velocity: Number(direction),
  };
}

interface Case {
  readonly name: string;
  readonly serverStep: ServerStep;
  readonly modelFractionBits: number;
  readonly updateFractionBits: number;
  readonly numerator: number;
  readonly denominator: number;
  readonly model: number;
  readonly momentum: number;
  readonly secondMoment: string;
  readonly nextModel: number;
  readonly nextMomentum: number;
  readonly nextSecondMoment: string;
}
const { cases } = loadVectors<Case>('serverSteps.json');

/** m, and v in its two planes, of one coordinate. */
const stateOf = (m: number, v: bigint) => Int32Array.of(m, Number(v & 0xffff_ffffn) | 0, Number(v >> 32n) | 0);
const secondMomentOf = (state: Int32Array) => (BigInt(state[2]! >>> 0) << 32n) | BigInt(state[1]! >>> 0);

/** floor(sqrt(x)) by bisection. */
function floorRoot(x: bigint): bigint {
  let [low, high] = [0n, 2n ** 33n];
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (middle * middle <= x) low = middle;
    else high = middle;
  }
  return low;
}

/** The adaptive steps of docs/spec/rules.md in big integers. */
function referenceAdaptive(step: ServerStep, F: number, w: number, m: number, v: bigint, delta: bigint) {
  const [one, beta1, beta2] = [65536n, BigInt(step.momentumQ16), BigInt(step.secondMomentQ16)];
  const momentum = clamp((beta1 * BigInt(m) + (one - beta1) * delta) / one);
  const square = delta * delta;
  const gap = v < square ? square - v : v - square;
  const moved = ((one - beta2) * gap) / one;
  const next = {
    fedAdagrad: v + square,
    fedAdam: (beta2 * v + (one - beta2) * square) / one,
    fedYogi: v < square ? v + moved : v - moved,
  }[step.optimizer as 'fedAdam'];
  const second = next > 2n ** 62n - 1n ? 2n ** 62n - 1n : next;
  const top = 2n ** 31n - 1n;
  const quotient = (momentum * one) / (floorRoot(second) + BigInt(step.adaptivity));
  const ratio = quotient > top ? top : quotient < -top ? -top : quotient;
  const model = clamp(BigInt(w) + (BigInt(step.learningRateQ16) * ratio) / 2n ** BigInt(32 - F));
  return { model, momentum, second };
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
    // The one quotient beyond int32: it saturates before momentum or learning rate touch it.
    const velocity = Int32Array.of(-(2 ** 16));
    const model = new Int32Array(1);
    const slow: ServerStep = { ...FED_AVG, optimizer: 'fedAvgM', momentumQ16: 1 };
    stepChunk(slow, model, velocity, Float64Array.of(32768), 1, shiftedBy(16));
    expect([velocity[0], model[0]]).to.deep.equal([2 ** 31 - 2, 2 ** 31 - 2]);
  });

  it(`agrees with all ${cases.length} vectors of adaptive steps`, () => {
    expect(cases.length).to.be.above(90);
    for (const vector of cases) {
      checkServerStep(vector.serverStep);
      const model = Int32Array.of(vector.model);
      const state = stateOf(vector.momentum, BigInt(vector.secondMoment));
      stepChunk(vector.serverStep, model, state, Float64Array.of(vector.numerator), vector.denominator, vector);
      expect([model[0], state[0], String(secondMomentOf(state))], vector.name).to.deep.equal([
        vector.nextModel,
        vector.nextMomentum,
        vector.nextSecondMoment,
      ]);
      const fromState = Int32Array.of(vector.model);
      modelFromState(vector.serverStep, fromState, state, vector);
      expect(fromState[0], `${vector.name}, from the published state`).to.equal(vector.nextModel);
    }
  });

  it('is exact with adaptive moments: equal to big integers over the whole range of every quantity', () => {
    const adaptive = fc.record({
      optimizer: fc.constantFrom('fedAdagrad' as const, 'fedAdam' as const, 'fedYogi' as const),
      learningRateQ16: fc.integer({ min: 1, max: 2 ** 20 }),
      momentumQ16: fc.integer({ min: 0, max: 65535 }),
      secondMomentQ16: fc.integer({ min: 0, max: 65535 }),
      adaptivity: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 2 ** 32 - 1 })),
    });
    const second = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 62n - 1n }),
      fc.nat({ max: 1000 }).map(BigInt),
      fc.nat({ max: 2 ** 31 - 1 }).map((root) => BigInt(root) ** 2n),
    );
    const update = fc.oneof(int32, fc.integer({ min: -1000, max: 1000 }));
    const coordinates = fc.array(fc.tuple(int32, int32, second, update), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(adaptive, coordinates, fc.integer({ min: 1, max: 30 }), (chosen, values, F) => {
        const step = chosen.optimizer === 'fedAdagrad' ? { ...chosen, secondMomentQ16: 0 } : chosen;
        checkServerStep(step);
        const width = values.length;
        const model = Int32Array.from(values, ([w]) => w);
        const state = new Int32Array(3 * width);
        values.forEach(([, m, v], k) => {
          stateOf(m, v).forEach((plane, p) => {
            state[p * width + k] = plane;
          });
        });
        const numerators = Float64Array.from(values, ([, , , numerator]) => numerator);
        stepChunk(step, model, state, numerators, 1, { modelFractionBits: F, updateFractionBits: F });
        values.forEach(([w, m, v, delta], k) => {
          const expected = referenceAdaptive(step, F, w, m, v, BigInt(delta));
          const planes = Int32Array.of(state[k]!, state[width + k]!, state[2 * width + k]!);
          expect(BigInt(model[k]!)).to.equal(expected.model);
          expect(BigInt(planes[0]!)).to.equal(expected.momentum);
          expect(secondMomentOf(planes)).to.equal(expected.second);
        });
      }),
      runs(200),
    );
  });

  it('divides the largest numerators by the largest denominators exactly, and saturates', () => {
    const wide = fc.tuple(
      fc.bigInt({ min: -(2n ** 51n), max: 2n ** 51n }),
      fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100 * 2 ** 29 })),
      fc.nat({ max: 16 }),
    );
    fc.assert(
      fc.property(wide, ([numerator, denominator, shift]) => {
        const model = new Int32Array(1);
        stepChunk(FED_AVG, model, null, Float64Array.of(Number(numerator)), denominator, shiftedBy(shift));
        expect(BigInt(model[0]!)).to.equal(clamp((numerator << BigInt(shift)) / BigInt(denominator)));
      }),
      runs(500),
    );
  });

  it('takes exact square roots, next to every kind of square', () => {
    for (const root of [
      0n,
      1n,
      2n,
      3n,
      94906265n,
      94906267n,
      2n ** 26n + 1n,
      2n ** 31n - 1n,
      2n ** 31n,
      2n ** 32n - 1n,
    ]) {
      expect(Number(isqrt(root * root))).to.equal(Number(root));
      expect(Number(isqrt(root * root + 2n * root))).to.equal(Number(root));
      if (root > 0n) expect(Number(isqrt(root * root - 1n))).to.equal(Number(root - 1n));
    }
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        expect(BigInt(Number(isqrt(value)))).to.equal(floorRoot(value));
      }),
      runs(300),
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
  const adaptive: ServerStep = { ...heavy, optimizer: 'fedAdam', secondMomentQ16: 64881, adaptivity: 16777 };
  const wrong: [string, ServerStep][] = [
    ['FedAvg with a second moment', { ...FED_AVG, secondMomentQ16: 1 }],
    ['FedAvgM with an adaptivity', { ...heavy, adaptivity: 1 }],
    ['FedAdagrad with a second moment', { ...adaptive, optimizer: 'fedAdagrad' }],
    ['a second moment of one', { ...adaptive, secondMomentQ16: 65536 }],
    ['no adaptivity', { ...adaptive, adaptivity: 0 }],
    ['an adaptivity of 2^32', { ...adaptive, adaptivity: 2 ** 32 }],
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
    checkServerStep({ ...adaptive, optimizer: 'fedYogi', secondMomentQ16: 65535, adaptivity: 2 ** 32 - 1 });
    checkServerStep({ ...adaptive, optimizer: 'fedAdagrad', momentumQ16: 0, secondMomentQ16: 0, adaptivity: 1 });
  });
});
