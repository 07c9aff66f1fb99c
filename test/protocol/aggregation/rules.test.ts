/** The one behaviour suite that every rule runs, from its name to the next model. */
import { expect } from 'chai';
import fc from 'fast-check';
import { gramOfRows } from '../../../protocol/aggregation/gram.ts';
import { mixChunk } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { minimumUpdates, needsGram, parseRule, RULE_NAMES, type Rule } from '../../../protocol/aggregation/rule.ts';
import { FED_AVG } from '../../../protocol/aggregation/serverStep.ts';
import { computeRound } from '../../../protocol/round/computeRound.ts';
import { type LearningParameters, NO_NORM_BOUND } from '../../../protocol/round/parameters.ts';
import { plainContext, RoundComputation } from '../../../protocol/round/roundComputation.ts';
import { aggregateRows, sameAggregate } from '../support/aggregateRows.ts';
import { coordinate, rowsOf, runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';
import { preAggregate } from '../support/preAggregateRows.ts';
import { distance, referenceAggregate, referenceKrumScores } from '../support/reference.ts';

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
    .tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 3 }), fc.nat(), d)
    .chain(([f, more, m, width]) => {
      const selected = name === 'multi-krum' ? m % 4 : 0;
      const rule = parseRule(name, f, { selected: selected });
      return fc.record({ rule: fc.constant(rule), rows: rowsOf(minimumUpdates(rule) + more, width, value) });
    });
}

/** Whether the order of rows could decide something: equal distances from one row, or equal Krum scores. */
function hasTies(rule: Rule, rows: readonly Int16Array[]): boolean {
  if (!needsGram(rule)) return false;
  const repeated = (values: readonly bigint[]) => new Set(values).size < values.length;
  return (
    rows.some((row, i) => repeated(rows.filter((_, j) => j !== i).map((other) => distance(row, other)))) ||
    (rule.preAggregations[0] === 'multiKrum' && repeated(referenceKrumScores(rows, rule.byzantine)))
  );
}

/** Whether two of the mixed values of a coordinate are equally far from their median, one on either side. */
function sidesTie(rule: Rule, rows: readonly Int16Array[]): boolean {
  const mixed = needsGram(rule) ? mixChunk(preAggregate(rule, gramOfRows(rows)), rows) : rows;
  return Array.from(mixed[0]!, (_, k) => mixed.map((row) => row[k]!).sort((a, b) => a - b)).some((column) => {
    const center = column[(column.length - 1) >> 1]! + column[column.length >> 1]!;
    return column.some((x) => 2 * x !== center && column.includes(center - x));
  });
}

const small = fc.integer({ min: -1000, max: 1000 });
const ROBUST = RULE_NAMES.filter((name) => !name.endsWith('fedavg'));
/** Rules that keep the values nearest the median: an attacker's may be among them, as far out as an honest one. */
const keepsNearest = (name: string) => name.endsWith('meamed');

