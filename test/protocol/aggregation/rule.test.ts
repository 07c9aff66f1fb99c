import { expect } from 'chai';
import {
  checkRowCount,
  FIRST_WORDS,
  isEnforceable,
  LAST_WORDS,
  minimumUpdates,
  needsGram,
  needsSigns,
  parseRule,
  RULE_NAMES,
  type Rule,
  ruleName,
  usesHistory,
} from '../../../protocol/aggregation/rule.ts';
import { expectAssayError } from '../support/expectAssayError.ts';
import { type PlainRule, plainRule } from '../support/ruleOf.ts';
import { loadVectors } from '../support/vectors.ts';

type Case = PlainRule & { name: string; ok: boolean; minimum: number };
const { cases } = loadVectors<Case>('ruleParameters.json');

describe('rule parameters', () => {
  it(`agree with all ${cases.length} vectors`, () => {
    expect(cases.length).to.be.above(100);
    for (const vector of cases) {
      const label = `${vector.name}, f = ${vector.byzantine}, m = ${vector.selected}`;
      if (!vector.ok) {
        expectAssayError('RULE_PARAMETERS', () => minimumUpdates(plainRule(vector)));
        continue;
      }
      expect(minimumUpdates(plainRule(vector)), label).to.equal(vector.minimum);
      checkRowCount(plainRule(vector), vector.minimum);
      checkRowCount(plainRule(vector), 100);
      expectAssayError('TOO_FEW_UPDATES', () => checkRowCount(plainRule(vector), vector.minimum - 1));
    }
  });

  it('that are not whole numbers are refused', () => {
    const rule = parseRule('multi-krum', 1);
    for (const wrong of [-1, 0.5, Number.NaN]) {
      expectAssayError('RULE_PARAMETERS', () => minimumUpdates({ ...rule, byzantine: wrong }));
      expectAssayError('RULE_PARAMETERS', () => minimumUpdates({ ...rule, selected: wrong }));
    }
  });
});

type Composition = Omit<Rule, 'radius'> & {
  radius: string;
  name: string;
  ok: boolean;
  minimum: number;
  enforceable: boolean;
};
const compositions = loadVectors<Composition>('ruleCompositions.json').cases;

describe('compositions of stages', () => {
  it(`agree with all ${compositions.length} vectors`, () => {
    expect(compositions.length).to.be.above(500);
    for (const { name, ok, minimum, enforceable, ...fields } of compositions) {
      const rule: Rule = { ...fields, radius: BigInt(fields.radius) };
      if (!ok) {
        expectAssayError('RULE_PARAMETERS', () => minimumUpdates(rule));
        continue;
      }
      expect(minimumUpdates(rule), name).to.equal(minimum);
      expect(isEnforceable(rule), name).to.equal(enforceable);
    }
  });

  it('come back from their names, whatever the composition', () => {
    const possible = compositions.filter(({ ok }) => ok);
    expect(possible.length).to.be.above(150);
    for (const { ok, minimum, enforceable, name, ...fields } of possible) {
      const rule: Rule = { ...fields, radius: BigInt(fields.radius) };
      const { byzantine: f, ...options } = rule;
      const again = parseRule(ruleName(rule), f, options);
      expect(again, ruleName(rule)).to.deep.equal({ ...rule, byzantine: ruleName(rule) === 'fedavg' ? 0 : f });
    }
  });

  it('are named from the first stage to the last', () => {
    const named = (name: string) => {
      const { preAggregations, combine } = parseRule(name, 1);
      return [...preAggregations, combine].join(' ');
    };
    expect(named('arc+nnm+trimmed-mean')).to.equal('adaptiveClipping nearestNeighborMixing trimmedMean');
    expect(named('nnm+geometric-median')).to.equal('nearestNeighborMixing geometricMedian mean');
    expect(named('bucketing+krum')).to.equal('bucketing multiKrum mean');
    expect(named('bulyan')).to.equal('iteratedKrum bulyan');
    expect(named('nnm')).to.equal(named('nnm+fedavg'));
    expect(ruleName(parseRule('nnm', 1))).to.equal('nnm+fedavg');
    expect(parseRule('bucketing+median', 1).bucketSize).to.equal(2);
    expect(parseRule('geometric-median', 1).iterations).to.equal(8);
    expect(parseRule('centered-clipping', 1, { radius: 9n }).iterations).to.equal(3);
  });

  it('say which of them need signs and the history row', () => {
    expect(needsSigns(parseRule('signguard', 1))).to.equal(true);
    expect(needsSigns(parseRule('nnm+median', 1))).to.equal(false);
    expect(usesHistory(parseRule('bucketing+centered-clipping', 1, { radius: 1n }))).to.equal(true);
    expect(usesHistory(parseRule('geometric-median', 1))).to.equal(false);
  });
});

describe('rule names', () => {
  it('come back from the rule they name', () => {
    for (const name of RULE_NAMES) expect(ruleName(parseRule(name, 2)), name).to.equal(name);
    expect(ruleName(parseRule('multi-krum', 2, { selected: 5 }))).to.equal('multi-krum');
  });

  it('mean these pieces', () => {
    const piece = (name: string) => {
      const { preAggregations, combine, byzantine, selected } = parseRule(name, 2);
      return [preAggregations.join('+') || 'none', combine, byzantine, selected].join(' ');
    };
    expect(Object.fromEntries(RULE_NAMES.map((name) => [name, piece(name)]))).to.deep.equal({
      fedavg: 'none mean 0 0',
      meamed: 'none meaMed 2 0',
      median: 'none median 2 0',
      'trimmed-mean': 'none trimmedMean 2 0',
      krum: 'multiKrum mean 2 1',
      'multi-krum': 'multiKrum mean 2 0',
      'nnm+fedavg': 'nearestNeighborMixing mean 2 0',
      'nnm+meamed': 'nearestNeighborMixing meaMed 2 0',
      'nnm+median': 'nearestNeighborMixing median 2 0',
      'nnm+trimmed-mean': 'nearestNeighborMixing trimmedMean 2 0',
    });
    expect(RULE_NAMES.filter((name) => !needsGram(parseRule(name, 0)))).to.deep.equal([
      'fedavg',
      'median',
      'trimmed-mean',
      'meamed',
    ]);
  });

  for (const name of ['', 'FedAvg', 'krum+', 'trimmed_mean', 'constructor', 'toString', '__proto__']) {
    it(`do not include ${JSON.stringify(name)}, and the message lists those that there are`, () => {
      const error = expectAssayError('RULE_NAME', () => parseRule(name, 1));
      for (const known of [...FIRST_WORDS, ...LAST_WORDS]) expect(error.message).to.include(known);
      expect(error.message).to.include(`Received: ${name}`);
    });
  }

  it('take an m only where it means something', () => {
    expect(parseRule('krum', 1, { selected: 1 }).selected).to.equal(1);
    expect(parseRule('krum', 1, { selected: 0 }).selected).to.equal(1);
    expect(parseRule('median', 1, { selected: 0 }).selected).to.equal(0);
    for (const name of RULE_NAMES.filter((known) => known !== 'multi-krum')) {
      expectAssayError('RULE_PARAMETERS', () => parseRule(name, 1, { selected: 3 }));
    }
  });
});
