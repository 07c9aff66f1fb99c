import { expect } from 'chai';
import fc from 'fast-check';
import { gramOfRows } from '../../../protocol/aggregation/gram.ts';
import { GramKernel } from '../../../protocol/kernels/gram.ts';
import { type Kernels, loadKernels } from '../../../protocol/kernels/kernelModule.ts';

const kernels = loadKernels();

/** The kernel's matrix of rows that lie `offset` coordinates into longer ones. */
function spanOf({ arena }: Kernels, rows: readonly Int16Array[], offset = 0): BigInt64Array {
  const mark = arena.mark();
  const length = rows[0]!.length;
  const addresses = rows.map(() => arena.allocate(2 * (offset + length + 16)));
  const gram = new GramKernel(kernels, rows.length);
  const table = arena.pointers(addresses);
  rows.forEach((row, i) => {
    arena
      .int16(addresses[i]!, offset + length + 16)
      .fill(-32768)
      .set(row, offset);
  });
  const span = gram.span(table, 2 * offset, length);
  arena.release(mark);
  return span;
}

/** Rows of one length; which values they take decides which way the kernel goes. */
const values = fc.oneof(
  fc.integer({ min: -300, max: 300 }), // norms settle it
  fc.integer({ min: -9000, max: 9000 }), // short strips do
  fc.integer({ min: -32768, max: 32767 }), // by two products
  fc.constantFrom(-32768, 32767), // every product is at its extreme
  fc.constantFrom(-32768),
);

const manyRows = fc
  .record({ n: fc.integer({ min: 1, max: 11 }), blocks: fc.integer({ min: 1, max: 90 }), seed: fc.integer() })
  .chain(({ n, blocks, seed }) =>
    fc.tuple(...Array.from({ length: n }, () => fc.array(values, { minLength: 5, maxLength: 12 }))).map((patterns) =>
      patterns.map((pattern, i) =>
        // A pattern of values with a period that no strip has, each row in its own order.
        Int16Array.from({ length: 16 * blocks }, (_, k) => pattern[(k * (i + 1) + (seed >>> i)) % pattern.length]!),
      ),
    ),
  );

describe('kernel gramSpan', () => {
  it('gives the integers of the plain reference', () => {
    fc.assert(
      fc.property(manyRows, fc.integer({ min: 0, max: 3 }), (rows, shift) => {
        expect(spanOf(kernels, rows, 16 * shift)).to.deep.equal(gramOfRows(rows).values);
      }),
      { numRuns: 150 },
    );
  });

  it('holds what no 32-bit lane can: -32768 against -32768', () => {
    for (const n of [1, 2, 3, 7]) {
      const rows = Array.from({ length: n }, () => new Int16Array(4096).fill(-32768));
      expect(spanOf(kernels, rows).every((product) => product === 2n ** 42n)).to.equal(true);
    }
  });

  it('tells one row of extremes among small ones from all of them', () => {
    const small = Int16Array.from({ length: 2048 }, (_, k) => (k % 61) - 30);
    const huge = Int16Array.from({ length: 2048 }, (_, k) => (k % 3 === 0 ? -32768 : 32767));
    for (const rows of [
      [small, huge, small, small, small],
      [small, huge, huge, small, huge],
    ]) {
      expect(spanOf(kernels, rows)).to.deep.equal(gramOfRows(rows).values);
    }
  });

  it('is exact at the edge of what norms prove', () => {
    // |x|^2 |y|^2 just below and just above 2^62 over one strip of 1024, x.y at +-|x||y|.
    for (const value of [1447, 1448, 1449, 1450]) {
      const row = new Int16Array(1024).fill(value);
      const rows = [row, row.map((q) => -q), row, row, row.map((q) => -q), row];
      expect(spanOf(kernels, rows)).to.deep.equal(gramOfRows(rows).values);
    }
  });
});
