/** A whole round in memory: for tests, small models and anyone who wants to see the computation in one place. */
import type { Mixing } from '../aggregation/preAggregation/mixing.ts';
import { concatBytes } from '../encoding/bytes.ts';
import { decodeModel, encodeModel, encodeUpdate, viewInt16, viewInt32 } from '../encoding/vectors.ts';
import type { LearningParameters } from './parameters.ts';
import type { RoundRoots } from './publication.ts';
import { RoundComputation } from './roundComputation.ts';

export interface ComputedRound extends RoundRoots {
  readonly model: Int32Array;
  /** The server's velocity; null for a stateless step. */
  readonly velocity: Int32Array | null;
  /** The Gram tree's leaves (`gramPayloadLength`); null for a rule without a Gram matrix. */
  readonly gramPayload: Uint8Array | null;
  readonly mixing: Mixing | null;
}

/**
 * Shapes: `rows` [n, d] in participant order, `model` and `velocity` [d].
 * @throws AssayError when the rule is not defined for n rows or a shape is wrong.
 */
export function computeRound(
  parameters: LearningParameters,
  rows: readonly Int16Array[],
  model: Int32Array,
  velocity: Int32Array | null,
): ComputedRound {
  const spans: Uint8Array[] = [];
  const computation = new RoundComputation(parameters, rows.length, (matrix) => spans.push(matrix));
  const { layout } = computation;
  const { chunkSize, chunkCount } = layout;
  const paddedRows = rows.map((row) => viewInt16(encodeUpdate(row, layout)));
  const modelBytes = encodeModel(model, layout);
  const velocityBytes = velocity === null ? null : encodeModel(velocity, layout);
  const chunkOf = (c: number) => paddedRows.map((row) => row.subarray(c * chunkSize, (c + 1) * chunkSize));
  if (computation.needsGramPass) {
    for (let c = 0; c < chunkCount; c++) computation.addGramChunk(chunkOf(c));
  }
  for (let c = 0; c < chunkCount; c++) {
    const slice = (bytes: Uint8Array) => viewInt32(bytes).subarray(c * chunkSize, (c + 1) * chunkSize);
    computation.combineChunk(chunkOf(c), slice(modelBytes), velocityBytes === null ? null : slice(velocityBytes));
  }
  return {
    ...computation.finish(),
    model: decodeModel(modelBytes, layout),
    velocity: velocityBytes === null ? null : decodeModel(velocityBytes, layout),
    gramPayload: computation.needsGramPass ? concatBytes(...spans) : null,
    mixing: computation.needsGramPass ? computation.mixing() : null,
  };
}
