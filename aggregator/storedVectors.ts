/** Vectors in the payload store, judged while they are read: memory is one block, whatever their size. */
import type { BulkHasher } from '../protocol/commitment/bulkHasher.ts';
import { ModelCommitter } from '../protocol/commitment/merkle.ts';
import { UpdateCommitter } from '../protocol/commitment/merkleSum.ts';
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
import type { UpdateFacts } from '../protocol/round/roundIo.ts';
import type { PayloadStore } from '../storage/payloadStore.ts';
import { payloadRange } from './payloadRange.ts';

const BLOCK_BYTES = 2 ** 20;

/** What a stored update commits to, and whether it is zero beyond its last coordinate. @throws as `payloadRange` */
export async function commitStoredUpdate(
  store: PayloadStore,
  cid: string,
  layout: VectorLayout,
  hasher: BulkHasher | null,
): Promise<UpdateFacts> {
  const committer = new UpdateCommitter(layout, hasher);
  let zeroPadded = true;
  await eachBlock(store, cid, layout.chunkSize * UPDATE_COORDINATE_BYTES, layout.chunkCount, (chunks, last) => {
    committer.appendChunks(chunks);
    if (last !== null) zeroPadded = isZeroPadded(viewInt16(last), layout);
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
  hasher: BulkHasher | null,
  planes = 1,
): Promise<void> {
  const committer = new ModelCommitter(layout, hasher);
  let zeroPadded = true;
  const chunkBytes = layout.chunkSize * MODEL_COORDINATE_BYTES;
  await eachBlock(store, cid, chunkBytes * planes, layout.chunkCount, (chunks, last) => {
    committer.appendChunks(viewInt32(chunks), planes);
    for (let plane = 0; last !== null && plane < planes; plane++) {
      const vector = viewInt32(last.subarray(plane * chunkBytes, (plane + 1) * chunkBytes));
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

/** `take` is given whole chunks, and the last of all chunks with the block that it ends. */
async function eachBlock(
  store: PayloadStore,
  cid: string,
  chunkBytes: number,
  count: number,
  take: (chunks: Uint8Array, last: Uint8Array | null) => void,
): Promise<void> {
  const range = payloadRange(store, cid);
  const block = new Uint8Array(Math.min(count, Math.max(1, Math.floor(BLOCK_BYTES / chunkBytes))) * chunkBytes);
  try {
    for (let first = 0; first < count; first += block.length / chunkBytes) {
      const chunks = Math.min(block.length / chunkBytes, count - first);
      const bytes = block.subarray(0, chunks * chunkBytes);
      await range.read(first * chunkBytes, bytes);
      take(bytes, first + chunks === count ? bytes.subarray(-chunkBytes) : null);
    }
  } finally {
    await range.close();
  }
}
