import { expect } from 'chai';
import fc from 'fast-check';
import { combineChunk } from '../../../protocol/aggregation/combine/combineChunk.ts';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import {
  type Lanes,
  type OrderStatistic,
  orderStatisticKernel,
  type SumLanes,
} from '../../../protocol/kernels/orderStatistics.ts';
import { selectionNetwork } from '../../../protocol/kernels/sortingNetwork.ts';
import { arbitraryRows, placeRows } from './support/rows.ts';

const kernels = loadKernels();

/** What rows hold, what sums are written as, and the largest value that leaves room for a sum of 100. */
type Types = readonly [Lanes, SumLanes, number];
const INT16: Types = ['int16', 'int32', 2 ** 15 - 1];
const TYPES: Types[] = [
  INT16,
  ['int32', 'int32', 2 ** 24],
  ['int32', 'float64', 2 ** 31 - 1],
  ['float64', 'float64', 2 ** 44],
];

function run(statistic: OrderStatistic, rows: readonly (readonly number[])[], [lanes, sums]: Types): number[] {
  const { arena } = kernels;
  const mark = arena.mark();
  const width = rows[0]!.length;
  const table = placeRows(kernels, rows, lanes);
  const out = arena.allocate(8 * (width + 2));
  arena.bytes(out, 8 * (width + 2)).fill(0x5a);
  orderStatisticKernel(kernels, statistic, rows.length, lanes, sums)(table, out, width);
  const numerators = arena[sums](out, width);
  const result = [...numerators];
  const behind = arena.bytes(out + numerators.byteLength, 16);
  expect(
    behind.every((byte) => byte === 0x5a),
    'writes nothing behind its numerators',
  ).to.equal(true);
  arena.release(mark);
  return result;
}

/** The definition: the values in the order of their distance to the median, of two as near the lower one first. */
function nearestMedian(column: readonly number[], keep: number): number {
  const sorted = [...column].sort((a, b) => a - b);
  const twiceMedian = sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!;
  const distance = (value: number) => Math.abs(2 * value - twiceMedian);
  return sorted
    .toSorted((a, b) => distance(a) - distance(b) || a - b)
    .slice(0, keep)
    .reduce((sum, value) => sum + value, 0);
}

const few = fc.integer({ min: 1, max: 24 });
const many = fc.integer({ min: 25, max: 100 });
const width = fc.constantFrom(8, 16, 48);
const types = fc.constantFrom(...TYPES);

describe('order statistics', function () {
  this.timeout(20_000);

  for (const [name, rows, numRuns] of [['few', few, 250] as const, ['many', many, 25] as const]) {
    it(`are the plain reference's median and trimmed mean over ${name} rows`, () => {
      const cases = types.chain((type) => fc.tuple(arbitraryRows(rows, width, type[2]), fc.constant(type), fc.nat()));
      fc.assert(
        fc.property(cases, ([values, type, any]) => {
          const drop = any % Math.ceil(values.length / 2);
          const plain = values.map((row) => Float64Array.from(row));
          expect(run({ kind: 'median' }, values, type)).to.deep.equal([...combineChunk('median', 0, plain)]);
          expect(run({ kind: 'trimmedMean', drop }, values, type)).to.deep.equal([
            ...combineChunk('trimmedMean', drop, plain),
          ]);
        }),
        { numRuns },
      );
    });

    it(`are the sum of the values nearest the median over ${name} rows`, () => {
      const cases = types.chain((type) => fc.tuple(arbitraryRows(rows, width, type[2]), fc.constant(type), fc.nat()));
      fc.assert(
        fc.property(cases, ([values, type, any]) => {
          const keep = (any % values.length) + 1;
          const columns = values[0]!.map((_, k) => values.map((row) => row[k]!));
          expect(run({ kind: 'nearestMedian', keep }, values, type)).to.deep.equal(
            columns.map((column) => nearestMedian(column, keep)),
          );
        }),
        { numRuns },
      );
    });
  }

  it('take the whole range of int16, both ways', () => {
    const ends = [-32_768, 32_767];
    const rows = [...ends, ...ends, -32_768].map((value) => new Array<number>(16).fill(value));
    expect(run({ kind: 'trimmedMean', drop: 0 }, rows, INT16)[0]).to.equal(-32_768 * 3 + 32_767 * 2);
    expect(run({ kind: 'median' }, rows, INT16)[15]).to.equal(-32_768);
    expect(run({ kind: 'nearestMedian', keep: 4 }, rows, INT16)[3]).to.equal(-32_768 * 3 + 32_767);
  });
});

describe('selectionNetwork', () => {
  it('sorts every column of zeros and ones, so every column (Knuth, the 0-1 principle)', () => {
    for (let m = 1; m <= 13; m++) {
      const { comparators, wires } = selectionNetwork(new Array(m).fill('value'));
      for (let bits = 0; bits < 2 ** m; bits++) {
        let values = bits; // one wire a bit
        for (const { low, high } of comparators) {
          if ((values >> low) & 1 && !((values >> high) & 1)) values ^= (1 << low) | (1 << high);
        }
        const sorted = wires.map((wire) => (values >> wire) & 1).join('');
        if (!/^0*1*$/.test(sorted)) expect.fail(`${m} wires, input ${bits.toString(2)}: ${sorted}`);
      }
    }
  });

  it('takes only the minima and maxima that are asked for', () => {
    const middle = selectionNetwork(['nothing', 'value', 'nothing']).comparators;
    expect(middle.filter(({ keepsLow, keepsHigh }) => keepsLow && keepsHigh)).to.have.lengthOf(1);
    expect(selectionNetwork(['sum', 'sum', 'sum', 'sum']).comparators).to.have.lengthOf(0);
    expect(selectionNetwork(new Array(20).fill('value')).comparators).to.have.lengthOf(97);
  });
});
