import { expect } from 'chai';
import { keptShares } from '../../../client/simulation/keptShares.ts';
import { parseRule } from '../../../protocol/aggregation/rule.ts';

/** Rows of one value: every coordinate is alike. */
const rows = (...values: number[]) => values.map((value) => new Int16Array(40).fill(value));

describe('client simulation: who counts', () => {
  it('plain averaging leaves everybody an equal share', () => {
    expect(keptShares(parseRule('fedavg', 0), rows(1, 2, 300), 3, null)).to.deep.equal([1, 1, 1]);
  });

  it('median, trimmed mean and MeaMed leave what they average, of equal values the lower row first', () => {
    const of = (name: string, f: number, ...values: number[]) =>
      keptShares(parseRule(name, f), rows(...values), values.length, null);
    expect(of('median', 1, 5, 1, 9)).to.deep.equal([3, 0, 0]);
    expect(of('median', 1, 5, 1, 9, 6)).to.deep.equal([2, 0, 0, 2]);
    expect(of('trimmed-mean', 1, 5, 1, 9, 6)).to.deep.equal([2, 0, 0, 2]);
    expect(of('trimmed-mean', 1, 7, 7, 7)).to.deep.equal([0, 3, 0]);
    // Median 5: of 1, 5, 6, 9 and 4 the farthest is 9 and 1 alike; the lower stays.
    expect(of('meamed', 1, 5, 1, 9, 6, 4)).to.deep.equal([1.25, 1.25, 0, 1.25, 1.25]);
  });

  it('a mixed row stands for the updates in it by their weights', () => {
    const mixing = { rows: 3, columns: 3, weights: Int32Array.from([1, 1, 0, 1, 1, 0, 0, 1, 1]), denominator: 2 };
    expect(keptShares(parseRule('nnm+fedavg', 1), rows(1, 2, 9), 3, mixing)).to.deep.equal([1, 1.5, 0.5]);
    // Mixed rows 3, 3 and 11: the trimmed mean of three keeps the middle one, the second row by its index.
    expect(keptShares(parseRule('nnm+trimmed-mean', 1), rows(1, 2, 9), 3, mixing)).to.deep.equal([1.5, 1.5, 0]);
    const nothing = { ...mixing, weights: new Int32Array(9) };
    expect(keptShares(parseRule('nnm+fedavg', 1), rows(1, 2, 9), 3, nothing), 'nobody').to.deep.equal([0, 0, 0]);
  });
});
