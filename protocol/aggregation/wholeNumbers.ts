/** What Math does for numbers and nobody for big integers. */

/**
 * floor(sqrt(value)), exact. Zero for anything below one: callers pass squares, and a published "square" may be a lie.
 */
export function isqrt(value: bigint): bigint {
  if (value < 1n) return 0n;
  const start = BigInt(Math.floor(Math.sqrt(Number(value))));
  // Below 2^52 the correctly rounded root of a float64 cannot reach the next whole number.
  if (value < 2n ** 52n) return start;
  // One Newton step from any positive start lands at or above the root; from there they descend to it.
  let root = (start + value / start) >> 1n;
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** For `sort`. */
export function ascending(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Of at least one value. */
export function greatest(...values: readonly bigint[]): bigint {
  return values.reduce((most, value) => {
    if (value > most) return value;
    return most;
  });
}

/** Of at least one value. */
export function least(...values: readonly bigint[]): bigint {
  return values.reduce((lowest, value) => {
    if (value < lowest) return value;
    return lowest;
  });
}

export function total(values: readonly bigint[]): bigint {
  return values.reduce((sum, value) => sum + value, 0n);
}
