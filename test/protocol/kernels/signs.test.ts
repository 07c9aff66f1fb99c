import { expect } from 'chai';
import fc from 'fast-check';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import { countSigns } from '../../../protocol/kernels/signs.ts';

const kernels = loadKernels();
const { arena } = kernels;

function withRow<T>(row: Int16Array, use: (data: number) => T): T {
  const mark = arena.mark();
  const data = arena.allocate(row.byteLength);
  arena.int16(data, row.length).set(row);
  const result = use(data);
  arena.release(mark);
  return result;
}

describe('kernels of signs', () => {
  const row = fc
    .array(fc.constantFrom(-32768, -32767, -1, 0, 0, 1, 300, 32767), { minLength: 3, maxLength: 19 })
    .chain((pattern) =>
      fc
        .integer({ min: 1, max: 300 })
        .map((blocks) => Int16Array.from({ length: 16 * blocks }, (_, k) => pattern[k % pattern.length]!)),
    );

  it('count positive, zero and negative coordinates', () => {
    fc.assert(
      fc.property(row, (data) => {
        const count = (is: (q: number) => boolean) => data.filter(is).length;
        const got = withRow(data, (pointer) => countSigns(kernels, pointer, data.length, arena.allocate(12)));
        expect(got).to.deep.equal({
          positive: count((q) => q > 0),
          zero: count((q) => q === 0),
          negative: count((q) => q < 0),
        });
      }),
      { numRuns: 60 },
    );
  });

  it('count further than 16-bit counters reach', () => {
    const data = new Int16Array(8 * 70_000).fill(5).fill(0, 0, 3);
    const got = withRow(data, (pointer) => countSigns(kernels, pointer, data.length, arena.allocate(12)));
    expect(got).to.deep.equal({ positive: 560_000 - 3, zero: 3, negative: 0 });
  });

  it('find the largest magnitude, 32768 included', () => {
    fc.assert(
      fc.property(row, (data) => {
        const got = withRow(data, (pointer) => kernels.exports.largestMagnitude(pointer, data.length));
        expect(got).to.equal(Math.max(...data.map((q) => Math.abs(q)), ...(data.includes(-32768) ? [32768] : [])));
      }),
      { numRuns: 60 },
    );
  });
});
