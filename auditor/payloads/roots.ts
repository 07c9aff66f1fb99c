/** The commitments that a payload's bytes really have, in one pass over it. `hasher`: see `RoundEngine.hasher`. */
import type { BulkHasher } from '../../protocol/commitment/bulkHasher.ts';
import { ModelCommitter } from '../../protocol/commitment/merkle.ts';
import { UpdateCommitter } from '../../protocol/commitment/merkleSum.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import {
  isZeroPadded,
  MODEL_COORDINATE_BYTES,
  UPDATE_COORDINATE_BYTES,
  viewInt16,
  viewInt32,
} from '../../protocol/encoding/vectors.ts';
import type { UpdateFacts } from '../../protocol/round/roundIo.ts';
import { type Payload, windows } from './payload.ts';

/** Root of a model, or of a server state of `planes` vectors, padded to whole chunks. */
export async function vectorRoot(
  payload: Payload,
  layout: VectorLayout,
  hasher: BulkHasher | null,
  planes = 1,
): Promise<Hex> {
  const committer = new ModelCommitter(layout, hasher);
  const leafBytes = MODEL_COORDINATE_BYTES * planes * layout.chunkSize;
  for await (const { bytes } of windows(payload, leafBytes)) committer.appendChunks(viewInt32(bytes), planes);
  return committer.finish();
}

/** What an update commits to. */
export async function updateFacts(
  payload: Payload,
  layout: VectorLayout,
  hasher: BulkHasher | null,
): Promise<UpdateFacts> {
  const committer = new UpdateCommitter(layout, hasher);
  const leafBytes = UPDATE_COORDINATE_BYTES * layout.chunkSize;
  let zeroPadded = true;
  for await (const { offset, bytes } of windows(payload, leafBytes)) {
    committer.appendChunks(bytes);
    if (offset + bytes.length < payload.length) continue;
    zeroPadded = isZeroPadded(viewInt16(bytes.subarray(bytes.length - leafBytes)), layout);
  }
  return { ...committer.finish(), zeroPadded };
}
