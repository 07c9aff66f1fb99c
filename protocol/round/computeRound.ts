/**
 * A whole round in memory, in one place: what `runRound` must find block by block, whatever engine computes. For tests,
 * small models and anyone who wants to read it.
 */

import { combineChunk, ruleDenominator } from '../aggregation/combine/combineChunk.ts';
import { type Gram, gramOfRows } from '../aggregation/gram.ts';
import { historyChunk } from '../aggregation/history.ts';
import { type Mixing, mixChunk, mixingHash } from '../aggregation/preAggregation/mixing.ts';
import { preAggregate, type SignCounts } from '../aggregation/preAggregation/preAggregate.ts';
import { checkRowCount, needsGram, needsSigns, usesHistory } from '../aggregation/rule.ts';
import { stateVectors, stepChunk } from '../aggregation/serverStep.ts';
import { countTrimmed, trimSampleStride } from '../aggregation/trimming.ts';
import { GRAM_SPAN, GramCommitter } from '../commitment/gramTree.ts';
import { ModelCommitter } from '../commitment/merkle.ts';
import { concatBytes, type Hex, ZERO_HASH } from '../encoding/bytes.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { decodeModel, encodeModel, encodeUpdate, viewInt16, viewInt32 } from '../encoding/vectors.ts';
import { AssayError } from '../errors.ts';
import { type LearningParameters, layoutOf } from './parameters.ts';
import type { RoundRoots } from './publication.ts';
import { plainContext, type RoundContext } from './roundIo.ts';

export interface ComputedRound extends RoundRoots {
  readonly model: Int32Array;
  /** The server's state as it is stored: [chunkCount * stateVectors * K], chunk after chunk; null for a stateless step. */
  readonly state: Int32Array | null;
  /** Null for a rule without a Gram matrix, as are its payload (the tree's leaves) and the mixing. */
  readonly gram: Gram | null;
  readonly gramPayload: Uint8Array | null;
  readonly mixing: Mixing | null;
  /** Per combined row, the counted coordinates at which it was trimmed (aggregation/trimming.ts); null where none is. */
  readonly trimmed: readonly number[] | null;
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
 * @throws AssayError `TOO_FEW_UPDATES`, `VECTOR_LENGTH`, `STATE_LENGTH`
 */
export function computeRound(
  parameters: LearningParameters,
  rows: readonly Int16Array[],
  model: Int32Array,
  { state = null, context = plainContext(rows.length), previousModel = null }: RoundInputs = {},
): ComputedRound {
  const { rule, serverStep, dimension } = parameters;
  checkRowCount(rule, rows.length);
  const layout = layoutOf(parameters);
  const { chunkSize, chunkCount } = layout;
  const nextModel = viewInt32(encodeModel(model, layout));
  const planes = stateVectors(serverStep);
  const nextState = stateBefore(state, planes, layout);
  const mixed = rows.map((row) => viewInt16(encodeUpdate(row, layout)));
  if (usesHistory(rule)) {
    const previous = previousModel === null ? null : viewInt32(encodeModel(previousModel, layout));
    mixed.push(historyChunk(nextModel, previous, parameters));
  }

  const { gram, gramRoot, gramPayload } = needsGram(rule)
    ? commitGram(mixed, layout)
    : { gram: null, gramRoot: ZERO_HASH, gramPayload: null };
  const signs = needsSigns(rule) ? rows.map(countSigns) : null;
  const mixing = gram === null ? null : preAggregate(rule, gram, { ...context, signs, dimension });

  const trimmed = rule.combine === 'trimmedMean' ? new Array<number>(mixing?.rows ?? rows.length).fill(0) : null;
  const modelTree = new ModelCommitter(layout);
  const stateTree = new ModelCommitter(layout);
  for (let c = 0; c < chunkCount; c++) {
    const chunk = mixed.map((row) => row.subarray(c * chunkSize, (c + 1) * chunkSize));
    const combined = mixing === null ? chunk : mixChunk(mixing, chunk);
    if (trimmed !== null && c % trimSampleStride(chunkCount) === 0) countTrimmed(trimmed, combined, rule.byzantine);
    const numerators = combineChunk(rule.combine, rule.byzantine, combined);
    const denominator = ruleDenominator(rule, chunk.length, mixing);
    const modelChunk = nextModel.subarray(c * chunkSize, (c + 1) * chunkSize);
    const stateChunk = nextState?.subarray(c * planes * chunkSize, (c + 1) * planes * chunkSize) ?? null;
    stepChunk(serverStep, modelChunk, stateChunk, numerators, denominator, parameters);
    modelTree.append(modelChunk);
    if (stateChunk !== null) stateTree.append(stateChunk);
  }
  return {
    modelRoot: modelTree.finish(),
    stateRoot: nextState === null ? ZERO_HASH : stateTree.finish(),
    gramRoot,
    mixingHash: mixing === null ? ZERO_HASH : mixingHash(mixing),
    model: decodeModel(new Uint8Array(nextModel.buffer), layout),
    ...{ state: nextState, gram, gramPayload, mixing, trimmed },
  };
}

function stateBefore(state: Int32Array | null, planes: number, { chunkCount, chunkSize }: VectorLayout) {
  if (planes === 0 && state === null) return null;
  const length = planes * chunkCount * chunkSize;
  if (state !== null && (state.length !== length || planes === 0)) {
    throw new AssayError('STATE_LENGTH', {
      summary: 'this is not a state of the server step',
      expected: planes === 0 ? 'no state' : `${planes} x ${chunkCount * chunkSize} numbers`,
      received: String(state.length),
    });
  }
  return state?.slice() ?? new Int32Array(length);
}

/** The matrix and its tree. Shape of `rows`: [n, chunkCount * K]. */
function commitGram(
  rows: readonly Int16Array[],
  { chunkCount, chunkSize }: VectorLayout,
): { readonly gram: Gram; readonly gramRoot: Hex; readonly gramPayload: Uint8Array } {
  const committer = new GramCommitter(rows.length, chunkCount);
  const payload: Uint8Array[] = [];
  const width = GRAM_SPAN * chunkSize;
  for (let start = 0; start < chunkCount * chunkSize; start += width) {
    payload.push(committer.appendSpan(gramOfRows(rows.map((row) => row.subarray(start, start + width))).values));
  }
  const { gramRoot, matrix } = committer.finish();
  return { gram: { n: rows.length, values: matrix }, gramRoot, gramPayload: concatBytes(...payload) };
}

/** Shape of `row`: [d], no padding. */
function countSigns(row: Int16Array): SignCounts {
  let positive = 0;
  let negative = 0;
  for (const q of row) {
    if (q > 0) positive++;
    else if (q < 0) negative++;
  }
  return { positive, zero: row.length - positive - negative, negative };
}
