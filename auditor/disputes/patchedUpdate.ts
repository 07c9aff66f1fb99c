/** A payload put together from what was served under its CID and what was answered on the chain. */
import type { UpdateCommitment } from '../../protocol/commitment/merkleSum.ts';
import { type Answers, nextUpdateChunk } from '../../protocol/dispute/descend.ts';
import { updateTree } from '../../protocol/dispute/trees.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import { updatePayloadLength } from '../../protocol/encoding/vectors.ts';
import { chunksOfPayload, type Payload, patchedPayload, zeroPayload } from '../payloads/payload.ts';

/**
 * The bytes that were committed to; null while some are not known. `served` null: nothing was. What is underneath stays
 * its owner's to release.
 */
export async function patchedUpdate(
  layout: VectorLayout,
  commitment: UpdateCommitment,
  served: Payload | null,
  answers: Answers,
): Promise<Payload | null> {
  if (answers.size === 0) return null;
  const payload = served ?? zeroPayload(updatePayloadLength(layout));
  const chunkBytes = 2 * layout.chunkSize;
  const known = await updateTree(chunksOfPayload(payload, chunkBytes), layout);
  const next = nextUpdateChunk(layout, commitment, known, answers);
  if (next.kind !== 'known') return null;
  const patches = next.differing.map((chunk) => [chunk, answers.get(chunk)!.subarray(0, chunkBytes)] as const);
  return patchedPayload(payload, chunkBytes, new Map(patches));
}
