import { expect } from 'chai';
import fc from 'fast-check';
import { combineChunk, combineDenominator } from '../../../protocol/aggregation/combine/combineChunk.ts';
import { mixChunk, mixingPreimage } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { minimumUpdates, needsGram } from '../../../protocol/aggregation/rule.ts';
import { SERVER_OPTIMIZERS, stateVectors, stepChunk } from '../../../protocol/aggregation/serverStep.ts';
import {
  mixingShape,
  moveByDelta,
  moveByState,
  NO_STATE,
  readMixing,
  recomputeDelta,
  recomputeState,
  type StateCoordinate,
} from '../../../protocol/dispute/recomputeCoordinate.ts';
import { int32, runs } from '../support/arbitraries.ts';
import { Random, randomRule, randomStep } from '../support/disputeWorld.ts';

/** The planes of one coordinate: m, v's low and v's high half. */
const planesOf = ({ momentum, secondMoment }: StateCoordinate, planes: number) =>
  Int32Array.from([momentum, BigInt.asIntN(32, secondMoment), secondMoment >> 32n].slice(0, planes), Number);

describe('a coordinate computed for a judge', () => {
  it('is what the reference makes of the same numbers, for every rule and step, at every extreme', () => {
    const bits = fc.tuple(fc.integer({ min: 0, max: 16 }), fc.integer({ min: 1, max: 30 }));
    const optimizer = fc.constantFrom(...SERVER_OPTIMIZERS);
    const moment = fc.oneof(fc.bigInt(0n, 2n ** 62n - 1n), fc.constantFrom(0n, 1n, 2n ** 62n - 1n), fc.bigInt(0n, 99n));
    fc.assert(
      fc.property(fc.integer(), int32, int32, moment, optimizer, bits, (seed, model, momentum, v, kind, [s, F]) => {
        const random = new Random(seed);
        const rule = randomRule(random);
        const step = randomStep(random, kind);
        const planes = stateVectors(step);
        const shift = Math.min(s, F - 1);
        const n = minimumUpdates(rule) + random.int(0, 3);
        const values = Array.from({ length: n }, () => random.update(1)[0]!);
        const mixing = needsGram(rule) ? { columns: n, ...mixingShape(rule, n), weights: new Int32Array(0) } : null;
        if (mixing !== null) {
          // Any choice of rows: W need not be the right one for the arithmetic to be.
          mixing.weights = Int32Array.from({ length: mixing.rows * n }, () => 0);
          const ones = Math.min(n, mixing.denominator);
          for (let r = 0; r < mixing.rows; r++)
            for (const i of random.shuffled([...values.keys()]).slice(0, ones)) mixing.weights[r * n + i] = 1;
        }
        const before: StateCoordinate =
          planes === 0 ? NO_STATE : { momentum: BigInt(momentum), secondMoment: planes === 3 ? v : 0n };

        const column = values.map((value) => Int16Array.of(value));
        const mixed = mixing === null ? column : mixChunk(mixing, column);
        const next = Int32Array.of(model);
        const state = planes === 0 ? null : planesOf(before, planes);
        const over = combineDenominator(rule.combine, mixed.length, rule.byzantine) * (mixing?.denominator ?? 1);
        const numerators = combineChunk(rule.combine, rule.byzantine, mixed);
        stepChunk(step, next, state, numerators, over, { modelFractionBits: F, updateFractionBits: F - shift });

        const read = mixing === null ? null : readMixing(rule, n, mixingPreimage(mixing));
        const delta = recomputeDelta(rule, shift, values.map(BigInt), read);
        const after = recomputeState(step, before, delta);
        const found =
          planes === 0 ? moveByDelta(step, BigInt(model), delta) : moveByState(step, F, BigInt(model), after);
        expect(Number(found)).to.equal(next[0]!);
        if (state !== null) expect(planesOf(after, planes)).to.deep.equal(state);
      }),
      runs(1000),
    );
  });
});
