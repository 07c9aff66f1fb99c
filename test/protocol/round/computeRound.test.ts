import { expect } from 'chai';
import fc from 'fast-check';
import { combineChunk, combineDenominator } from '../../../protocol/aggregation/combine/combineChunk.ts';
import { gramOfRows } from '../../../protocol/aggregation/gram.ts';
import { mixChunk } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { minimumUpdates, needsGram, parseRule, RULE_NAMES, type Rule } from '../../../protocol/aggregation/rule.ts';
import { FED_AVG, type ServerStep, stateVectors } from '../../../protocol/aggregation/serverStep.ts';
import { decodeGramMatrix, GramCommitter, gramMatrixBytes } from '../../../protocol/commitment/gramTree.ts';
import { commitModel, ModelCommitter } from '../../../protocol/commitment/merkle.ts';
import { type Hex, ZERO_HASH } from '../../../protocol/encoding/bytes.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { encodeModel, viewInt32 } from '../../../protocol/encoding/vectors.ts';
import { computeRound } from '../../../protocol/round/computeRound.ts';
import {
  checkLearningParameters,
  type LearningParameters,
  layoutOf,
  NO_NORM_BOUND,
} from '../../../protocol/round/parameters.ts';
import { chunkSize, coordinate, int32, rowsOf, runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';
import { preAggregate } from '../support/preAggregateRows.ts';
import { type PlainRule, plainRule } from '../support/ruleOf.ts';
import { loadVectors } from '../support/vectors.ts';

interface Case extends Omit<LearningParameters, 'normSqBound' | 'rule' | 'serverStep'> {
  readonly name: string;
  readonly rule: PlainRule & { name: string };
  readonly rows: number[][];
  readonly model: number[];
  readonly serverStep: Pick<ServerStep, 'optimizer' | 'learningRateQ16' | 'momentumQ16'>;
  readonly velocity: number[] | null;
  readonly gram: string[];
  readonly mixing: { rows: number; columns: number; denominator: number; weights: number[] } | null;
  readonly numerators: number[];
  readonly denominator: number;
  readonly nextModel: number[];
  readonly nextVelocity: number[] | null;
  readonly modelRoot: Hex;
  readonly stateRoot: Hex;
  readonly gramRoot: Hex;
  readonly mixingHash: Hex;
}
const { cases } = loadVectors<Case>('aggregation.json');
const FED_AVG_M: ServerStep = {
  optimizer: 'fedAvgM',
  learningRateQ16: 65536,
  momentumQ16: 58982,
  secondMomentQ16: 0,
  adaptivity: 0,
};
const FED_ADAM: ServerStep = { ...FED_AVG_M, optimizer: 'fedAdam', secondMomentQ16: 64_881, adaptivity: 16_777 };
const STEPS = [FED_AVG, FED_AVG_M, FED_ADAM];

function parametersFor(rule: Rule, dimension: number, size = 16, serverStep: ServerStep = FED_AVG): LearningParameters {
  return {
    rule,
    dimension,
    chunkSize: size,
    normSqBound: NO_NORM_BOUND,
    serverStep,
    modelFractionBits: 24,
    updateFractionBits: 16,
  };
}

describe('a round in memory', () => {
  for (const vector of cases) {
    it(`vector: ${vector.name}`, () => {
      const rule = plainRule(vector.rule);
      const serverStep = { ...FED_AVG, ...vector.serverStep };
      const parameters: LearningParameters = { ...vector, rule, serverStep, normSqBound: NO_NORM_BOUND };
      checkLearningParameters(parameters);
      const { name, byzantine, selected } = vector.rule;
      expect(parseRule(name, byzantine, name === 'multi-krum' ? { selected } : {})).to.deep.equal({
        ...rule,
        byzantine: name === 'fedavg' ? 0 : byzantine,
      });
      const rows = vector.rows.map((row) => Int16Array.from(row));
      const gram = gramOfRows(rows);
      expect([...gram.values].map(String)).to.deep.equal(vector.gram);
      const mixing = needsGram(rule) ? preAggregate(rule, gram) : null;
      expect(mixing && { ...mixing, weights: [...mixing.weights] }).to.deep.equal(vector.mixing);
      const mixed = mixing === null ? rows : mixChunk(mixing, rows);
      expect([...combineChunk(rule.combine, rule.byzantine, mixed)]).to.deep.equal(vector.numerators);
      const denominator = combineDenominator(rule.combine, mixed.length, rule.byzantine) * (mixing?.denominator ?? 1);
      expect(denominator).to.equal(vector.denominator);

      const layout = layoutOf(parameters);
      const state = vector.velocity && viewInt32(encodeModel(Int32Array.from(vector.velocity), layout));
      const round = computeRound(parameters, rows, Int32Array.from(vector.model), { state });
      expect([...round.model]).to.deep.equal(vector.nextModel);
      const next = round.state && [...round.state.subarray(0, vector.dimension)];
      expect(next).to.deep.equal(vector.nextVelocity);
      const { modelRoot, stateRoot, gramRoot, mixingHash } = round;
      expect({ modelRoot, stateRoot, gramRoot, mixingHash }).to.deep.equal({
        modelRoot: vector.modelRoot,
        stateRoot: vector.stateRoot,
        gramRoot: vector.gramRoot,
        mixingHash: vector.mixingHash,
      });
    });
  }

  it('commits to the Gram matrix, the model and the state that it gives', () => {
    const setting = fc
      .tuple(fc.constantFrom(...RULE_NAMES), fc.nat({ max: 1 }), fc.integer({ min: 1, max: 700 }), chunkSize, fc.nat())
      .chain(([name, f, d, size, step]) => {
        const rule = parseRule(name, f);
        return fc.record({
          parameters: fc.constant(parametersFor(rule, d, size, STEPS[step % STEPS.length]!)),
          rows: rowsOf(minimumUpdates(rule) + 1, d, coordinate),
          seed: int32,
        });
      });
    fc.assert(
      fc.property(setting, ({ parameters, rows, seed }) => {
        const { dimension: d, rule, serverStep } = parameters;
        const layout = vectorLayout(d, parameters.chunkSize);
        const model = Int32Array.from({ length: d }, (_, k) => Math.imul(seed + k, 40503));
        const round = computeRound(parameters, rows, model);
        expect(round.modelRoot).to.equal(commitModel(round.model, layout));
        const planes = stateVectors(serverStep);
        if (round.state === null) {
          expect([round.stateRoot, planes]).to.deep.equal([ZERO_HASH, 0]);
        } else {
          expect(round.state).to.have.length(planes * layout.chunkCount * layout.chunkSize);
          const tree = new ModelCommitter(layout);
          for (let at = 0; at < round.state.length; at += planes * layout.chunkSize) {
            tree.append(round.state.subarray(at, at + planes * layout.chunkSize));
          }
          expect(round.stateRoot).to.equal(tree.finish());
        }
        if (!needsGram(rule)) {
          expect([round.gramRoot, round.mixingHash, round.gram]).to.deep.equal([ZERO_HASH, ZERO_HASH, null]);
          return;
        }
        const n = rows.length;
        expect(round.gram).to.deep.equal(gramOfRows(rows));
        expect(round.mixing).to.deep.equal(preAggregate(rule, gramOfRows(rows)));
        const committer = new GramCommitter(n, layout.chunkCount);
        for (let at = 0; at < round.gramPayload!.length; at += gramMatrixBytes(n)) {
          committer.appendSpan(decodeGramMatrix(round.gramPayload!.subarray(at, at + gramMatrixBytes(n)), n));
        }
        expect(committer.finish()).to.deep.equal({ gramRoot: round.gramRoot, matrix: round.gram!.values });
      }),
      runs(25),
    );
  });

  it('does not touch the rows, nor the model and the state it is given whole', () => {
    const rows = [1, 2, 3].map((value) => new Int16Array(20).fill(value));
    const [model, state] = [new Int32Array(20).fill(7), new Int32Array(32).fill(8, 0, 20)];
    computeRound(parametersFor(parseRule('median', 1), 20, 16, FED_AVG_M), rows, model, { state });
    expect(rows.map((row) => row[0])).to.deep.equal([1, 2, 3]);
    expect([model[19], state[19]]).to.deep.equal([7, 8]);
  });

  describe('refuses', () => {
    const rows = [1, 2, 3].map((value) => new Int16Array(20).fill(value));
    const median = parametersFor(parseRule('median', 1), 20);

    it('rows and models that are too long or too short, and too few rows', () => {
      for (const length of [0, 19, 21, 32]) {
        const wrong = [rows[0]!, rows[1]!, new Int16Array(length)];
        expectAssayError('VECTOR_LENGTH', () => computeRound(median, wrong, new Int32Array(20)));
        expectAssayError('VECTOR_LENGTH', () => computeRound(median, rows, new Int32Array(length)));
      }
      expectAssayError('TOO_FEW_UPDATES', () => computeRound(median, rows.slice(1), new Int32Array(20)));
    });

    it("a state of another step's size", () => {
      const model = new Int32Array(20);
      const step = (optimizer: ServerStep['optimizer']) => ({ ...median, serverStep: { ...FED_AVG, optimizer } });
      const attempt = (parameters: LearningParameters, length: number) => () =>
        computeRound(parameters, rows, model, { state: new Int32Array(length) });
      for (const length of [0, 20, 31, 96]) expectAssayError('STATE_LENGTH', attempt(step('fedAvgM'), length));
      const error = expectAssayError('STATE_LENGTH', attempt(step('fedAdam'), 32));
      expect(error.message).to.include('Expected: 3 x 32 numbers').and.include('Received: 32');
      expectAssayError('STATE_LENGTH', attempt(median, 0));
      expect(attempt(step('fedAvgM'), 32)().state).to.have.length(32);
    });
  });
});

describe('learning parameters', () => {
  const good = parametersFor(parseRule('nnm+trimmed-mean', 2), 650);
  it('are checked in all their parts', () => {
    checkLearningParameters(good);
    expectAssayError('LAYOUT', () => checkLearningParameters({ ...good, dimension: 0 }));
    expectAssayError('LAYOUT', () => checkLearningParameters({ ...good, chunkSize: 100 }));
    expectAssayError('RULE_PARAMETERS', () =>
      checkLearningParameters({ ...good, rule: { ...good.rule, selected: 1 } }),
    );
    const serverStep = { ...FED_AVG, learningRateQ16: 0 };
    expectAssayError('SERVER_STEP', () => checkLearningParameters({ ...good, serverStep }));
    checkLearningParameters({ ...good, normSqBound: 1n });
    for (const normSqBound of [-1n, 0n, 2n ** 64n]) {
      expectAssayError('NORM_BOUND', () => checkLearningParameters({ ...good, normSqBound }));
    }
  });

  const bits: [F: number, G: number, ok: boolean][] = [
    [24, 16, true],
    [16, 16, true],
    [30, 14, true],
    [17, 1, true],
    [30, 13, false],
    [31, 16, false],
    [16, 17, false],
    [16, 0, false],
    [16.5, 16, false],
    [Number.NaN, 16, false],
  ];
  for (const [modelFractionBits, updateFractionBits, ok] of bits) {
    it(`${ok ? 'may' : 'may not'} have ${modelFractionBits} and ${updateFractionBits} fraction bits`, () => {
      const work = () => checkLearningParameters({ ...good, modelFractionBits, updateFractionBits });
      if (ok) work();
      else expectAssayError('FRACTION_BITS', work);
    });
  }
});
