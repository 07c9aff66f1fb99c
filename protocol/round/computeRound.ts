/** A whole round in memory: for tests, small models and anyone who wants to see the computation in one place. */

import { historyChunk } from '../aggregation/history.ts';
import type { Mixing } from '../aggregation/preAggregation/mixing.ts';
import { usesHistory } from '../aggregation/rule.ts';
import { stateVectors } from '../aggregation/serverStep.ts';
import { concatBytes } from '../encoding/bytes.ts';
import { decodeModel, encodeModel, encodeUpdate, viewInt16, viewInt32 } from '../encoding/vectors.ts';
import type { LearningParameters } from './parameters.ts';
import type { RoundRoots } from './publication.ts';
import { plainContext, RoundComputation } from './roundComputation.ts';
import type { RoundContext } from './roundIo.ts';

export interface ComputedRound extends RoundRoots {
  readonly model: Int32Array;
  /** The server's state as it is stored: [chunkCount * stateVectors * K], chunk after chunk; null for a stateless step. */
  readonly state: Int32Array | null;
  /** The Gram tree's leaves (`gramPayloadLength`); null for a rule without a Gram matrix. */
  readonly gramPayload: Uint8Array | null;
  readonly mixing: Mixing | null;
}

export interface RoundInputs {
  /** Null or none: a state of zeros, as before round 1. Not changed. */
  readonly state?: Int32Array | null;
  /** None: participants 0 to n - 1 and a seed of zeros. */
  readonly context?: RoundContext;
  /** Shape [d]: what the round that made `model` started from; null or none: `model` is the genesis model. */
  readonly previousModel?: Int32Array | null;
}

/**
 * Shapes: `rows` [n, d] in participant order, `model` [d].
 * @throws AssayError when the rule is not defined for n rows or a shape is wrong.
 */
export function computeRound(
  parameters: LearningParameters,
  rows: readonly Int16Array[],
  model: Int32Array,
  { state = null, context = plainContext(rows.length), previousModel = null }: RoundInputs = {},
): ComputedRound {
  const spans: Uint8Array[] = [];
  const computation = new RoundComputation(parameters, context, (matrix) => spans.push(matrix));
  const { layout } = computation;
  const { chunkSize, chunkCount } = layout;
  const planes = stateVectors(parameters.serverStep);
  const next = viewInt32(encodeModel(model, layout));
  const nextState = planes === 0 ? null : (state?.slice() ?? new Int32Array(chunkCount * planes * chunkSize));
  const padded = rows.map((row) => viewInt16(encodeUpdate(row, layout)));
  if (usesHistory(parameters.rule)) {
    const previous = previousModel === null ? null : viewInt32(encodeModel(previousModel, layout));
    padded.push(historyChunk(next, previous, parameters));
  }
  const chunkOf = (c: number) => padded.map((row) => row.subarray(c * chunkSize, (c + 1) * chunkSize));
  if (computation.needsGramPass) {
    for (let c = 0; c < chunkCount; c++) computation.addGramChunk(chunkOf(c));
  }
  for (let c = 0; c < chunkCount; c++) {
    computation.combineChunk(
      chunkOf(c),
      next.subarray(c * chunkSize, (c + 1) * chunkSize),
      nextState?.subarray(c * planes * chunkSize, (c + 1) * planes * chunkSize) ?? null,
    );
  }
  return {
    ...computation.finish(),
    model: decodeModel(new Uint8Array(next.buffer), layout),
    state: nextState,
    gramPayload: computation.needsGramPass ? concatBytes(...spans) : null,
    mixing: computation.needsGramPass ? computation.mixing() : null,
  };
}
