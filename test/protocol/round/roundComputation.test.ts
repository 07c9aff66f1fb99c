import { expect } from 'chai';
import fc from 'fast-check';
import { combineChunk, combineDenominator } from '../../../protocol/aggregation/combine/combineChunk.ts';
import { gramOfRows } from '../../../protocol/aggregation/gram.ts';
import { mixChunk } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { minimumUpdates, needsGram, parseRule, RULE_NAMES, type Rule } from '../../../protocol/aggregation/rule.ts';
import { FED_AVG, hasServerState, type ServerStep } from '../../../protocol/aggregation/serverStep.ts';
import { commitModel } from '../../../protocol/commitment/merkle.ts';
import { type Hex, ZERO_HASH } from '../../../protocol/encoding/bytes.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { bytesOf, encodeModel, encodeUpdate, viewInt16, viewInt32 } from '../../../protocol/encoding/vectors.ts';
import { computeRound } from '../../../protocol/round/computeRound.ts';
import {
  checkLearningParameters,
  type LearningParameters,
  layoutOf,
  NO_NORM_BOUND,
} from '../../../protocol/round/parameters.ts';
import { plainContext, RoundComputation } from '../../../protocol/round/roundComputation.ts';
import { commitState } from '../../../protocol/round/verifyModel.ts';
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

describe("a round's computation", () => {
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

  it('chunk by chunk is the computation on whole vectors', () => {
    const setting = fc
      .tuple(
        fc.constantFrom(...RULE_NAMES),
        fc.nat({ max: 1 }),
        fc.integer({ min: 1, max: 700 }),
        chunkSize,
        fc.boolean(),
      )
      .chain(([name, f, d, size, heavy]) => {
        const rule = parseRule(name, f);
        return fc.record({
          parameters: fc.constant(parametersFor(rule, d, size, heavy ? FED_AVG_M : FED_AVG)),
          rows: rowsOf(minimumUpdates(rule) + 1, d, coordinate),
          seed: int32,
        });
      });
    fc.assert(
      fc.property(setting, ({ parameters, rows, seed }) => {
        const { dimension: d, rule, serverStep } = parameters;
        const layout = vectorLayout(d, parameters.chunkSize);
        const model = Int32Array.from({ length: d }, (_, k) => Math.imul(seed + k, 40503));
        const velocity = hasServerState(serverStep) ? model.map((w) => w >> 7) : null;

        const computation = new RoundComputation(parameters, plainContext(rows.length));
        const cut = (vector: Int16Array | Int32Array, c: number) =>
          vector.subarray(c * layout.chunkSize, (c + 1) * layout.chunkSize);
        const padded = rows.map((row) => viewInt16(encodeUpdate(row, layout)));
        const models = viewInt32(encodeModel(model, layout));
        const velocities = velocity && viewInt32(encodeModel(velocity, layout));
        const chunk = (c: number) => padded.map((row) => cut(row, c) as Int16Array);
        for (let c = 0; c < layout.chunkCount && computation.needsGramPass; c++) computation.addGramChunk(chunk(c));
        for (let c = 0; c < layout.chunkCount; c++) {
          const state = velocities && (cut(velocities, c) as Int32Array);
          computation.combineChunk(chunk(c), cut(models, c) as Int32Array, state);
        }
        const roots = computation.finish();

        const before = velocity && viewInt32(encodeModel(velocity, layout));
        const whole = computeRound(parameters, rows, model, { state: before });
        expect([...models.subarray(0, d)]).to.deep.equal([...whole.model]);
        expect(models.subarray(d).every((w) => w === 0)).to.equal(true);
        expect(roots.modelRoot).to.equal(whole.modelRoot).and.to.equal(commitModel(whole.model, layout));
        const root = whole.state && commitState(bytesOf(whole.state), layout, serverStep);
        expect(roots.stateRoot).to.equal(root ?? ZERO_HASH);
        if (needsGram(rule)) {
          expect(computation.gram()).to.deep.equal(gramOfRows(rows));
          expect(roots.gramRoot).to.not.equal(ZERO_HASH);
        } else {
          expect([roots.gramRoot, roots.mixingHash]).to.deep.equal([ZERO_HASH, ZERO_HASH]);
        }
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
    const rows = [1, 2, 3].map((value) => new Int16Array(16).fill(value));
    const model = () => new Int32Array(16);
    const median = parametersFor(parseRule('median', 1), 20);

    it('rows that are too many, too few, too long or too short', () => {
      const computation = new RoundComputation(median, plainContext(3));
      for (const wrong of [rows.slice(1), [...rows, rows[0]!], [rows[0]!, rows[1]!, new Int16Array(15)]]) {
        expectAssayError('CHUNK_SHAPE', () => computation.addGramChunk(wrong));
        expectAssayError('CHUNK_SHAPE', () => computation.combineChunk(wrong, model(), null));
      }
    });

    it('a model chunk of another size', () => {
      for (const length of [0, 15, 17, 32]) {
        const work = () =>
          new RoundComputation(median, plainContext(3)).combineChunk(rows, new Int32Array(length), null);
        expectAssayError('CHUNK_SHAPE', work);
      }
    });

    it('FedAvgM without a velocity, FedAvg with one', () => {
      const heavy = new RoundComputation({ ...median, serverStep: FED_AVG_M }, plainContext(3));
      const error = expectAssayError('CHUNK_SHAPE', () => heavy.combineChunk(rows, model(), null));
      expect(error.message).to.include('starts round 1 from a state of zeros');
      expectAssayError('CHUNK_SHAPE', () => heavy.combineChunk(rows, model(), new Int32Array(8)));
      expectAssayError('CHUNK_SHAPE', () =>
        new RoundComputation(median, plainContext(3)).combineChunk(rows, model(), model()),
      );
    });

    it('to finish early, to mix before every chunk was seen, to go on after the last chunk', () => {
      const computation = new RoundComputation(parametersFor(parseRule('nnm+median', 1), 20), plainContext(3));
      computation.addGramChunk(rows);
      const early = expectAssayError('CHUNK_COUNT', () => computation.combineChunk(rows, model(), null));
      expect(early.message).to.include('Expected: 2 chunks').and.include('Received: 1');
      computation.addGramChunk(rows);
      computation.combineChunk(rows, model(), null);
      expectAssayError('CHUNK_COUNT', () => computation.finish());
      computation.combineChunk(rows, model(), null);
      expect(computation.finish().modelRoot).to.match(/^0x/);
      expectAssayError('TREE_FULL', () => computation.combineChunk(rows, model(), null));
    });

    it('the Gram matrix of a rule without one, even after a first pass', () => {
      const computation = new RoundComputation(median, plainContext(3));
      computation.addGramChunk(rows);
      computation.addGramChunk(rows);
      expectAssayError('NO_GRAM', () => computation.gram());
      expectAssayError('NO_GRAM', () => computation.mixing());
      computation.combineChunk(rows, model(), null);
      computation.combineChunk(rows, model(), null);
      expect(computation.finish().gramRoot).to.equal(ZERO_HASH);
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
