import { expect } from 'chai';
import fc from 'fast-check';
import { combineChunk, combineDenominator } from '../../../protocol/aggregation/combine/combineChunk.ts';
import { mixChunk, mixingPreimage } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { minimumUpdates, needsGram } from '../../../protocol/aggregation/rule.ts';
import { stepChunk } from '../../../protocol/aggregation/serverStep.ts';
import {
  mixingShape,
  moveCoordinate,
  readMixing,
  recomputeCoordinate,
} from '../../../protocol/dispute/recomputeCoordinate.ts';
import { int32, runs } from '../support/arbitraries.ts';
import { Random, randomRule } from '../support/disputeWorld.ts';
import { shiftedBy } from '../support/fractionBits.ts';

describe('a coordinate computed for a judge', () => {
  it('is what the kernels make of the same numbers, at every extreme', () => {
    const rate = fc.constantFrom(1, 65_536, 2 ** 20);
    const momentum = fc.constantFrom(0, 1, 58_982, 65_535);
    const input = [fc.integer(), int32, int32, rate, momentum, fc.integer({ min: 0, max: 16 }), fc.boolean()] as const;
    fc.assert(
      fc.property(...input, (seed, model, velocity, learningRateQ16, momentumQ16, shift, stateful) => {
        const random = new Random(seed);
        const rule = randomRule(random);
        const n = minimumUpdates(rule) + random.int(0, 3);
        const values = Array.from({ length: n }, () => random.update(1)[0]!);
        const { rows, denominator } = mixingShape(rule, n);
        // Any choice of rows: W need not be the right one for the arithmetic to be.
        const weights = Int32Array.from({ length: rows * n }, () => 0);
        for (let r = 0; r < rows; r++)
          for (const i of random.shuffled([...values.keys()]).slice(0, denominator)) weights[r * n + i] = 1;
        const mixing = !needsGram(rule) ? null : { rows, columns: n, denominator, weights };
        const optimizer = stateful ? ('fedAvgM' as const) : ('fedAvg' as const);
        const step = {
          optimizer,
          learningRateQ16,
          momentumQ16: stateful ? momentumQ16 : 0,
          secondMomentQ16: 0,
          adaptivity: 0,
        };

        const column = values.map((value) => Int16Array.of(value));
        const mixed = mixing === null ? column : mixChunk(mixing, column);
        const next = Int32Array.of(model);
        const state = stateful ? Int32Array.of(velocity) : null;
        const over = combineDenominator(rule.combine, mixed.length, rule.byzantine) * (mixing?.denominator ?? 1);
        stepChunk(step, next, state, combineChunk(rule.combine, rule.byzantine, mixed), over, shiftedBy(shift));

        const read = mixing === null ? null : readMixing(rule, n, mixingPreimage(mixing));
        const before = stateful ? BigInt(velocity) : null;
        const found = recomputeCoordinate(rule, step, shift, values.map(BigInt), read, BigInt(model), before);
        expect([found.model, found.velocity]).to.deep.equal([
          BigInt(next[0]!),
          state === null ? null : BigInt(state[0]!),
        ]);
        expect(moveCoordinate(step, BigInt(model), found.direction)).to.equal(found.model);
      }),
      runs(500),
    );
  });
});
