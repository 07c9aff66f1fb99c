/** Vectors in the payload store, judged while they are read: memory is one block, whatever their size. */
import { ModelCommitter } from '../protocol/commitment/merkle.ts';
import { type UpdateCommitment, UpdateCommitter } from '../protocol/commitment/merkleSum.ts';
import type { Hex } from '../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../protocol/encoding/layout.ts';
import {
  isZeroPadded,
  MODEL_COORDINATE_BYTES,
  UPDATE_COORDINATE_BYTES,
  viewInt16,
  viewInt32,
} from '../protocol/encoding/vectors.ts';
import { AssayError } from '../protocol/errors.ts';
import type { PayloadStore } from '../storage/payloadStore.ts';
import { payloadRange } from './payloadRange.ts';

const BLOCK_BYTES = 2 ** 20;

/** What a stored update commits to, and whether it is zero beyond its last coordinate. @throws as `payloadRange` */
export async function commitStoredUpdate(
  store: PayloadStore,
  cid: string,
  layout: VectorLayout,
): Promise<UpdateCommitment & { readonly zeroPadded: boolean }> {
  const committer = new UpdateCommitter(layout);
  let zeroPadded = true;
  await eachChunk(store, cid, layout.chunkSize * UPDATE_COORDINATE_BYTES, layout.chunkCount, (chunk, isLast) => {
    committer.append(chunk);
    if (isLast) zeroPadded = isZeroPadded(viewInt16(chunk), layout);
  });
  return { ...committer.finish(), zeroPadded };
}

/**
 * Refuses a stored model snapshot, or a server state of `planes` vectors, that is not the one the chain names.
 * @throws AssayError `PAYLOAD_PADDING`, or `MODEL_ROOT` when CID and root disagree: whoever published it stored other
 * bytes than it committed to.
 */
export async function verifyStoredModel(
  store: PayloadStore,
  cid: string,
  layout: VectorLayout,
  root: Hex,
  planes = 1,
): Promise<void> {
  const committer = new ModelCommitter(layout);
  let zeroPadded = true;
  const chunkBytes = layout.chunkSize * MODEL_COORDINATE_BYTES;
  await eachChunk(store, cid, chunkBytes * planes, layout.chunkCount, (chunk, isLast) => {
    committer.append(viewInt32(chunk));
    for (let plane = 0; isLast && plane < planes; plane++) {
      const vector = viewInt32(chunk.subarray(plane * chunkBytes, (plane + 1) * chunkBytes));
      zeroPadded &&= isZeroPadded(vector, layout);
    }
  });
  const received = committer.finish();
  if (received === root && zeroPadded) return;
  throw new AssayError(zeroPadded ? 'MODEL_ROOT' : 'PAYLOAD_PADDING', {
    summary: zeroPadded
      ? 'the model stored under the published CID is not the model of the published root'
      : 'a published model or state is not zero beyond its last coordinate',
    expected: `root ${root}`,
    received: `root ${received}`,
    fix: 'do not build on it; audit the round that published it with `assay audit`',
  });
}

async function eachChunk(
  store: PayloadStore,
  cid: string,
  chunkBytes: number,
  count: number,
  take: (chunk: Uint8Array, isLast: boolean) => void,
): Promise<void> {
  const range = payloadRange(store, cid);
  const block = new Uint8Array(Math.min(count, Math.max(1, Math.floor(BLOCK_BYTES / chunkBytes))) * chunkBytes);
  try {
    for (let first = 0; first < count; first += block.length / chunkBytes) {
      const chunks = Math.min(block.length / chunkBytes, count - first);
      await range.read(first * chunkBytes, block.subarray(0, chunks * chunkBytes));
      for (let c = 0; c < chunks; c++) {
        take(block.subarray(c * chunkBytes, (c + 1) * chunkBytes), first + c === count - 1);
      }
    }
  } finally {
    await range.close();
  }
}
