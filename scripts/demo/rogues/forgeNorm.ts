/**
 * An update far beyond any norm bound that passes it: one chunk is filled with huge coordinates, and its leaf claims the
 * sum of squares that the chunk had before. Every node above adds up, and the contract, which sees root and norm only,
 * accepts both. The bytes of that one leaf contradict it: protocol/dispute/badSum.ts.
 */
import { sha256 } from '#sha256';
import { createRandom } from '../../../client/random.ts';
import {
  merkleSumKind,
  payloadChunks,
  sumLeafPreimage,
  type UpdateCommitment,
  updateLeaf,
} from '../../../protocol/commitment/merkleSum.ts';
import { PerfectTreeBuilder } from '../../../protocol/commitment/perfectTree.ts';
import { toHex } from '../../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../../protocol/encoding/layout.ts';
import { viewInt16 } from '../../../protocol/encoding/vectors.ts';

/** 256 such coordinates have norm 7.3 in units of weights; the models here are held to 3. */
const HUGE = 30_000;

export interface ForgedUpdate extends UpdateCommitment {
  readonly payload: Uint8Array;
}

/** @param honest an encoded update of small norm; it stays as it is */
export function forgeNorm(honest: Uint8Array, layout: VectorLayout, seed: string): ForgedUpdate {
  const random = createRandom(seed, 'chunk');
  // The last chunk may be padded, and padding must be zero.
  const forged = random.nextInt(Math.max(1, layout.chunkCount - 1));
  const chunkBytes = 2 * layout.chunkSize;
  const payload = honest.slice();
  const within = Math.min(layout.chunkSize, layout.dimension - forged * layout.chunkSize);
  const coordinates = viewInt16(payload.subarray(forged * chunkBytes, (forged + 1) * chunkBytes));
  for (let i = 0; i < within; i++) coordinates[i] = random.nextInt(2) === 0 ? HUGE : -HUGE;

  const before = [...payloadChunks(honest, chunkBytes)].map(updateLeaf);
  const tree = new PerfectTreeBuilder(merkleSumKind, layout.depth);
  [...payloadChunks(payload, chunkBytes)].forEach((chunk, index) => {
    const { sum } = before[index]!;
    tree.append(index === forged ? { hash: sha256(sumLeafPreimage(sum, chunk)), sum } : updateLeaf(chunk));
  });
  const { hash, sum } = tree.finish();
  return { payload, root: toHex(hash), normSq: sum };
}
