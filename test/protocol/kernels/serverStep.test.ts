import { expect } from 'chai';
import fc from 'fast-check';
import { modelFromState } from '../../../protocol/aggregation/serverStep.ts';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import { type StepNumbers, serverStepKernel } from '../../../protocol/kernels/serverStep.ts';

const kernels = loadKernels();
const K = 16;

const sat = (x: bigint) => (x > 2n ** 31n - 1n ? 2n ** 31n - 1n : x < -(2n ** 31n) ? -(2n ** 31n) : x);
const floorRoot = (v: bigint) => {
  let root = BigInt(Math.floor(Math.sqrt(Number(v))));
  while (root * root > v) root--;
  while ((root + 1n) * (root + 1n) <= v) root++;
  return root;
};

/** docs/spec: the formulas in whole numbers. BigInt's division truncates. State: [m or velocity, v]. */
function defined(step: StepNumbers, numerator: bigint, denominator: bigint, w: bigint, m: bigint, v: bigint) {
  const [lr, beta1, beta2] = [step.learningRateQ16, step.momentumQ16, step.secondMomentQ16].map(BigInt) as [
    bigint,
    bigint,
    bigint,
  ];
  const one = 65_536n;
  const delta = sat((numerator * 2n ** BigInt(step.modelFractionBits - step.updateFractionBits)) / denominator);
  if (step.optimizer === 'fedAvg') return { w: sat(w + (lr * delta) / one), m, v };
  if (step.optimizer === 'fedAvgM') {
    const velocity = sat((beta1 * m) / one + delta);
    return { w: sat(w + (lr * velocity) / one), m: velocity, v };
  }
  const moment = sat((beta1 * m + (one - beta1) * delta) / one);
  const square = delta * delta;
  let next = v + square;
  if (step.optimizer === 'fedAdam') next = (beta2 * v + (one - beta2) * square) / one;
  if (step.optimizer === 'fedYogi') {
    next = v < square ? v + ((one - beta2) * (square - v)) / one : v - ((one - beta2) * (v - square)) / one;
  }
  if (next > 2n ** 62n - 1n) next = 2n ** 62n - 1n;
  const ratio = (moment * one) / (floorRoot(next) + BigInt(step.adaptivity));
  const top = 2n ** 31n - 1n;
  const r = ratio > top ? top : ratio < -top ? -top : ratio;
  return { w: sat(w + (lr * r) / 2n ** BigInt(32 - step.modelFractionBits)), m: moment, v: next };
}

const int32 = fc.oneof(
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.integer({ min: -1000, max: 1000 }),
  fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0),
);
const wide = fc.bigInt({ min: -(2n ** 52n - 1n), max: 2n ** 52n - 1n }).map(Number);
const moment = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 62n - 1n }),
  // More than any step leaves, as a lying aggregator's state may hold.
  fc.oneof(fc.bigInt({ min: 2n ** 62n, max: 2n ** 64n - 1n }), fc.constant(2n ** 64n - 1n)),
  // Where a float64 root would be off by one: squares and their neighbours.
  fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 31n - 2n }), fc.constantFrom(-1n, 0n, 1n)).map(([root, off]) => {
    const v = root * root + off;
    return v < 0n ? 0n : v;
  }),
);
const steps = fc.record({
  optimizer: fc.constantFrom<StepNumbers['optimizer'][]>('fedAvg', 'fedAvgM', 'fedAdagrad', 'fedAdam', 'fedYogi'),
  learningRateQ16: fc.oneof(fc.constant(65_536), fc.integer({ min: 1, max: 2 ** 20 })),
  momentumQ16: fc.integer({ min: 0, max: 65_535 }),
  secondMomentQ16: fc.integer({ min: 0, max: 65_535 }),
  adaptivity: fc.oneof(fc.integer({ min: 1, max: 2 ** 32 - 1 }), fc.constant(1)),
  bits: fc.constantFrom([24, 16] as const, [30, 14] as const, [16, 16] as const, [24, 8] as const),
});
const many = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { minLength: 2 * K, maxLength: 2 * K });

