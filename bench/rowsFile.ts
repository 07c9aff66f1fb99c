/**
 * The rows that are measured: one file of n padded payloads, one after the other, so that every process works on the
 * same numbers. Gaussian updates about a common direction, the last f of them its opposite; a root mean square of 300
 * units is an update of L2 norm 4.6 over a million parameters at 16 fraction bits.
 */
import { open } from 'node:fs/promises';
import { vectorLayout } from '../protocol/encoding/layout.ts';
import { bytesOf } from '../protocol/encoding/vectors.ts';

export interface RowsShape {
  readonly n: number;
  readonly dimension: number;
  /** Participants that send the opposite. */
  readonly byzantine: number;
  /** Standard deviation of a coordinate in units of the updates. */
  readonly spread: number;
}

/** Bytes of a row in the file. */
export function rowBytes(dimension: number): number {
  const { chunkCount, chunkSize } = vectorLayout(dimension);
  return 2 * chunkCount * chunkSize;
}

const NORMALS = 2 ** 16;

export async function writeRows(path: string, { n, dimension, byzantine, spread }: RowsShape): Promise<void> {
  const next = xorshift(n * 7919 + dimension);
  const normals = Float32Array.from({ length: NORMALS }, () => {
    const [u, v] = [(next() + 1) / 2 ** 32, next() / 2 ** 32];
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  });
  const common = Int16Array.from({ length: dimension }, () => normals[next() % NORMALS]! * spread * 0.5);
  const row = new Int16Array(rowBytes(dimension) / 2);
  const file = await open(path, 'w');
  for (let i = 0; i < n; i++) {
    const sign = i < n - byzantine ? 1 : -1;
    for (let k = 0; k < dimension; k++) {
      const value = sign * common[k]! + normals[next() & (NORMALS - 1)]! * spread * 0.866;
      row[k] = Math.max(-32_767, Math.min(32_767, value));
    }
    await file.write(bytesOf(row));
  }
  await file.close();
}

/** 32-bit xorshift. */
function xorshift(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
