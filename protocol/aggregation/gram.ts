/**
 * The Gram matrix G = U U^T of the update rows, exact in 64-bit integers. Distances, cosines and norms all come from
 * it: |x - y|^2 = G[x][x] + G[y][y] - 2 G[x][y] without the cancellation that floats suffer on full weights.
 */

/** Inner products of n rows, of any size: sums of what somebody published need not fit in 64 bits. */
export interface InnerProducts {
  readonly n: number;
  /** Upper triangle, row-major: n(n+1)/2 inner products. */
  readonly values: ArrayLike<bigint>;
}

/** The Gram matrix of update rows. */
export interface Gram extends InnerProducts {
  readonly values: BigInt64Array;
}

/** Position of entry (i, j) in the packed upper triangle. */
export function gramIndex(n: number, i: number, j: number): number {
  const row = Math.min(i, j);
  const column = Math.max(i, j);
  return row * n - (row * (row - 1)) / 2 + (column - row);
}

/** G[i][j], in either order. */
export function gramEntry(gram: InnerProducts, i: number, j: number): bigint {
  return gram.values[gramIndex(gram.n, i, j)]!;
}

/** Squared Euclidean distance of rows i and j. */
export function squaredDistance(gram: InnerProducts, i: number, j: number): bigint {
  return gramEntry(gram, i, i) + gramEntry(gram, j, j) - 2n * gramEntry(gram, i, j);
}

/**
 * Adds the inner products of one chunk of every row to `values`. Shape of `rows`: n x K, K <= 2^12, so an inner product
 * of int16 stays below 2^42 and is exact as a number; the totals are 64-bit (d < 2^33).
 */
export function addGramChunk(values: BigInt64Array, rows: readonly Int16Array[]): void {
  let entry = 0;
  for (let i = 0; i < rows.length; i++) {
    const x = rows[i]!;
    for (let j = i; j < rows.length; j++) {
      const y = rows[j]!;
      let product = 0;
      for (let k = 0; k < x.length; k++) product += x[k]! * y[k]!;
      values[entry] = values[entry]! + BigInt(product);
      entry++;
    }
  }
}

/** The Gram matrix of whole rows. Shape of `rows`: [n, d]. */
export function gramOfRows(rows: readonly Int16Array[]): Gram {
  const n = rows.length;
  const values = new BigInt64Array((n * (n + 1)) / 2);
  const d = rows[0]?.length ?? 0;
  for (let start = 0; start < d; start += 4096) {
    addGramChunk(
      values,
      rows.map((row) => row.subarray(start, start + 4096)),
    );
  }
  return { n, values };
}
