/**
 * What a published model should be, judged by the published server state: asked only when the state is wrong already,
 * so that one lie stays one finding (and because the contract's fraud proofs judge in the same way).
 */
import { modelFromState } from '../../protocol/aggregation/serverStep.ts';
import { merkleKind, modelLeaf } from '../../protocol/commitment/merkle.ts';
import { PerfectTreeBuilder } from '../../protocol/commitment/perfectTree.ts';
import { type Hex, toHex } from '../../protocol/encoding/bytes.ts';
import { viewInt32 } from '../../protocol/encoding/vectors.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { chunksOfPayload, type Payload } from '../payloads/payload.ts';
import type { ReplayInput } from './replayRound.ts';

/** Root of the model that `state` leads to from the base model. */
export async function rootFromState({ parameters, base }: ReplayInput, state: Payload): Promise<Hex> {
  const layout = layoutOf(parameters);
  const modelBytes = 4 * layout.chunkSize;
  const stateChunk = chunksOfPayload(state, state.length / layout.chunkCount);
  const modelChunk = chunksOfPayload(base, modelBytes);
  const tree = new PerfectTreeBuilder(merkleKind, layout.depth);
  for (let chunk = 0; chunk < layout.chunkCount; chunk++) {
    const model = (await modelChunk(chunk)).slice();
    modelFromState(parameters.serverStep, viewInt32(model), viewInt32(await stateChunk(chunk)), parameters);
    tree.append(modelLeaf(model));
  }
  return toHex(tree.finish());
}
