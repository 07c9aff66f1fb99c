/** One round computed anew from its updates by the protocol's own computation, block by block. */
import type { InnerProducts } from '../../protocol/aggregation/gram.ts';
import type { Mixing } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { stateVectors } from '../../protocol/aggregation/serverStep.ts';
import { gramPayloadLength } from '../../protocol/commitment/gramTree.ts';
import { modelPayloadLength } from '../../protocol/encoding/vectors.ts';
import type { RoundEngine } from '../../protocol/round/engine/roundEngine.ts';
import { type LearningParameters, layoutOf } from '../../protocol/round/parameters.ts';
import type { RoundRoots } from '../../protocol/round/publication.ts';
import type { ReadRange, RoundContext, RoundOptions, UpdateFacts, WriteNext } from '../../protocol/round/roundIo.ts';
import { runRound } from '../../protocol/round/runRound.ts';
import type { Payload } from '../payloads/payload.ts';
import type { Spool, Spools } from '../payloads/spool.ts';

export interface ReplayInput {
  readonly parameters: LearningParameters;
  /** What a rule may depend on besides numbers. */
  readonly context: RoundContext;
  /** The updates, in participant order. */
  readonly rows: readonly Payload[];
  readonly base: Payload;
  /** Server state before the round; null stands for zeros (or for a step without state). */
  readonly state: Payload | null;
  /** The model before the base model; null where there is none, or the rule does not look at it. */
  readonly previousModel: Payload | null;
}

export interface Replay {
  readonly roots: RoundRoots;
  readonly model: Payload;
  /** Null for a stateless step. */
  readonly state: Payload | null;
  /** Null for a rule without a Gram matrix. */
  readonly gram: InnerProducts | null;
  /** The leaves of the Gram tree, one after the other; null where there is no matrix. */
  readonly gramPayload: Payload | null;
  readonly mixing: Mixing | null;
  /** Per row, as the evidence document counts them; null where the rule trims none. */
  readonly trimmed: readonly number[] | null;
  /** What each row really commits to; null unless it was asked for. */
  readonly updates: readonly UpdateFacts[] | null;
}

/** What computes, and where its results go. */
export interface Replayer {
  readonly engine: RoundEngine;
  readonly spools: Spools;
}

/**
 * The model, the state and the leaves of the Gram tree are the caller's to release.
 * @throws AssayError when the rule is not defined for this number of rows.
 */
export async function replayRound(
  { engine, spools }: Replayer,
  input: ReplayInput,
  options: Pick<RoundOptions, 'commitUpdates' | 'mixing'> = {},
): Promise<Replay> {
  const { parameters, context, rows, base, state, previousModel } = input;
  const layout = layoutOf(parameters);
  const planes = stateVectors(parameters.serverStep);
  const length = modelPayloadLength(layout);
  const model = await spools.create(length);
  const nextState = planes === 0 ? null : await spools.create(planes * length);
  const gramPayload = await spools.create(gramPayloadLength(rows.length, layout.chunkCount));
  try {
    const result = await runRound(
      engine,
      parameters,
      context,
      {
        rows: rows.map(readerOf),
        rowFiles: rows.map((row) => row.fileRange ?? null),
        model: readerOf(base),
        state: state === null ? null : readerOf(state),
        previousModel: previousModel === null ? null : readerOf(previousModel),
        writeModel: writerOf(model),
        ...(nextState === null ? {} : { writeState: writerOf(nextState) }),
        writeGram: writerOf(gramPayload),
      },
      options,
    );
    const { roots, gram, mixing, trimmed, updates } = result;
    if (gram === null) await gramPayload.release();
    return {
      ...{ roots, model, state: nextState, mixing, trimmed, updates },
      ...(gram === null ? { gram, gramPayload: null } : { gram, gramPayload }),
    };
  } catch (error) {
    for (const spool of [model, nextState, gramPayload]) await spool?.release();
    throw error;
  }
}

/** What of a replay has to be released. */
export function payloadsOf({ model, state, gramPayload }: Replay): Payload[] {
  return [model, state, gramPayload].filter((payload) => payload !== null);
}

function readerOf(payload: Payload): ReadRange {
  return (offset, into) => payload.read(offset, into);
}

function writerOf(spool: Spool): WriteNext {
  return async (bytes) => {
    await spool.append(bytes);
  };
}
