/** Coordinate-wise statistics of the updates an attacker knows. Shapes: `rows` [h][d], results [d]; sums in doubles. */

export function meanOf(rows: readonly Float32Array[]): Float32Array {
  const sums = new Float64Array(rows[0]!.length);
  for (const row of rows) for (let k = 0; k < sums.length; k++) sums[k]! += row[k]!;
  return Float32Array.from(sums, (sum) => sum / rows.length);
}

/** Standard deviation with h - 1 in the denominator (the definition of ALIE's authors' code); zeros for one row. */
export function deviationOf(rows: readonly Float32Array[], mean: Float32Array): Float32Array {
  const sums = new Float64Array(mean.length);
  for (const row of rows) for (let k = 0; k < sums.length; k++) sums[k]! += (row[k]! - mean[k]!) ** 2;
  return Float32Array.from(sums, (sum) => Math.sqrt(sum / Math.max(1, rows.length - 1)));
}

/** `start + factor * direction`. */
export function stepAlong(start: Float32Array, factor: number, direction: Float32Array): Float32Array {
  const result = new Float32Array(start.length);
  for (let k = 0; k < result.length; k++) result[k] = start[k]! + factor * direction[k]!;
  return result;
}

/** Inner product, summed in doubles. */
export function innerProduct(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
  return sum;
}

/** Squared Euclidean distance, summed in doubles. */
export function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k]! - b[k]!) ** 2;
  return sum;
}

/**
 * What a lone attacker takes for the honest updates: its own and the last published step, which is their mean one round
 * ago; in the first round its own alone.
 */
export function knownUpdates(update: Float32Array, lastStep: Float32Array | null): Float32Array[] {
  return lastStep === null ? [update] : [update, lastStep];
}
