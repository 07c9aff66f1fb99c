/**
 * A mixing matrix W: m integer rows over the n updates with one common denominator. Row r of the mixed matrix is
 * (sum over i of W[r][i] * U[i]) / denominator; the division waits for the server step.
 *
 * Bounds that keep every later number exact: the entries of a row are, without their signs, at most MAX_ROW_WEIGHT
 * together, and so is the denominator. A mixed int16 row stays below 2^44, the sum of 100 of them below 2^51.
 */
import { sha256 } from '#sha256';
import { type Hex, toHex } from '../../encoding/bytes.ts';
import { gramEntry, type InnerProducts } from '../gram.ts';

export interface Mixing {
  /** m: rows after mixing. */
  readonly rows: number;
  /** n: updates; one more when the rule mixes the history row, which is the last. */
  readonly columns: number;
  /** Shape [m, n], row-major. */
  readonly weights: Int32Array;
  readonly denominator: number;
}

/** A row as it is combined: int16 without mixing, int32 or (where weights are large) integers in float64 with it. */
export type CombinedRow = Int16Array | Int32Array | Float64Array;

/** 1.0 of weights that are no counts: clip factors, Weiszfeld's and cosines' weights. */
export const WEIGHT_ONE = 2 ** 14;
export const MAX_ROW_WEIGHT = 2 ** 29;
/** Rows whose weights are together at most this mix int16 into int32. */
const NARROW_ROW_WEIGHT = 2 ** 15;

const MIXING_TAG = 0x20;

/** What `publishRound` names: H(0x20 | u16 m | u16 n | u32 denominator | i32 weights...), all big-endian. */
export function mixingHash(mixing: Mixing): Hex {
  return toHex(sha256(mixingPreimage(mixing)));
}

/** What that is the hash of. */
export function mixingPreimage(mixing: Mixing): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(9 + 4 * mixing.weights.length));
  bytes.setUint8(0, MIXING_TAG);
  bytes.setUint16(1, mixing.rows);
  bytes.setUint16(3, mixing.columns);
  bytes.setUint32(5, mixing.denominator);
  mixing.weights.forEach((weight, i) => {
    bytes.setInt32(9 + 4 * i, weight);
  });
  return new Uint8Array(bytes.buffer);
}

/**
 * The mixing matrix of weights of any size. When a row's weights or the denominator exceed MAX_ROW_WEIGHT, all of them
 * are divided, truncating toward zero, by the smallest power of two that makes them fit (the denominator stays at least
 * 1): every row is rounded alike, by less than n parts in 2^29. docs/decisions/0018.
 *
 * @param weights shape [rows, columns], row-major
 */
export function boundedMixing(rows: number, columns: number, weights: readonly bigint[], denominator: bigint): Mixing {
  let most = denominator;
  for (let r = 0; r < rows; r++) {
    let sum = 0n;
    for (let i = 0; i < columns; i++) sum += magnitude(weights[r * columns + i]!);
    if (sum > most) most = sum;
  }
  let divisor = 1n;
  while (most / divisor > BigInt(MAX_ROW_WEIGHT)) divisor *= 2n;
  const scaled = denominator / divisor;
  return {
    rows,
    columns,
    weights: Int32Array.from(weights, (weight) => Number(weight / divisor)),
    denominator: scaled === 0n ? 1 : Number(scaled),
  };
}

/** `second` after `first`: the product of the matrices, bounded. Columns of `second` are rows of `first`. */
export function composeMixing(second: Mixing, first: Mixing): Mixing {
  const products: bigint[] = [];
  for (let r = 0; r < second.rows; r++) {
    const row = new Array<bigint>(first.columns).fill(0n);
    for (let j = 0; j < second.columns; j++) {
      const outer = second.weights[r * second.columns + j]!;
      if (outer === 0) continue;
      for (let i = 0; i < first.columns; i++) {
        const inner = first.weights[j * first.columns + i]!;
        // |outer * inner| < 2^58 may not be exact as a number
        if (inner !== 0) row[i] = row[i]! + BigInt(outer) * BigInt(inner);
      }
    }
    products.push(...row);
  }
  return boundedMixing(second.rows, first.columns, products, BigInt(second.denominator) * BigInt(first.denominator));
}

/** The same mixing with one more row and column at the end: a row that passes through as it is. */
export function withPassingRow({ rows, columns, weights, denominator }: Mixing): Mixing {
  const passed = new Int32Array((rows + 1) * (columns + 1));
  for (let r = 0; r < rows; r++) passed.set(weights.subarray(r * columns, (r + 1) * columns), r * (columns + 1));
  passed[passed.length - 1] = denominator;
  return { rows: rows + 1, columns: columns + 1, weights: passed, denominator };
}

/** W G W^T: the inner products of the mixed rows times the square of the denominator. Exact. */
export function mixGram({ rows, columns, weights }: Mixing, gram: InnerProducts): InnerProducts {
  const entries = Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_unused, i) => BigInt(weights[r * columns + i]!)),
  );
  const nonZero = entries.map((row) => row.flatMap((weight, i) => (weight === 0n ? [] : [{ weight, i }])));
  const values: bigint[] = [];
  for (let r = 0; r < rows; r++) {
    const image = Array.from({ length: columns }, (_, j) =>
      nonZero[r]!.reduce((sum, { weight, i }) => sum + weight * gramEntry(gram, i, j), 0n),
    );
    for (let t = r; t < rows; t++) {
      values.push(nonZero[t]!.reduce((sum, { weight, i }) => sum + weight * image[i]!, 0n));
    }
  }
  return { n: rows, values };
}

/** Whether the mixed rows of int16 fit int32. */
export function isNarrow({ rows, columns, weights }: Mixing): boolean {
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let i = 0; i < columns; i++) sum += Math.abs(weights[r * columns + i]!);
    if (sum > NARROW_ROW_WEIGHT) return false;
  }
  return true;
}

/**
 * Numerators of the mixed rows for one chunk. Shape of `rows`: n x K, result m x K: int32 when the mixing is narrow
 * (|numerator| <= 2^15 * 2^15), else float64 (<= 2^29 * 2^15).
 */
export function mixChunk(mixing: Mixing, rows: readonly Int16Array[]): (Int32Array | Float64Array)[] {
  const width = rows[0]?.length ?? 0;
  const Row = isNarrow(mixing) ? Int32Array : Float64Array;
  return Array.from({ length: mixing.rows }, (_, r) => {
    const mixed = new Row(width);
    for (let i = 0; i < mixing.columns; i++) {
      const weight = mixing.weights[r * mixing.columns + i]!;
      if (weight === 0) continue;
      const row = rows[i]!;
      for (let k = 0; k < width; k++) mixed[k] = mixed[k]! + weight * row[k]!;
    }
    return mixed;
  });
}

function magnitude(x: bigint): bigint {
  return x < 0n ? -x : x;
}
