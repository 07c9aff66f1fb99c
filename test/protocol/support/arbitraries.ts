import fc from 'fast-check';

/** Few runs by default so that the suite stays quick; ASSAY_FUZZ_RUNS asks for more. */
export function runs(byDefault: number): { numRuns: number } {
  const asked = Number(process.env.ASSAY_FUZZ_RUNS);
  return { numRuns: asked > 0 ? asked : byDefault };
}

/** int16 values of three kinds: tiny ones (many ties), ordinary ones, and all up to the extremes. */
export const coordinate: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: -2, max: 2 }),
  fc.integer({ min: -3000, max: 3000 }),
  fc.integer({ min: -32768, max: 32767 }),
  fc.constantFrom(-32768, -32767, 32767),
);

export const int32: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.constantFrom(-(2 ** 31), 2 ** 31 - 1),
);

export const chunkSize: fc.Arbitrary<number> = fc.constantFrom(16, 32, 64);

export function update(d: number, value: fc.Arbitrary<number> = coordinate): fc.Arbitrary<Int16Array> {
  return fc.array(value, { minLength: d, maxLength: d }).map((values) => Int16Array.from(values));
}

/** Shape [n, d]. */
export function rowsOf(n: number, d: number, value: fc.Arbitrary<number> = coordinate): fc.Arbitrary<Int16Array[]> {
  return fc.array(update(d, value), { minLength: n, maxLength: n });
}
