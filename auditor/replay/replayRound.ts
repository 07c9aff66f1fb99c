/**
 * One round computed anew from its updates: the protocol's own state machine, driven chunk by chunk. Pure, so it runs
 * in this thread or in a worker alike.
 */

import type { Mixing } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { stateVectors } from '../../protocol/aggregation/serverStep.ts';
import { countTrimmed, trimSampleStride } from '../../protocol/aggregation/trimming.ts';
import type { LearningParameters } from '../../protocol/round/parameters.ts';
import type { RoundRoots } from '../../protocol/round/publication.ts';
import { RoundComputation } from '../../protocol/round/roundComputation.ts';
import type { RoundContext } from '../../protocol/round/roundIo.ts';

/** All vectors are padded to whole chunks. */
export interface ReplayInput {
  readonly parameters: LearningParameters;
  readonly context: RoundContext;
  /** Shape [n, chunkCount * K], in participant order. */
  readonly rows: readonly Int16Array[];
  readonly base: Int32Array;
  /** Server state before the round; null stands for zeros (or for a step without state). */
  readonly velocity: Int32Array | null;
}

export interface Replay {
  readonly roots: RoundRoots;
  readonly model: Int32Array;
  readonly velocity: Int32Array | null;
  /** Upper triangle, row-major; null for a rule without a Gram matrix. */
  readonly gram: BigInt64Array | null;
  readonly mixing: Mixing | null;
  /** Per row, as the evidence document counts them; null where the rule trims none. */
  readonly trimmed: readonly number[] | null;
}

/** @throws AssayError when the rule is not defined for this number of rows. */
export function replayRound({ parameters, context, rows, base, velocity }: ReplayInput): Replay {
  const computation = new RoundComputation(parameters, context);
  const { chunkCount, chunkSize } = computation.layout;
  const nextModel = base.slice();
  const planes = stateVectors(parameters.serverStep);
  const nextVelocity = planes > 0 ? (velocity?.slice() ?? new Int32Array(planes * base.length)) : null;
  const trimmed = parameters.rule.combine === 'trimmedMean' ? rows.map(() => 0) : null;
  const stride = trimSampleStride(chunkCount);
  const chunkOfRows = (chunk: number) => rows.map((row) => row.subarray(chunk * chunkSize, (chunk + 1) * chunkSize));

  if (computation.needsGramPass) {
    for (let chunk = 0; chunk < chunkCount; chunk++) computation.addGramChunk(chunkOfRows(chunk));
  }
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    const slice = (vector: Int32Array) => vector.subarray(chunk * chunkSize, (chunk + 1) * chunkSize);
    const combined = computation.combineChunk(
      chunkOfRows(chunk),
      slice(nextModel),
      nextVelocity?.subarray(chunk * planes * chunkSize, (chunk + 1) * planes * chunkSize) ?? null,
    );
    if (trimmed !== null && chunk % stride === 0) countTrimmed(trimmed, combined, parameters.rule.byzantine);
  }
  return {
    roots: computation.finish(),
    model: nextModel,
    velocity: nextVelocity,
    gram: computation.needsGramPass ? computation.gram().values : null,
    mixing: computation.needsGramPass ? computation.mixing() : null,
    trimmed,
  };
}
