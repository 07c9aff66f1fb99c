/** A payload put together from what was served under its CID and what was answered on the chain. */
import type { UpdateCommitment } from '../../protocol/commitment/merkleSum.ts';
import { type Answers, nextUpdateChunk } from '../../protocol/dispute/descend.ts';
import { chunksOf, updateTree } from '../../protocol/dispute/trees.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import { updatePayloadLength } from '../../protocol/encoding/vectors.ts';

/** The bytes that were committed to; null while some are not known. `served` null: nothing was. */
export async function patchedUpdate(
  layout: VectorLayout,
  commitment: UpdateCommitment,
  served: Uint8Array | null,
  answers: Answers,
): Promise<Uint8Array | null> {
  if (answers.size === 0) return null;
  const bytes = served?.slice() ?? new Uint8Array(updatePayloadLength(layout));
  const chunkBytes = 2 * layout.chunkSize;
  const next = nextUpdateChunk(layout, commitment, await updateTree(chunksOf(bytes, chunkBytes), layout), answers);
  if (next.kind !== 'known') return null;
  for (const chunk of next.differing) bytes.set(answers.get(chunk)!.subarray(0, chunkBytes), chunk * chunkBytes);
  return bytes;
}
