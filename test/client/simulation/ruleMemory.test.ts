import { expect } from 'chai';
import { createRandom } from '../../../client/random.ts';
import { RuleMemory } from '../../../client/simulation/ruleMemory.ts';
import { historyChunk } from '../../../protocol/aggregation/history.ts';
import { parseRule, type RuleOptions, usesHistory } from '../../../protocol/aggregation/rule.ts';
import { FED_AVG, stepChunk } from '../../../protocol/aggregation/serverStep.ts';
import { computeRound } from '../../../protocol/round/computeRound.ts';
import { type LearningParameters, NO_NORM_BOUND } from '../../../protocol/round/parameters.ts';

const DIMENSION = 5000; // more than a tile, and no multiple of a kernel's lanes
const INDICES = [0, 1, 2, 4, 5, 7, 8, 9, 10, 12, 13];
const SEED = `0x${'5e'.repeat(32)}` as const;

describe('client simulation: the rule on rows in memory', () => {
  const random = createRandom('rule memory');
  const vector = (largest: number) =>
    Int16Array.from({ length: DIMENSION }, () => random.nextInt(2 * largest + 1) - largest);
  const rows = INDICES.map((_, i) => vector([300, 32_767, 5][i % 3]!));
  rows[3] = rows[2]!.slice(); // ties
  const model = Int32Array.from({ length: DIMENSION }, () => random.nextInt(2 ** 31) - 2 ** 30);

  const rules: readonly (readonly [name: string, options?: RuleOptions])[] = [
    ['fedavg'],
    ['median'],
    ['trimmed-mean'],
    ['meamed'],
    ['krum'],
    ['multi-krum'],
    ['nnm+fedavg'],
    ['nnm+trimmed-mean'],
    ['nnm+meamed'],
    ['bulyan'],
    ['bucketing+median', { bucketSize: 2 }],
    ['arc+nnm+trimmed-mean'],
    ['nnm+geometric-median'],
    ['centered-clipping', { radius: 200_000n }],
    ['nnm+centered-clipping', { radius: 200_000n }],
    ['mda'],
    ['monna', { reference: 4 }],
    ['caf'],
    ['foolsgold'],
    ['signguard'],
    ['fltrust', { reference: 7 }],
  ];
  for (const [name, options] of rules) {
    it(`${name}: the model that a round with its trees gives`, () => {
      const rule = parseRule(name, 2, options);
      const parameters: LearningParameters = {
        dimension: DIMENSION,
        chunkSize: 256,
        modelFractionBits: 24,
        updateFractionBits: 16,
        normSqBound: NO_NORM_BOUND,
        rule,
        serverStep: FED_AVG,
      };
      const context = { indices: INDICES, seed: SEED };
      const previousModel = usesHistory(rule) ? model.map((value, k) => value - (k % 999) * 4096) : null;
      const expected = computeRound(parameters, rows, model, { context, previousModel });
      const memory = new RuleMemory(rule, rows.length + 2, DIMENSION);
      rows.forEach((row, slot) => {
        memory.write(slot, row);
      });
      const history = usesHistory(rule) ? rows.length + 1 : null;
      if (history !== null) memory.write(history, historyChunk(model, previousModel, parameters));
      const { numerators, denominator } = memory.apply([...rows.keys()], history, context);
      const moved = model.slice();
      stepChunk(FED_AVG, moved, null, numerators, denominator, parameters);
      expect(moved).to.deep.equal(expected.model);
      // Again, after another computation in the same memory: nothing of it is left over.
      memory.apply([0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6], history, context);
      expect(memory.apply([...rows.keys()], history, context).numerators).to.deep.equal(numerators);
    });
  }
});
