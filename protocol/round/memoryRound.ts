/** A round whose vectors are in memory, through the streaming computation: small models, simulations, tests. */
import { hasServerState, statePayloadLength } from '../aggregation/serverStep.ts';
import { concatBytes } from '../encoding/bytes.ts';
import { modelPayloadLength } from '../encoding/vectors.ts';
import type { RoundEngine } from './engine/roundEngine.ts';
import { type LearningParameters, layoutOf } from './parameters.ts';
import type { ReadRange, RoundContext, RoundOptions, RoundResult, WriteNext } from './roundIo.ts';
import { runRound } from './runRound.ts';

/** Encoded vectors: whole chunks, padded with zeros (`encodeUpdate`, `encodeModel`). */
export interface MemoryRound {
  readonly rows: readonly Uint8Array[];
  readonly model: Uint8Array;
  readonly state?: Uint8Array | null;
  readonly previousModel?: Uint8Array | null;
}

export interface MemoryResult extends RoundResult {
  readonly model: Uint8Array;
  /** Null for a stateless step. */
  readonly state: Uint8Array | null;
  /** Null for a rule without a Gram matrix. */
  readonly gramPayload: Uint8Array | null;
}

/** @throws as `runRound` */
export async function runRoundInMemory(
  engine: RoundEngine,
  parameters: LearningParameters,
  context: RoundContext,
  round: MemoryRound,
  options: RoundOptions = {},
): Promise<MemoryResult> {
  const layout = layoutOf(parameters);
  const { serverStep } = parameters;
  const model = new Uint8Array(modelPayloadLength(layout));
  const state = hasServerState(serverStep) ? new Uint8Array(statePayloadLength(layout, serverStep)) : null;
  const spans: Uint8Array[] = [];
  const result = await runRound(
    engine,
    parameters,
    context,
    {
      rows: round.rows.map(readMemory),
      model: readMemory(round.model),
      state: round.state == null ? null : readMemory(round.state),
      previousModel: round.previousModel == null ? null : readMemory(round.previousModel),
      writeModel: writeMemory(model),
      ...(state === null ? {} : { writeState: writeMemory(state) }),
      writeGram: (bytes) => {
        spans.push(bytes.slice());
      },
    },
    options,
  );
  return { ...result, model, state, gramPayload: result.gram === null ? null : concatBytes(...spans) };
}

/** Reads ranges of `vector`. */
export function readMemory(vector: Uint8Array): ReadRange {
  return (byteOffset, into) => {
    into.set(vector.subarray(byteOffset, byteOffset + into.length));
  };
}

/** Fills `vector` from its beginning. @throws RangeError when more comes than it holds */
function writeMemory(vector: Uint8Array): WriteNext {
  let filled = 0;
  return (bytes) => {
    vector.set(bytes, filled);
    filled += bytes.length;
  };
}
