import fc from 'fast-check';
import type { Kernels } from '../../../../protocol/kernels/kernelModule.ts';
import type { Lanes } from '../../../../protocol/kernels/orderStatistics.ts';

/** Rows of numbers that make trouble: ties, both ends of int16, one row apart from all others. */
export function arbitraryRows(
  rows: fc.Arbitrary<number>,
  width: fc.Arbitrary<number>,
  limit: number = 32_767,
): fc.Arbitrary<number[][]> {
  const value = fc.oneof(
    fc.integer({ min: -limit - 1, max: limit }),
    fc.integer({ min: -3, max: 3 }),
    fc.constantFrom(-limit - 1, -limit, limit, 0),
  );
  return fc.tuple(rows, width).chain(([n, d]) =>
    fc.oneof(
      fc.array(fc.array(value, { minLength: d, maxLength: d }), { minLength: n, maxLength: n }),
      // Cheap for many rows: one seed for all values, few of them distinct.
      fc.tuple(fc.integer(), fc.constantFrom(2, 5, 1000, 2 * limit + 2)).map(([seed, distinct]) => {
        let state = seed >>> 0;
        const next = () => {
          state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
          return Math.floor((state / 2 ** 32) * distinct) - Math.floor(distinct / 2);
        };
        return Array.from({ length: n }, () => Array.from({ length: d }, next));
      }),
    ),
  );
}

const BYTES = { int16: 2, int32: 4, float64: 8 } as const;

/** Puts the rows into the kernels' memory, each at its own place; returns the address of their table. */
export function placeRows({ arena }: Kernels, rows: readonly (readonly number[])[], lanes: Lanes): number {
  const addresses = rows.map((row) => arena.allocate(row.length * BYTES[lanes] + 16));
  rows.forEach((row, i) => {
    arena[lanes](addresses[i]!, row.length).set(row);
  });
  return arena.pointers(addresses);
}
