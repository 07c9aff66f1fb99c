/** The commitments that a payload's bytes really have, in one pass over it. */
import { merkleKind, modelLeaf } from '../../protocol/commitment/merkle.ts';
import { UpdateCommitter } from '../../protocol/commitment/merkleSum.ts';
import { PerfectTreeBuilder } from '../../protocol/commitment/perfectTree.ts';
import { type Hex, toHex } from '../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import { isZeroPadded, viewInt16 } from '../../protocol/encoding/vectors.ts';
import type { UpdateFacts } from '../../protocol/round/roundIo.ts';
import { type Payload, windows } from './payload.ts';

/** Root of a model, or of a server state of `planes` vectors, padded to whole chunks. */
export async function vectorRoot(payload: Payload, layout: VectorLayout, planes = 1): Promise<Hex> {
  const tree = new PerfectTreeBuilder(merkleKind, layout.depth);
  const leafBytes = 4 * planes * layout.chunkSize;
  for await (const { bytes } of windows(payload, leafBytes)) {
    for (let at = 0; at < bytes.length; at += leafBytes) tree.append(modelLeaf(bytes.subarray(at, at + leafBytes)));
  }
  return toHex(tree.finish());
}

/** What an update commits to. */
export async function updateFacts(payload: Payload, layout: VectorLayout): Promise<UpdateFacts> {
  const committer = new UpdateCommitter(layout);
  const leafBytes = 2 * layout.chunkSize;
  let zeroPadded = true;
  for await (const { offset, bytes } of windows(payload, leafBytes)) {
    for (let at = 0; at < bytes.length; at += leafBytes) committer.append(bytes.subarray(at, at + leafBytes));
    if (offset + bytes.length < payload.length) continue;
    zeroPadded = isZeroPadded(viewInt16(bytes.subarray(bytes.length - leafBytes)), layout);
  }
  return { ...committer.finish(), zeroPadded };
}
