/** The one behaviour suite that every rule runs, from its name to the next model. */
import { expect } from 'chai';
import fc from 'fast-check';
import { mixChunk } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { minimumUpdates, needsGram, parseRule, type Rule, usesHistory } from '../../../protocol/aggregation/rule.ts';
import { FED_AVG } from '../../../protocol/aggregation/serverStep.ts';
import { computeRound } from '../../../protocol/round/computeRound.ts';
import { type LearningParameters, NO_NORM_BOUND } from '../../../protocol/round/parameters.ts';
import { plainContext } from '../../../protocol/round/roundIo.ts';
import { aggregateRows, mixedRowsOf, mixingOfRows, sameAggregate, sampleHistory } from '../support/aggregateRows.ts';
import { coordinate, rowsOf, runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';
import { distance, referenceAggregate, referenceKrumScores } from '../support/reference.ts';
import { SAMPLE_RULES, sampleRule } from '../support/sampleRules.ts';

function parameters(rule: Rule, dimension: number, chunkSize = 16): LearningParameters {
  const normSqBound = NO_NORM_BOUND;
  return {
    rule,
    dimension,
    chunkSize,
    normSqBound,
    serverStep: FED_AVG,
    modelFractionBits: 24,
    updateFractionBits: 16,
  };
}

/** A rule of that name with f up to 2, as many rows as it needs or a few more, and d coordinates. */
function setting(name: string, value = coordinate, d = fc.integer({ min: 1, max: 20 })) {
  return fc
    .tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 3 }), fc.nat({ max: 3 }), d)
    .chain(([f, more, selected, width]) => {
      const rule = sampleRule(name, f, selected);
      return fc.record({ rule: fc.constant(rule), rows: rowsOf(minimumUpdates(rule) + more, width, value) });
    });
}

/** Whether the order of rows could decide something: equal distances, norms or Krum scores. */
function hasTies(rule: Rule, rows: readonly Int16Array[]): boolean {
  if (!needsGram(rule)) return false;
  const repeated = (values: readonly bigint[]) => new Set(values).size < values.length;
  return (
    repeated(rows.flatMap((row, i) => rows.slice(i + 1).map((other) => distance(row, other)))) ||
    repeated(rows.map((row) => distance(row, new Int16Array(row.length)))) ||
    (rule.preAggregations.includes('multiKrum') && repeated(referenceKrumScores(rows, rule.byzantine)))
  );
}

/** Whether two of the mixed values of a coordinate are equally far from their median, one on either side. */
function sidesTie(rule: Rule, rows: readonly Int16Array[]): boolean {
  const mixing = mixingOfRows(rule, rows);
  const mixed = mixing === null ? rows : mixChunk(mixing, mixedRowsOf(rule, rows));
  return Array.from(mixed[0]!, (_, k) => mixed.map((row) => row[k]!).sort((a, b) => a - b)).some((column) => {
    const center = column[(column.length - 1) >> 1]! + column[column.length >> 1]!;
    return column.some((x) => 2 * x !== center && column.includes(center - x));
  });
}

const small = fc.integer({ min: -1000, max: 1000 });
const oneOf = (...words: readonly string[]) => new RegExp(`(^|\\+)(${words.join('|')})(\\+|$)`);

/**
 * Rules in which a row's place decides: by the seed; by ties that any rows have (of three left, iterated Krum's nearest
 * two have equal scores; sets of rows share their longest distance); between clusters of equal size.
 */
const BY_PLACE = oneOf('bucketing', 'bulyan', 'mda', 'signguard');
/** Rules that go by directions and lengths seen from zero: moving all rows changes more than the result's place. */
const FROM_ZERO = oneOf('arc', 'foolsgold', 'signguard', 'fltrust', 'centered-clipping');
/** Rules that keep the values nearest the median: an attacker's may be among them, as far out as an honest one. */
const KEEPS_NEAREST = oneOf('meamed', 'bulyan');
/** Rules whose result may lie outside the rows and zero: FLTrust scales short rows up, history is another row. */
const LEAVES_RANGE = oneOf('fltrust', 'centered-clipping');
/** Rules that keep the model where it is when all rows are parallel, or when there is none but the root. */
const MAY_STAY = oneOf('foolsgold', 'fltrust');
/** No bound on what one far row does, or one of another kind than the honest rows' range (see the stages' own tests). */
const NO_RANGE = oneOf('foolsgold', 'signguard', 'fltrust', 'centered-clipping');
const IS_LINEAR = /^((nnm|bucketing)\+)?fedavg$/;
/** Rules that give far rows a weight, less the farther they are: they pull by about an honest row's norm. */
const SLACK_BY_NORM = oneOf('geometric-median', 'caf', 'arc');

