import { type ServerStep, stateVectors } from '../../../protocol/aggregation/serverStep.ts';
import { ModelCommitter } from '../../../protocol/commitment/merkle.ts';
import { payloadChunks } from '../../../protocol/commitment/merkleSum.ts';
import type { Hex } from '../../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../../protocol/encoding/layout.ts';
import { viewInt32 } from '../../../protocol/encoding/vectors.ts';

/** The root of a server state in its stored form: as a model's, over chunks of stateVectors * K int32. */
export function commitState(state: Uint8Array, layout: VectorLayout, step: ServerStep): Hex {
  const committer = new ModelCommitter(layout);
  for (const chunk of payloadChunks(state, 4 * layout.chunkSize * stateVectors(step))) {
    committer.append(viewInt32(chunk));
  }
  return committer.finish();
}
