import { readFileSync } from 'node:fs';
import { fromHex, type Hex } from '../../../protocol/encoding/bytes.ts';

/** The files of test/vectors as their README describes them. */
export function loadVectors<Case, Refused = never>(
  name: string,
): { cases: Case[]; refused: Refused[]; refusedByLayout: Refused[] } {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), 'utf8'));
}

export interface SumProofVector {
  readonly index: number;
  readonly chunk: Hex;
  readonly pathHashes: Hex[];
  readonly pathSums: string[];
}

export function sumPath({ pathHashes, pathSums }: SumProofVector): { hash: Uint8Array; sum: bigint }[] {
  return pathHashes.map((hash, i) => ({ hash: fromHex(hash), sum: BigInt(pathSums[i]!) }));
}