describe('server step', function () {
  this.timeout(20_000);

  it('is the formulas in whole numbers, from int32 and from float64 numerators', () => {
    const isAdaptive = ({ optimizer }: StepNumbers) => !['fedAvg', 'fedAvgM'].includes(optimizer);
    fc.assert(
      fc.property(
        steps,
        fc.boolean().chain((isWide) => fc.tuple(fc.constant(isWide), many(isWide ? wide : int32))),
        fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2 ** 36 - 1 })),
        many(int32),
        many(int32),
        many(moment),
        ({ bits, ...rest }, [isWide, numerators], denominator, ws, ms, vs) => {
          const { arena } = kernels;
          const mark = arena.mark();
          const step = { ...rest, modelFractionBits: bits[0], updateFractionBits: bits[1], chunkSize: K };
          const lanes = isWide ? 'float64' : 'int32';
          const [from, model, state] = [8, 4, 12].map((bytes) => arena.allocate(bytes * 2 * K)) as [
            number,
            number,
            number,
          ];
          arena[lanes](from, 2 * K).set(numerators);
          arena.int32(model, 2 * K).set(ws);
          const place = (k: number) => (isAdaptive(step) ? 3 * K * Math.floor(k / K) + (k % K) : k);
          const planes = arena.int32(state, 6 * K).fill(0);
          for (let k = 0; k < 2 * K; k++) {
            planes[place(k)] = ms[k]!;
            if (!isAdaptive(step)) continue;
            planes[place(k) + K] = Number(BigInt.asIntN(32, vs[k]!));
            planes[place(k) + 2 * K] = Number(vs[k]! >> 32n);
          }
          const kernel = serverStepKernel(kernels, step);
          kernel.run(from, lanes, denominator, model, step.optimizer === 'fedAvg' ? 0 : state, 2 * K);
          const again = arena.allocate(4 * 2 * K);
          arena.int32(again, 2 * K).set(ws);
          if (step.optimizer !== 'fedAvg') kernel.modelFromState(again, state, 2 * K);
          for (let k = 0; k < 2 * K; k++) {
            const next = defined(
              step,
              BigInt(numerators[k]!),
              BigInt(denominator),
              BigInt(ws[k]!),
              BigInt(ms[k]!),
              vs[k]!,
            );
            expect(arena.int32(model, 2 * K)[k], `w at ${k}`).to.equal(Number(next.w));
            if (step.optimizer === 'fedAvg') continue;
            expect(arena.int32(again, 2 * K)[k], `w from the state at ${k}`).to.equal(Number(next.w));
            expect(planes[place(k)], `m at ${k}`).to.equal(Number(next.m));
            if (!isAdaptive(step)) continue;
            const [low, high] = [planes[place(k) + K]!, planes[place(k) + 2 * K]!];
            expect((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0), `v at ${k}`).to.equal(next.v);
          }
          arena.release(mark);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('leads from any published state to the model that the reference finds', () => {
    const cases = fc.tuple(steps, many(int32), many(int32), many(moment));
    fc.assert(
      fc.property(cases, ([{ bits, ...rest }, ws, ms, vs]) => {
        fc.pre(rest.optimizer !== 'fedAvg');
        const { arena } = kernels;
        const mark = arena.mark();
        const [modelFractionBits, updateFractionBits] = bits;
        const fraction = { modelFractionBits, updateFractionBits };
        const adaptive = rest.optimizer !== 'fedAvgM';
        const state = Int32Array.from([
          ...ms.slice(0, K),
          ...(adaptive ? vs.slice(0, K).map((v) => Number(BigInt.asIntN(32, v))) : []),
          ...(adaptive ? vs.slice(0, K).map((v) => Number(BigInt.asIntN(32, v >> 32n))) : []),
        ]);
        const expected = Int32Array.from(ws.slice(0, K));
        modelFromState(rest, expected, state, fraction);
        const [model, planes] = [arena.allocate(4 * K), arena.allocate(12 * K)] as const;
        arena.int32(model, K).set(ws.slice(0, K));
        arena.int32(planes, state.length).set(state);
        serverStepKernel(kernels, { ...rest, ...fraction, chunkSize: K }).modelFromState(model, planes, K);
        expect([...arena.int32(model, K)]).to.deep.equal([...expected]);
        arena.release(mark);
      }),
      { numRuns: 200 },
    );
  });
});