for (const name of SAMPLE_RULES) {
  describe(`the rule ${name}`, () => {
    it('is exact: equal to the naive reference in big integers, ties and extremes included', () => {
      fc.assert(
        fc.property(setting(name), ({ rule, rows }) => {
          const history = usesHistory(rule) ? sampleHistory(rows[0]!.length) : [];
          expect(sameAggregate(aggregateRows(rule, rows), referenceAggregate(rule, rows, history))).to.equal(true);
        }),
        runs(40),
      );
    });

    if (!BY_PLACE.test(name)) {
      it('does not depend on the order of rows', () => {
        const shuffled = setting(name).chain(({ rule, rows }) =>
          fc.record({
            rule: fc.constant(rule),
            rows: fc.constant(rows),
            order: fc.shuffledSubarray([...rows.keys()], { minLength: rows.length }),
          }),
        );
        fc.assert(
          fc.property(shuffled, ({ rule, rows, order }) => {
            fc.pre(!hasTies(rule, rows));
            const other = { ...plainContext(rows.length), indices: order };
            const reordered = order.map((i) => rows[i]!);
            expect(sameAggregate(aggregateRows(rule, rows), aggregateRows(rule, reordered, other))).to.equal(true);
          }),
          runs(30),
        );
      });
    }

    if (!FROM_ZERO.test(name)) {
      it('moves with its rows: adding a vector to all of them adds it to the result', () => {
        fc.assert(
          fc.property(setting(name, small), small, ({ rule, rows }, by) => {
            const before = aggregateRows(rule, rows);
            const after = aggregateRows(
              rule,
              rows.map((row) => row.map((value, k) => value + by + k)),
            );
            const moved = before.numerators.map((value, k) => value + BigInt(by + k) * before.denominator);
            expect(after).to.deep.equal({ numerators: moved, denominator: before.denominator });
          }),
          runs(20),
        );
      });
    }

    if (!usesHistory(sampleRule(name, 1)) && name !== 'signguard') {
      it('is odd: negating the rows negates the result, but for values equally far from the median', () => {
        fc.assert(
          fc.property(setting(name, small), ({ rule, rows }) => {
            fc.pre(!KEEPS_NEAREST.test(name) || !sidesTie(rule, rows));
            const { numerators, denominator } = aggregateRows(rule, rows);
            const negated = aggregateRows(
              rule,
              rows.map((row) => row.map((value) => -value)),
            );
            expect(negated).to.deep.equal({ numerators: numerators.map((value) => -value), denominator });
          }),
          runs(20),
        );
      });
    }

    if (!usesHistory(sampleRule(name, 1))) {
      it('keeps what all rows agree on', () => {
        fc.assert(
          fc.property(setting(name), ({ rule, rows }) => {
            const row = rows[0]!;
            const { numerators, denominator } = aggregateRows(rule, new Array(rows.length).fill(row));
            const agreed = Array.from(row, (value) => BigInt(value) * denominator);
            const stays = MAY_STAY.test(name) && numerators.every((numerator) => numerator === 0n);
            expect(numerators).to.deep.equal(stays ? agreed.map(() => 0n) : agreed);
          }),
          runs(20),
        );
      });
    }

    if (!LEAVES_RANGE.test(name)) {
      it('stays within the least and the greatest of each coordinate, and zero where it goes by directions', () => {
        fc.assert(
          fc.property(setting(name), ({ rule, rows }) => {
            const { numerators, denominator } = aggregateRows(rule, rows);
            for (const [k, numerator] of numerators.entries()) {
              const column = [...rows.map((row) => row[k]!), ...(FROM_ZERO.test(name) ? [0] : [])];
              expect(numerator >= BigInt(Math.min(...column)) * denominator).to.equal(true);
              expect(numerator <= BigInt(Math.max(...column)) * denominator).to.equal(true);
            }
          }),
          runs(20),
        );
      });
    }

    it('is refused with one row fewer than it needs, and more than the protocol carries', () => {
      for (const f of [0, 1, 2, 5]) {
        const rule = sampleRule(name, f);
        const least = minimumUpdates(rule);
        expect(least).to.be.at.least(name === 'fedavg' ? 1 : 2 * f + 1);
        const round = (n: number) => () =>
          computeRound(parameters(rule, 5), new Array(n).fill(Int16Array.of(3, 1, -4, 1, 5)), new Int32Array(5));
        expect(expectAssayError('TOO_FEW_UPDATES', round(least - 1)).message)
          .to.include(`Expected: ${least} to 100 updates`)
          .and.include(`Received: ${least - 1}`);
        expectAssayError('TOO_FEW_UPDATES', round(101));
        expect(round(least)().model).to.have.length(5);
      }
      if (name !== 'fedavg') expectAssayError('RULE_PARAMETERS', () => minimumUpdates(sampleRule(name, 50)));
    });

    it('gives the same model whatever the chunk size, and the padding stays zero', () => {
      fc.assert(
        fc.property(setting(name, coordinate, fc.integer({ min: 1, max: 70 })), ({ rule, rows }) => {
          const d = rows[0]!.length;
          const model = Int32Array.from({ length: d }, (_, k) => (k - 20) * 99991);
          // The step before this round was the sample history: F - G = 8.
          const previousModel = sampleHistory(d).reduce((before, step, k) => {
            before[k] = model[k]! - 256 * step;
            return before;
          }, new Int32Array(d));
          const models = [16, 32, 128].map(
            (size) => computeRound(parameters(rule, d, size), rows, model, { previousModel }).model,
          );
          const whole = aggregateRows(rule, rows);
          const next = model.map((w, k) => w + Number((whole.numerators[k]! * 256n) / whole.denominator));
          for (const computed of models) expect([...computed]).to.deep.equal([...next]);
        }),
        runs(15),
      );
    });

    if (IS_LINEAR.test(name)) {
      it('is not robust: one far row of many moves it out of the honest range', () => {
        const rule = sampleRule(name, 1);
        const rows = [1, 2, 3, 4, 30000].map((value) => Int16Array.of(value));
        const { numerators, denominator } = aggregateRows(rule, rows);
        expect(numerators[0]! > 4n * denominator).to.equal(true);
      });
    } else if (!NO_RANGE.test(name)) {
      const others = needsGram(parseRule(name, 0)) ? 'f far rows' : 'f rows of any size';
      it(`with ${others} stays within the honest ones`, () => {
        const attacked = fc.integer({ min: 0, max: 2 }).chain((f) => {
          const rule = sampleRule(name, f);
          const honest = minimumUpdates(rule) - f;
          return fc.record({
            rule: fc.constant(rule),
            honest: rowsOf(honest, 6, fc.integer({ min: -50, max: 50 })),
            outliers: rowsOf(f, 6, needsGram(rule) ? fc.integer({ min: 20000, max: 20050 }) : coordinate),
            // MoNNA's pivot is participant 0: honest, or there is nothing to be said.
            place: fc.nat().map((at) => (at % honest) + 1),
          });
        });
        fc.assert(
          fc.property(attacked, ({ rule, honest, outliers, place }) => {
            const rows = [...honest.slice(0, place), ...outliers, ...honest.slice(place)];
            const { numerators, denominator } = aggregateRows(rule, rows);
            for (const [k, numerator] of numerators.entries()) {
              const column = [...honest.map((row) => row[k]!), ...(FROM_ZERO.test(name) ? [0] : [])];
              const [low, high] = [Math.min(...column), Math.max(...column)];
              const slack = (KEEPS_NEAREST.test(name) ? high - low : 0) + (SLACK_BY_NORM.test(name) ? 250 : 0);
              expect(numerator >= BigInt(low - slack) * denominator).to.equal(true);
              expect(numerator <= BigInt(high + slack) * denominator).to.equal(true);
            }
          }),
          runs(30),
        );
      });
    }
  });
}

for (const name of ['nnm+median', 'nnm+trimmed-mean']) {
  describe(`the rule ${name} against far rows`, () => {
    it('leaves no trace of them: the result is the mean of the honest rows', () => {
      const honest = rowsOf(5, 4, fc.integer({ min: -50, max: 50 }));
      const far = rowsOf(2, 4, fc.constantFrom(-30000, -20000, 25000, 30000));
      fc.assert(
        fc.property(honest, far, (good, bad) => {
          const { numerators, denominator } = aggregateRows(parseRule(name, 2), [bad[0]!, ...good, bad[1]!]);
          const sums = [0, 1, 2, 3].map((k) => good.reduce((sum, row) => sum + BigInt(row[k]!), 0n));
          expect(sameAggregate({ numerators, denominator }, { numerators: sums, denominator: 5n })).to.equal(true);
        }),
        runs(40),
      );
    });
  });
}
