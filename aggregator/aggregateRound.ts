/**
 * Computes one round from stored payloads: rows stream in, the next model, the server state and the Gram payload stream
 * out, so memory is a few blocks of n rows whatever the model's size.
 */

import type { Gram } from '../protocol/aggregation/gram.ts';
import type { Mixing } from '../protocol/aggregation/preAggregation/mixing.ts';
import { needsGram } from '../protocol/aggregation/rule.ts';
import { hasServerState } from '../protocol/aggregation/serverStep.ts';
import { EQUAL_SHARE_Q16, keptWeightsQ16, trimSampleSize } from '../protocol/aggregation/trimming.ts';
import type { RoundEngine } from '../protocol/round/engine/roundEngine.ts';
import { type LearningParameters, layoutOf } from '../protocol/round/parameters.ts';
import type { RoundRoots } from '../protocol/round/publication.ts';
import type { RoundContext } from '../protocol/round/roundIo.ts';
import { runRound } from '../protocol/round/runRound.ts';
import type { PayloadStore } from '../storage/payloadStore.ts';
import { type PayloadRange, payloadRange } from './payloadRange.ts';
import { StoredStream } from './storedStream.ts';

export interface Metrics {
  readonly accuracy: number;
  /** Mean cross-entropy, in nats. */
  readonly loss: number;
  readonly samples: number;
}

export interface RoundInput extends RoundContext {
  /** CIDs of the update payloads, in row order. */
  readonly rows: readonly string[];
  /** CID of the base model's payload. */
  readonly model: string;
  /** CID of the server state's payload; null before the first round, when it is zero. */
  readonly state: string | null;
  /** CID of the model before the base model, for a rule with a history row; null where there is none. */
  readonly previousModel: string | null;
}

export interface AggregatedRound {
  readonly roots: RoundRoots;
  readonly modelCid: string;
  /** CID of the server state's payload; null for a stateless step. */
  readonly stateCid: string | null;
  /** CID of the Gram tree's leaves; null for a rule without a Gram matrix. */
  readonly gramCid: string | null;
  readonly gram: Gram | null;
  readonly mixing: Mixing | null;
  /** Per row, the counted coordinates at which it was trimmed; null where the rule trims none. */
  readonly trimmed: readonly number[] | null;
  /** Per update, its weight in the aggregate, 1 being an equal share; null where the rule trims none. */
  readonly weights: readonly number[] | null;
}

/** All payloads must be in `store`. @throws AssayError when a payload on the disk no longer has its CID. */
export async function aggregateRound(
  engine: RoundEngine,
  parameters: LearningParameters,
  store: PayloadStore,
  input: RoundInput,
): Promise<AggregatedRound> {
  const open: PayloadRange[] = [];
  const read = (cid: string) => {
    const range = payloadRange(store, cid);
    open.push(range);
    return range.read;
  };
  const model = new StoredStream(store);
  const state = hasServerState(parameters.serverStep) ? new StoredStream(store) : null;
  const gram = needsGram(parameters.rule) ? new StoredStream(store) : null;
  const streams = [model, state, gram].filter((stream) => stream !== null);
  try {
    const result = await runRound(engine, parameters, input, {
      rows: input.rows.map(read),
      model: read(input.model),
      state: input.state === null ? null : read(input.state),
      previousModel: input.previousModel === null ? null : read(input.previousModel),
      writeModel: model.write,
      ...(state === null ? {} : { writeState: state.write }),
      ...(gram === null ? {} : { writeGram: gram.write }),
    });
    const [modelStored, stateStored, gramStored] = await Promise.all([model, state, gram].map((s) => s?.finish()));
    const { chunkCount, chunkSize } = layoutOf(parameters);
    const sampled = trimSampleSize(chunkCount, chunkSize);
    const { roots, mixing, trimmed } = result;
    return {
      roots,
      modelCid: modelStored!.cid,
      stateCid: stateStored?.cid ?? null,
      gramCid: gramStored?.cid ?? null,
      gram: result.gram,
      mixing,
      trimmed,
      weights:
        trimmed === null
          ? null
          : keptWeightsQ16(trimmed, sampled, mixing, input.rows.length).map((weight) => weight / EQUAL_SHARE_Q16),
    };
  } catch (error) {
    await Promise.all(streams.map((stream) => stream.abort()));
    throw error;
  } finally {
    await Promise.all(open.map((range) => range.close()));
  }
}
