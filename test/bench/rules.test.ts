/** What `npm run bench` measures is what a round computes: to the bit, for every rule. */
import { expect } from 'chai';
import { applyRule, RowMemory } from '../../bench/kernelRule.ts';
import { BENCH_RULES } from '../../bench/plan.ts';
import { applyReferenceRule } from '../../bench/referenceRule.ts';
import { minimumUpdates, parseRule } from '../../protocol/aggregation/rule.ts';
import { FED_AVG } from '../../protocol/aggregation/serverStep.ts';
import { encodeModel, viewInt16, viewInt32 } from '../../protocol/encoding/vectors.ts';
import { computeRound } from '../../protocol/round/computeRound.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { plainContext } from '../../protocol/round/roundIo.ts';
import { type Kind, randomRound, roundParameters } from '../protocol/support/randomRounds.ts';

describe('the rules that are measured', function () {
  this.timeout(20_000);
  const dimension = 5000; // more than a tile, no multiple of anything
  for (const { title, rule: name, options } of BENCH_RULES) {
    it(`${title}: the kernels and the reference give the round's own model`, () => {
      const { radius, ...others } = options ?? {};
      const rule = parseRule(name, 2, { ...others, ...(radius === undefined ? {} : { radius: 20_000n }) });
      const n = minimumUpdates(rule) + 1;
      const parameters = roundParameters({ dimension, chunkSize: 256, rule, serverStep: FED_AVG });
      for (const kind of ['ordinary', 'large', 'ties', 'extremes'] satisfies Kind[]) {
        const { rows, payloads } = randomRound(parameters, n, kind, 5);
        const model = new Int32Array(dimension);
        const context = plainContext(n);
        const expected = viewInt32(
          encodeModel(computeRound(parameters, rows, model, { context }).model, layoutOf(parameters)),
        );

        const memory = new RowMemory(n, dimension);
        payloads.forEach((bytes, i) => {
          memory.row(i).set(viewInt16(bytes));
        });
        applyRule(memory, parameters, context);
        expect(memory.model().subarray(0, expected.length), kind).to.deep.equal(expected);

        const plain = new Int32Array(expected.length);
        applyReferenceRule(payloads.map(viewInt16), plain, parameters, context);
        expect(plain, kind).to.deep.equal(expected);
      }
    });
  }
});
