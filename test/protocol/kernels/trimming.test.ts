import { expect } from 'chai';
import fc from 'fast-check';
import { countTrimmed } from '../../../protocol/aggregation/trimming.ts';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import { countTrimmedRows } from '../../../protocol/kernels/trimming.ts';
import { arbitraryRows, placeRows } from './support/rows.ts';

const kernels = loadKernels();

describe('countTrimmedRows', () => {
  it('counts what the reference counts, in all lanes', () => {
    const rows = arbitraryRows(fc.integer({ min: 1, max: 30 }), fc.constantFrom(16, 32));
    fc.assert(
      fc.property(rows, fc.nat(), fc.constantFrom('int16', 'int32', 'float64'), (values, any, lanes) => {
        const { arena } = kernels;
        const mark = arena.mark();
        const m = values.length;
        const f = any % Math.ceil(m / 2);
        const expected = values.map(() => 5);
        countTrimmed(
          expected,
          values.map((row) => Int32Array.from(row)),
          f,
        );
        const table = placeRows(kernels, values, lanes);
        const counts = arena.allocate(4 * m);
        arena.int32(counts, m).fill(5);
        countTrimmedRows(kernels, lanes, table, m, f, values[0]!.length, counts);
        expect([...arena.int32(counts, m)]).to.deep.equal(expected);
        arena.release(mark);
      }),
      { numRuns: 200 },
    );
  });
});
