import { expect } from 'chai';
import fc from 'fast-check';
import { FED_AVG } from '../../../protocol/aggregation/serverStep.ts';
import { GramKernel } from '../../../protocol/kernels/gram.ts';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import { placeTotals, RowTotals, selectionMover, selectionOf } from '../../../protocol/kernels/rowTotals.ts';
import { serverStepKernel } from '../../../protocol/kernels/serverStep.ts';
import { placeRows } from './support/rows.ts';

const kernels = loadKernels();
const { arena } = kernels;

/** Row i, pseudo-random within +-limit of its own; now and then at its ends. */
function randomRow(length: number, limit: number, seed: number): number[] {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    if (state % 31 === 0) return limit === 32_768 ? -limit : limit;
    return Math.max(-limit, Math.min(Math.min(limit, 32_767), Math.round((state / 2 ** 31 - 1) * limit)));
  });
}

const sat = (x: bigint) => (x > 2n ** 31n - 1n ? 2n ** 31n - 1n : x < -(2n ** 31n) ? -(2n ** 31n) : x);

describe('totals of rows', () => {
  it('come with the Gram matrix: sums modulo 2^16, and bounds', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0, 5, 300, 9000, 32_768), { minLength: 1, maxLength: 9 }),
        fc.integer({ min: 1, max: 80 }),
        fc.nat(),
        (limits, sixteens, seed) => {
          const mark = arena.mark();
          const length = 16 * sixteens;
          const rows = limits.map((limit, i) => randomRow(length, limit, seed + 7 * i));
          const table = placeRows(kernels, rows, 'int16');
          const place = placeTotals(kernels, rows.length, length, 2);
          const totals = new RowTotals(kernels, rows.length, place);
          arena.bytes(place.bounds, 8 * rows.length).fill(0xff); // whatever was there before
          const plain = new GramKernel(kernels, rows.length).span(table, 0, length);
          totals.begin(1);
          const half = 16 * (sixteens >> 1);
          const gram = new GramKernel(kernels, rows.length);
          gram.begin();
          gram.add(table, 0, half, totals.of(1, 0));
          gram.add(table, 2 * half, length - half, totals.of(1, half));
          expect(gram.matrix()).to.deep.equal(plain);
          const { sums, largest } = totals.of(1, 0);
          const expected = Int16Array.from({ length }, (_, k) => rows.reduce((sum, row) => sum + row[k]!, 0));
          expect(arena.int16(sums, length)).to.deep.equal(expected);
          const squares = rows.map((row) =>
            row.reduce((most, q, k) => (k % 2 === 0 ? Math.max(most, q * q + row[k + 1]! ** 2) : most), 0),
          );
          expect([...new Uint32Array(arena.memory.buffer, largest, rows.length)]).to.deep.equal(squares);
          arena.release(mark);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('hold exactly as long as no sum of the rows that are taken leaves int16 by their bounds', () => {
    const holdsFor = (values: readonly number[], kept: readonly number[]) => {
      const mark = arena.mark();
      const rows = values.map((value) => [value, ...new Array<number>(15).fill(0)]);
      const totals = new RowTotals(kernels, rows.length, placeTotals(kernels, rows.length, 16, 1));
      totals.begin(0);
      new GramKernel(kernels, rows.length).span(placeRows(kernels, rows, 'int16'), 0, 16, totals.of(0, 0));
      const holds = totals.holds(0, kept);
      expect(totals.holds(1, kept), 'a block without totals').to.equal(false);
      arena.release(mark);
      return holds;
    };
    expect(holdsFor([16_384, 16_383, -32_768, 1], [0, 1])).to.equal(true);
    expect(holdsFor([16_384, 16_383, -32_768, 1], [0, 1, 3])).to.equal(false);
    expect(holdsFor([-32_768, 0, 0], [0])).to.equal(false);
    expect(holdsFor([-32_767, 0, 0], [0, 1])).to.equal(true);
  });

  it('are for rows that weigh one each, and where fewer are left out than taken', () => {
    expect(selectionOf([1, 1, 0, 1])).to.deep.equal({ kept: [0, 1, 3], left: [2] });
    expect(selectionOf([1, 1, 1])).to.deep.equal({ kept: [0, 1, 2], left: [] });
    for (const weights of [[1, 1, 0], [0, 0, 0], [1, 2, 1, 1], [1, -1, 1, 1, 1], []]) {
      expect(selectionOf(weights)).to.equal(null);
    }
  });

  it('move a model by the mean of the rows that are taken, to the last bit, whatever the others hold', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 60 }),
        fc.integer({ min: 0, max: 5 }),
        fc.constantFrom([24, 16] as const, [16, 16] as const, [30, 16] as const, [20, 15] as const),
        fc.integer({ min: 2, max: 1000 }),
        fc.nat(),
        (most, few, [modelFractionBits, updateFractionBits], more, seed) => {
          const mark = arena.mark();
          const length = 64;
          const left = Math.min(few, most - 2);
          const n = most + left;
          const weights = Array.from({ length: n }, (_, i) => (i % 2 === 1 && i < 2 * left ? 0 : 1));
          const limit = Math.floor(32_767 / (most * Math.SQRT2));
          const rows = weights.map((weight, i) => randomRow(length, weight === 1 ? limit : 32_768, seed + 13 * i));
          const ends = [2 ** 31 - 1, -(2 ** 31), 2 ** 30, -(2 ** 30), 2 ** 30 - 1, 0, 5, -5];
          const models = Int32Array.from({ length }, (_, k) =>
            // Sixteen within bounds, then some at the ends.
            k < 16 || k % 3 > 0 ? Math.round(Math.sin(seed + k) * 2 ** 29.9) : ends[(k + seed) % ends.length]!,
          );
          const denominator = seed % 3 === 0 ? more : most;
          const table = placeRows(kernels, rows, 'int16');
          const totals = new RowTotals(kernels, n, placeTotals(kernels, n, length, 1));
          totals.begin(0);
          new GramKernel(kernels, n).span(table, 0, length, totals.of(0, 0));
          const selection = selectionOf(weights);
          expect(selection?.left.length).to.equal(left);
          expect(totals.holds(0, selection!.kept)).to.equal(true);
          const numbers = { ...FED_AVG, modelFractionBits, updateFractionBits, chunkSize: 16 };
          const step = serverStepKernel(kernels, numbers);
          const model = arena.allocate(4 * length);
          arena.int32(model, length).set(models);
          selectionMover(kernels, selection!, step.plainMoveOfInt16(denominator)!)(
            totals.of(0, 0),
            table,
            model,
            length,
          );
          const scale = 2n ** BigInt(modelFractionBits - updateFractionBits);
          const expected = Int32Array.from({ length }, (_, k) => {
            const sum = selection!.kept.reduce((total, row) => total + rows[row]![k]!, 0);
            return Number(sat(BigInt(models[k]!) + (BigInt(sum) * scale) / BigInt(denominator)));
          });
          expect(arena.int32(model, length)).to.deep.equal(expected);
          arena.release(mark);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('divide any int16 by any number of rows', () => {
    const mark = arena.mark();
    const length = 2 ** 16;
    const sums = arena.allocate(2 * length);
    const model = arena.allocate(4 * length);
    const table = arena.pointers([sums]);
    const all = Int16Array.from({ length }, (_, k) => k - 2 ** 15);
    arena.int16(sums, length).set(all);
    for (const bits of [0, 8, 14]) {
      for (const denominator of [2, 3, 7, 16, 77, 100, 65_535]) {
        const numbers = { ...FED_AVG, modelFractionBits: 16 + bits, updateFractionBits: 16, chunkSize: 16 };
        const { back, factor } = serverStepKernel(kernels, numbers).plainMoveOfInt16(denominator)!;
        arena.bytes(model, 4 * length).fill(0);
        kernels.exports.fedAvgOfRest(sums, table, table, 0, model, length, back, factor);
        const expected = Int32Array.from(all, (q) => Math.trunc((q * 2 ** bits) / denominator));
        expect(arena.int32(model, length), `${bits} bits, over ${denominator}`).to.deep.equal(expected);
      }
    }
    arena.release(mark);
  });

  it('are not for steps that do more, or whose quotients need more bits', () => {
    const of = (numbers: object, denominator = 16) =>
      serverStepKernel(kernels, {
        ...{ ...FED_AVG, modelFractionBits: 24, updateFractionBits: 16, chunkSize: 16 },
        ...numbers,
      }).plainMoveOfInt16(denominator);
    expect(of({})).not.to.equal(null);
    expect(of({}, 1)).to.equal(null);
    expect(of({}, 2 ** 16)).to.equal(null);
    expect(of({ learningRateQ16: 1 })).to.equal(null);
    expect(of({ optimizer: 'fedAvgM' })).to.equal(null);
    expect(of({ modelFractionBits: 31 })).to.equal(null);
    expect(of({ modelFractionBits: 15 })).to.equal(null);
  });
});