for (const name of RULE_NAMES) {
  describe(`the rule ${name}`, () => {
    it('is exact: equal to the naive reference in big integers, ties and extremes included', () => {
      fc.assert(
        fc.property(setting(name), ({ rule, rows }) => {
          expect(sameAggregate(aggregateRows(rule, rows), referenceAggregate(rule, rows))).to.equal(true);
        }),
        runs(60),
      );
    });

    it('does not depend on the order of rows', () => {
      const shuffled = setting(name).chain(({ rule, rows }) =>
        fc.record({
          rule: fc.constant(rule),
          rows: fc.constant(rows),
          order: fc.shuffledSubarray(rows, { minLength: rows.length }),
        }),
      );
      fc.assert(
        fc.property(shuffled, ({ rule, rows, order }) => {
          fc.pre(!hasTies(rule, rows));
          expect(sameAggregate(aggregateRows(rule, rows), aggregateRows(rule, order))).to.equal(true);
        }),
        runs(40),
      );
    });

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
        runs(30),
      );
    });

    it('is odd: negating the rows negates the result, but for values equally far from the median', () => {
      fc.assert(
        fc.property(setting(name, small), ({ rule, rows }) => {
          fc.pre(!keepsNearest(name) || !sidesTie(rule, rows));
          const { numerators, denominator } = aggregateRows(rule, rows);
          const negated = aggregateRows(
            rule,
            rows.map((row) => row.map((value) => -value)),
          );
          expect(negated).to.deep.equal({ numerators: numerators.map((value) => -value), denominator });
        }),
        runs(30),
      );
    });

    it('keeps what all rows agree on', () => {
      fc.assert(
        fc.property(setting(name), ({ rule, rows }) => {
          const agreed = rows.map(() => rows[0]!);
          const { numerators, denominator } = aggregateRows(rule, agreed);
          expect(numerators).to.deep.equal(Array.from(rows[0]!, (value) => BigInt(value) * denominator));
        }),
        runs(30),
      );
    });

    it('stays within the least and the greatest of each coordinate', () => {
      fc.assert(
        fc.property(setting(name), ({ rule, rows }) => {
          const { numerators, denominator } = aggregateRows(rule, rows);
          for (const [k, numerator] of numerators.entries()) {
            const column = rows.map((row) => row[k]!);
            expect(numerator >= BigInt(Math.min(...column)) * denominator).to.equal(true);
            expect(numerator <= BigInt(Math.max(...column)) * denominator).to.equal(true);
          }
        }),
        runs(30),
      );
    });

    it('is refused with one row fewer than it needs, and more than the protocol carries', () => {
      for (const f of [0, 1, 2, 5]) {
        const rule = parseRule(name, f);
        const least = minimumUpdates(rule);
        expect(least).to.equal(needsKrum(name) ? 2 * f + 3 : name === 'fedavg' ? 1 : 2 * f + 1);
        const error = expectAssayError(
          'TOO_FEW_UPDATES',
          () => new RoundComputation(parameters(rule, 5), plainContext(least - 1)),
        );
        expect(error.message)
          .to.include(`Expected: ${least} to 100 updates`)
          .and.include(`Received: ${least - 1}`);
        expectAssayError('TOO_FEW_UPDATES', () => new RoundComputation(parameters(rule, 5), plainContext(101)));
        expect(new RoundComputation(parameters(rule, 5), plainContext(least))).to.be.instanceOf(RoundComputation);
      }
    });

    it('gives the same model whatever the chunk size, and the padding stays zero', () => {
      fc.assert(
        fc.property(setting(name, coordinate, fc.integer({ min: 1, max: 70 })), ({ rule, rows }) => {
          const d = rows[0]!.length;
          const model = Int32Array.from({ length: d }, (_, k) => (k - 20) * 99991);
          const models = [16, 32, 128].map((size) => computeRound(parameters(rule, d, size), rows, model).model);
          const whole = aggregateRows(rule, rows);
          const next = model.map((w, k) => w + Number((whole.numerators[k]! * 256n) / whole.denominator)); // F - G = 8
          for (const computed of models) expect([...computed]).to.deep.equal([...next]);
        }),
        runs(25),
      );
    });

    if (ROBUST.includes(name)) {
      const others = needsGram(parseRule(name, 0)) ? 'f far rows' : 'f rows of any size';
      it(`with ${others} stays within the honest ones`, () => {
        const attacked = fc.integer({ min: 0, max: 2 }).chain((f) => {
          const rule = parseRule(name, f);
          const honest = minimumUpdates(rule) - f;
          return fc.record({
            rule: fc.constant(rule),
            honest: rowsOf(honest, 6, fc.integer({ min: -50, max: 50 })),
            outliers: rowsOf(f, 6, needsGram(rule) ? fc.integer({ min: 20000, max: 20050 }) : coordinate),
            place: fc.nat(),
          });
        });
        fc.assert(
          fc.property(attacked, ({ rule, honest, outliers, place }) => {
            const at = place % (honest.length + 1);
            const rows = [...honest.slice(0, at), ...outliers, ...honest.slice(at)];
            const { numerators, denominator } = aggregateRows(rule, rows);
            for (const [k, numerator] of numerators.entries()) {
              const column = honest.map((row) => row[k]!);
              const [low, high] = [Math.min(...column), Math.max(...column)];
              const slack = keepsNearest(name) ? high - low : 0;
              expect(numerator >= BigInt(low - slack) * denominator).to.equal(true);
              expect(numerator <= BigInt(high + slack) * denominator).to.equal(true);
            }
          }),
          runs(50),
        );
      });
    } else {
      it('is not robust: one far row of many moves it out of the honest range', () => {
        const rule = parseRule(name, 1);
        const rows = [1, 2, 3, 4, 30000].map((value) => Int16Array.of(value));
        const { numerators, denominator } = aggregateRows(rule, rows);
        expect(numerators[0]! > 4n * denominator).to.equal(true);
      });
    }
  });
}

function needsKrum(name: string): boolean {
  return name === 'krum' || name === 'multi-krum';
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
