import { expect } from 'chai';
import fc from 'fast-check';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import { type MixingMatrix, mixingKernel } from '../../../protocol/kernels/mixing.ts';
import { weightedSum } from '../../../protocol/kernels/weightedSum.ts';
import { arbitraryRows, placeRows } from './support/rows.ts';

const kernels = loadKernels();

/** The definition, exact whatever the size. */
function exactSum(weights: readonly number[], rows: readonly (readonly number[])[], k: number): number {
  return Number(weights.reduce((sum, weight, i) => sum + BigInt(weight) * BigInt(rows[i]![k]!), 0n));
}

const largest = (rows: readonly (readonly number[])[]) => rows.map((row) => Math.max(...row.map(Math.abs)));

/** Weights whose sizes add up to `total` at most, of both signs. */
const weightsWithin = (n: number, total: number) =>
  fc
    .array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: n, maxLength: n })
    .map((shares) => shares.map((share) => Math.trunc((share * total) / n) + 0));

/** n - f ones in every row, as in nearest-neighbour mixing; single ones, as in a selection; buckets; weights. */
function arbitraryMatrix(n: number): fc.Arbitrary<number[][]> {
  const ones = fc.shuffledSubarray(
    Array.from({ length: n }, (_, i) => i),
    { minLength: 1 },
  );
  const row = (chosen: readonly number[]) => Array.from({ length: n }, (_, i) => Number(chosen.includes(i)));
  const of = (arbitrary: fc.Arbitrary<number[]>) => fc.array(arbitrary, { minLength: 1, maxLength: 6 });
  return fc.oneof(
    of(ones.map(row)),
    of(ones.map(([first]) => row([first!]))),
    of(ones.map((chosen) => row(chosen).map((one) => 1 - one))),
    fc
      .tuple(of(ones.map(row)), weightsWithin(n, 2 ** 17))
      .map(([rows, factors]) => rows.map((chosen) => chosen.map((one, i) => one * factors[i]!))),
    of(weightsWithin(n, 2 ** 15)),
    of(weightsWithin(n, 2 ** 29)),
  );
}

/** Fails where the kernel's W U is not the definition's; returns the types it took. */
function checkMixing(rows: readonly (readonly number[])[], weights: readonly (readonly number[])[]): string {
  const { arena } = kernels;
  const mark = arena.mark();
  const width = rows[0]!.length;
  const table = placeRows(kernels, rows, 'int16');
  const matrix: MixingMatrix = { rows: weights.length, columns: rows.length, weights: Int32Array.from(weights.flat()) };
  const mixed = mixingKernel(kernels, matrix, 64).mix(table, width);
  const addresses = [...new Uint32Array(arena.memory.buffer, mixed.rows, weights.length)];
  weights.forEach((row, r) => {
    const values = arena[mixed.lanes](addresses[r]!, width);
    for (let k = 0; k < width; k++) {
      const expected = exactSum(row, rows, k);
      if (values[k] !== expected) expect.fail(`row ${r}, ${k}: ${values[k]} (${mixed.lanes}) is not ${expected}`);
    }
  });
  arena.release(mark);
  return `${mixed.lanes}, ${mixed.sums}`;
}

describe('mixing', function () {
  this.timeout(20_000);

  it('is W U to the last bit', () => {
    const cases = fc
      .tuple(fc.integer({ min: 1, max: 24 }), fc.constantFrom(0, 40, 2000, 32_767))
      .chain(([n, limit]) =>
        fc.tuple(arbitraryRows(fc.constant(n), fc.constantFrom(16, 48), limit), arbitraryMatrix(n)),
      );
    fc.assert(
      fc.property(cases, ([rows, weights]) => void checkMixing(rows, weights)),
      { numRuns: 400 },
    );
  });

  it('takes the narrowest lanes that hold every mixed value, and every sum of these', () => {
    const rowsOf = (...values: number[]) => values.map((value) => new Array<number>(16).fill(value));
    const ends = rowsOf(-32_768, 32_767, -32_768);
    const sums = [
      [1, 1, 0],
      [0, 1, 1],
      [1, 0, 1],
    ];
    expect(checkMixing(rowsOf(16_000, 16_383, -384), sums)).to.equal('int16, int32');
    expect(checkMixing(rowsOf(16_000, 16_384, -384), sums)).to.equal('int32, int32');
    expect(checkMixing(ends, sums)).to.equal('int32, int32');
    const clipped = [
      [16_384, 16_384, 0],
      [16_384, 0, 16_383],
      [0, 16_384, 16_383],
    ];
    expect(checkMixing(ends, clipped)).to.equal('int32, float64');
    expect(
      checkMixing(
        ends,
        clipped.map((row) => row.map((weight) => 2 * weight)),
      ),
    ).to.equal('float64, float64');
    expect(checkMixing(rowsOf(100, -100, 1), clipped)).to.equal('int32, int32');
    const any = [
      [3, -5, 2 ** 14],
      [2 ** 15 - 1, 1, 0],
      [0, 2 ** 15 - 1, 2],
    ];
    expect(checkMixing(ends, any)).to.equal('int32, float64');
    expect(
      checkMixing(ends, [
        [3, -5, 2 ** 28],
        [2 ** 15, 1, 0],
      ]),
    ).to.equal('float64, float64');
  });

  it('picks rows without copying them', () => {
    const table = placeRows(
      kernels,
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      'int16',
    );
    const matrix = { rows: 2, columns: 3, weights: Int32Array.of(0, 0, 1, 1, 0, 0) };
    const { rows, lanes } = mixingKernel(kernels, matrix, 64).mix(table, 16);
    const source = new Uint32Array(kernels.memory.buffer, table, 3);
    expect([lanes, ...new Uint32Array(kernels.memory.buffer, rows, 2)]).to.deep.equal(['int16', source[2], source[0]]);
  });
});

describe('weightedSum', () => {
  it('is the sum to the last bit, whatever the weights', () => {
    const cases = fc
      .tuple(fc.integer({ min: 1, max: 100 }), fc.constantFrom(1, 2 ** 15, 2 ** 20, 2 ** 29, 2 ** 36))
      .chain(([n, total]) =>
        fc.tuple(arbitraryRows(fc.constant(n), fc.constantFrom(16, 32)), weightsWithin(n, total), fc.boolean()),
      );
    fc.assert(
      fc.property(cases, ([rows, weights, isOnes]) => {
        const { arena } = kernels;
        const mark = arena.mark();
        const width = rows[0]!.length;
        const used = isOnes ? rows.map(() => 1) : weights;
        const table = placeRows(kernels, rows, 'int16');
        const sum = weightedSum(kernels, used, width);
        for (const lanes of [sum.lanesFor(Math.max(...largest(rows))), 'float64'] as const) {
          const out = arena.allocate(8 * width);
          arena.float64(out, width).fill(Number.NaN);
          sum.run(table, out, width, lanes);
          const values = arena[lanes](out, width);
          for (let k = 0; k < width; k++) {
            const expected = exactSum(used, rows, k);
            if (values[k] !== expected) expect.fail(`${k}: ${values[k]} (${lanes}) is not ${expected}`);
          }
        }
        arena.release(mark);
      }),
      { numRuns: 150 },
    );
  });

  it('stays in int32 for a mean of 100 rows at the end of their range', () => {
    const ones = new Array<number>(100).fill(1);
    expect(weightedSum(kernels, ones, 16).lanesFor(32_768)).to.equal('int32');
    expect(weightedSum(kernels, [2 ** 15 + 1, 2 ** 15 - 1], 16).lanesFor(32_768)).to.equal('float64');
  });
});
