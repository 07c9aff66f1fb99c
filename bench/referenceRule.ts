/** A rule by itself in plain TypeScript: the reference that the kernels are held to, over the same rows. */
import { combineChunk, ruleDenominator } from '../protocol/aggregation/combine/combineChunk.ts';
import { addGramChunk } from '../protocol/aggregation/gram.ts';
import { historyChunk } from '../protocol/aggregation/history.ts';
import { type Mixing, mixChunk } from '../protocol/aggregation/preAggregation/mixing.ts';
import { preAggregate } from '../protocol/aggregation/preAggregation/preAggregate.ts';
import { needsGram, needsSigns, usesHistory } from '../protocol/aggregation/rule.ts';
import { stepChunk } from '../protocol/aggregation/serverStep.ts';
import type { LearningParameters } from '../protocol/round/parameters.ts';
import type { RoundContext } from '../protocol/round/roundIo.ts';

/** Replaces `model` by the next one. `rows` and `model` are padded to whole chunks. */
export function applyReferenceRule(
  rows: readonly Int16Array[],
  model: Int32Array,
  parameters: LearningParameters,
  context: RoundContext,
): Mixing | null {
  const { rule, serverStep, chunkSize } = parameters;
  const all = usesHistory(rule) ? [...rows, historyChunk(model, null, parameters)] : rows;
  const chunks = model.length / chunkSize;
  const chunkOf = (chunk: number) => all.map((row) => row.subarray(chunk * chunkSize, (chunk + 1) * chunkSize));
  const mixing = needsGram(rule) ? mixingOf(rows, all.length, chunks, chunkOf, parameters, context) : null;
  const denominator = ruleDenominator(rule, all.length, mixing);
  for (let chunk = 0; chunk < chunks; chunk++) {
    const mixed = mixing === null ? chunkOf(chunk) : mixChunk(mixing, chunkOf(chunk));
    const numerators = combineChunk(rule.combine, rule.byzantine, mixed);
    const part = model.subarray(chunk * chunkSize, (chunk + 1) * chunkSize);
    stepChunk(serverStep, part, null, numerators, denominator, parameters);
  }
  return mixing;
}

function mixingOf(
  rows: readonly Int16Array[],
  n: number,
  chunks: number,
  chunkOf: (chunk: number) => readonly Int16Array[],
  { rule, dimension }: LearningParameters,
  context: RoundContext,
): Mixing {
  const values = new BigInt64Array((n * (n + 1)) / 2);
  for (let chunk = 0; chunk < chunks; chunk++) addGramChunk(values, chunkOf(chunk));
  const signs = rows.map((row) => {
    let [positive, negative] = [0, 0];
    if (needsSigns(rule)) {
      for (const value of row) {
        if (value > 0) positive++;
        else if (value < 0) negative++;
      }
    }
    return { positive, negative, zero: dimension - positive - negative };
  });
  return preAggregate(rule, { n, values }, { ...context, signs: needsSigns(rule) ? signs : null, dimension });
}
