/**
 * A mixing matrix W: m integer rows over the n updates with one common denominator. Row r of the mixed matrix is
 * (sum over i of W[r][i] * U[i]) / denominator; the division waits for the server step.
 */
import { sha256 } from '#sha256';
import { type Hex, toHex } from '../../encoding/bytes.ts';

export interface Mixing {
  /** m: rows after mixing. */
  readonly rows: number;
  /** n: updates. */
  readonly columns: number;
  /** Shape [m, n], row-major, entries 0 <= W <= denominator whose row sums are the denominator. */
  readonly weights: Int32Array;
  readonly denominator: number;
}

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
 * Numerators of the mixed rows for one chunk. Shape of `rows`: n x K, result m x K. A row sums at most 100 weighted
 * int16 and its weights sum to the denominator <= 100, so |numerator| <= 100 * 2^15 < 2^22: int32 holds it.
 */
export function mixChunk(mixing: Mixing, rows: readonly Int16Array[]): Int32Array[] {
  const width = rows[0]?.length ?? 0;
  return Array.from({ length: mixing.rows }, (_, r) => {
    const mixed = new Int32Array(width);
    for (let i = 0; i < mixing.columns; i++) {
      const weight = mixing.weights[r * mixing.columns + i]!;
      if (weight === 0) continue;
      const row = rows[i]!;
      for (let k = 0; k < width; k++) mixed[k] = mixed[k]! + weight * row[k]!;
    }
    return mixed;
  });
}
