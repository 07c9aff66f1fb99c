/**
 * Computes one round from stored payloads: rows stream in chunk by chunk, the next model streams out, so memory is n
 * chunks whatever the model's size.
 */
import { PassThrough } from 'node:stream';
import { hasServerState } from '../protocol/aggregation/serverStep.ts';
import {
  countTrimmed,
  EQUAL_SHARE_Q16,
  keptWeightsQ16,
  trimSampleSize,
  trimSampleStride,
} from '../protocol/aggregation/trimming.ts';
import {
  bytesOf,
  MODEL_COORDINATE_BYTES,
  UPDATE_COORDINATE_BYTES,
  viewInt16,
  viewInt32,
} from '../protocol/encoding/vectors.ts';
import type { LearningParameters } from '../protocol/round/parameters.ts';
import type { RoundRoots } from '../protocol/round/publication.ts';
import { RoundComputation } from '../protocol/round/roundComputation.ts';
import type { PayloadStore } from '../storage/payloadStore.ts';
import { ChunkReader } from './chunkReader.ts';

export interface Metrics {
  readonly accuracy: number;
  /** Mean cross-entropy, in nats. */
  readonly loss: number;
  readonly samples: number;
}

export interface RoundInput {
  /** CIDs of the update payloads, in row order. */
  readonly rows: readonly string[];
  /** CID of the base model's payload. */
  readonly model: string;
  /** CID of the server state's payload; null before the first round, when it is zero. */
  readonly velocity: string | null;
}

export interface AggregatedRound {
  readonly roots: RoundRoots;
  readonly modelCid: string;
  /** CID of the server state's payload; null for a stateless step. */
  readonly stateCid: string | null;
  /** CID of the Gram tree's leaves; null for a rule without a Gram matrix. */
  readonly gramCid: string | null;
  readonly computation: RoundComputation;
  /** Per row, the counted coordinates at which it was trimmed; null where the rule trims none. */
  readonly trimmed: readonly number[] | null;
  /** Per update, its weight in the aggregate, 1 being an equal share; null where the rule trims none. */
  readonly weights: readonly number[] | null;
}

/** All payloads must be in `store`. @throws AssayError when a payload on the disk no longer has its CID. */
export async function aggregateRound(
  parameters: LearningParameters,
  store: PayloadStore,
  input: RoundInput,
): Promise<AggregatedRound> {
  const spans: Uint8Array[] = [];
  const computation = new RoundComputation(parameters, input.rows.length, (span) => spans.push(span));
  const { layout, needsGramPass } = computation;
  const { byzantine, combine } = parameters.rule;
  const openRows = () =>
    input.rows.map((cid) => new ChunkReader(store.read(cid), layout.chunkSize * UPDATE_COORDINATE_BYTES));

  async function* gramSpans(): AsyncGenerator<Uint8Array> {
    const rows = openRows();
    try {
      for (let chunk = 0; chunk < layout.chunkCount; chunk++) {
        computation.addGramChunk(await nextRows(rows));
        yield* spans.splice(0);
      }
      computation.mixing(); // closes the last span
      yield* spans.splice(0);
    } finally {
      await closeAll(rows);
    }
  }
  const gram = needsGramPass ? await store.put(gramSpans()) : null;

  const counts = combine === 'trimmedMean' ? input.rows.map(() => 0) : null;
  const stride = trimSampleStride(layout.chunkCount);
  const stateful = hasServerState(parameters.serverStep);
  const stateStream = new PassThrough();
  stateStream.on('error', () => undefined); // its put says so, or has failed already
  async function* nextModel(): AsyncGenerator<Uint8Array> {
    const rows = openRows();
    const modelBytes = layout.chunkSize * MODEL_COORDINATE_BYTES;
    const base = new ChunkReader(store.read(input.model), modelBytes);
    const state = input.velocity === null ? null : new ChunkReader(store.read(input.velocity), modelBytes);
    try {
      for (let chunk = 0; chunk < layout.chunkCount; chunk++) {
        const model = viewInt32(await base.next());
        const velocity = stateful ? viewInt32((await state?.next()) ?? new Uint8Array(modelBytes)) : null;
        const combined = computation.combineChunk(await nextRows(rows), model, velocity);
        if (counts !== null && chunk % stride === 0) countTrimmed(counts, combined, byzantine);
        if (velocity !== null && !stateStream.write(bytesOf(velocity))) {
          if (!stateStream.destroyed) await drainedOrClosed(stateStream); // one that has closed will not say so again
          if (stateStream.destroyed) throw new Error('the server state could not be stored'); // and why, its put says
        }
        yield bytesOf(model);
      }
      stateStream.end();
    } catch (error) {
      if (stateful) stateStream.destroy(error as Error); // else the other payload would wait for its end for ever
      throw error;
    } finally {
      await closeAll(state === null ? [...rows, base] : [...rows, base, state]);
    }
  }
  // Whichever of the two cannot be stored, the other must not wait for it for ever.
  const [model, state] = await Promise.all([
    store.put(nextModel()).finally(() => {
      if (!stateStream.writableEnded) stateStream.destroy(new Error('the model could not be stored'));
    }),
    stateful ? store.put(stateStream).finally(() => stateStream.destroy()) : null,
  ]);
  const sampled = trimSampleSize(layout.chunkCount, layout.chunkSize);
  const mixing = needsGramPass ? computation.mixing() : null;
  return {
    roots: computation.finish(),
    modelCid: model.cid,
    stateCid: state?.cid ?? null,
    gramCid: gram?.cid ?? null,
    computation,
    trimmed: counts,
    weights:
      counts === null
        ? null
        : keptWeightsQ16(counts, sampled, mixing, input.rows.length).map((w) => w / EQUAL_SHARE_Q16),
  };
}

/** Resolves when there is room again, or when nobody will make any. */
function drainedOrClosed(stream: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}

async function nextRows(readers: readonly ChunkReader[]): Promise<Int16Array[]> {
  const chunks = await Promise.all(readers.map((reader) => reader.next()));
  return chunks.map(viewInt16);
}

async function closeAll(readers: readonly ChunkReader[]): Promise<void> {
  await Promise.all(readers.map((reader) => reader.close()));
}
