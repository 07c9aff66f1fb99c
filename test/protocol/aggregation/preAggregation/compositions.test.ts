/**
 * Stages one after the other: W of the whole rule, which never sees a coordinate, against stages applied to real rows, each
 * to what the one before it left.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import type { InnerProducts } from '../../../../protocol/aggregation/gram.ts';
import { gramOfRows } from '../../../../protocol/aggregation/gram.ts';
import { MAX_ROW_WEIGHT, type Mixing } from '../../../../protocol/aggregation/preAggregation/mixing.ts';
import { preAggregate } from '../../../../protocol/aggregation/preAggregation/preAggregate.ts';
import { minimumUpdates, parseRule, type Rule, usesHistory } from '../../../../protocol/aggregation/rule.ts';
import { rowsOf, runs } from '../../support/arbitraries.ts';
import { contextOf } from '../../support/stages.ts';

const COMPOSITIONS = [
  'arc+nnm+trimmed-mean',
  'nnm+arc+median',
  'nnm+geometric-median',
  'bucketing+geometric-median',
  'arc+nnm+bucketing+geometric-median',
  'bucketing+krum',
  'bucketing+nnm+meamed',
  'bucketing+bulyan',
  'arc+mda',
  'nnm+monna',
  'arc+fltrust',
  'nnm+caf',
  'arc+foolsgold',
  'arc+centered-clipping',
  'nnm+bucketing+centered-clipping',
];

function ruleOf(name: string, f: number): Rule {
  const has = (word: string) => name.includes(word);
  return parseRule(name, f, {
    reference: has('monna') || has('fltrust') ? 11 : undefined,
    radius: has('centered-clipping') ? 3000n : undefined,
  });
}

/** Rows before the common denominator is divided out: `scale` times the real ones. */
interface Scaled {
  readonly rows: bigint[][];
  readonly scale: bigint;
}

function gramOf(rows: readonly bigint[][]): InnerProducts {
  const values: bigint[] = [];
  rows.forEach((x, i) => {
    for (const y of rows.slice(i)) values.push(x.reduce((sum, value, k) => sum + value * y[k]!, 0n));
  });
  return { n: rows.length, values };
}

function mix({ rows, columns, weights, denominator }: Mixing, from: Scaled): Scaled {
  const mixed = Array.from({ length: rows }, (_, r) =>
    from.rows[0]!.map((_value, k) =>
      from.rows.reduce((sum, row, i) => sum + BigInt(weights[r * columns + i]!) * row[k]!, 0n),
    ),
  );
  return { rows: mixed, scale: from.scale * BigInt(denominator) };
}

/** Stage by stage on the rows themselves; a stage that does not take the history row leaves it as long as all others. */
function stepwise(rule: Rule, updates: readonly Int16Array[], history: Int16Array): Scaled {
  let now: Scaled = { rows: updates.map((row) => Array.from(row, BigInt)), scale: 1n };
  const last = rule.preAggregations.at(-1)!;
  let { indices, ...context } = contextOf(updates);
  for (const stage of rule.preAggregations) {
    const withHistory = stage === 'centeredClipping';
    const pulled = Array.from(history, (value) => BigInt(value) * now.scale);
    const input = withHistory ? { ...now, rows: [...now.rows, pulled] } : now;
    // A rule of this stage alone; it cannot know that its rows are `scale` times the real ones but for the radius.
    const alone: Rule = { ...rule, preAggregations: [stage], radius: withHistory ? rule.radius * now.scale : 0n };
    const combine = stage === last ? rule.combine : 'mean';
    now = mix(preAggregate({ ...alone, combine }, gramOf(input.rows), { ...context, indices }), input);
    if (stage === 'bucketing') indices = now.rows.map((_, i) => i);
  }
  return now;
}

describe('stages one after the other', () => {
  for (const name of COMPOSITIONS) {
    it(`${name} is each of its stages on what the one before it left`, () => {
      const setting = fc
        .tuple(fc.integer({ min: 0, max: 2 }), fc.nat({ max: 3 }))
        .map(([f, more]) => ({ rule: ruleOf(name, f), n: minimumUpdates(ruleOf(name, f)) + more }))
        .chain(({ rule, n }) => fc.record({ rule: fc.constant(rule), rows: rowsOf(n + 1, 4) }));
      fc.assert(
        fc.property(setting, ({ rule, rows }) => {
          const updates = rows.slice(0, -1);
          const history = rows.at(-1)!;
          const whole = usesHistory(rule) ? rows : updates;
          const mixing = preAggregate(rule, gramOfRows(whole), contextOf(updates));
          const composed = mix(mixing, { rows: whole.map((row) => Array.from(row, BigInt)), scale: 1n });
          const expected = stepwise(rule, updates, history);
          expect(mixing.columns).to.equal(whole.length);
          expect(composed.rows).to.have.length(expected.rows.length);
          composed.rows.forEach((row, r) => {
            row.forEach((value, k) => {
              const real = Number(expected.rows[r]![k]!) / Number(expected.scale);
              // weights are cut to 2^29 a row; a distance is rounded in other units
              expect(Number(value) / Number(composed.scale)).to.be.closeTo(real, rule.iterations > 0 ? 100 : 0.5);
            });
          });
          const sum = mixing.weights.subarray(0, mixing.columns).reduce((all, weight) => all + Math.abs(weight), 0);
          expect(Math.max(sum, mixing.denominator)).to.be.at.most(MAX_ROW_WEIGHT);
        }),
        runs(25),
      );
    });
  }
});
