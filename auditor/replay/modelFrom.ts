/**
 * What a published model should be, judged by the published numbers it was made from: the model of a given mixing
 * matrix, and the model of a given server state. Asked only when one of those is wrong already, so that one lie stays
 * one finding (and because the contract's fraud proofs will judge in the same way).
 */
import { combineChunk, combineDenominator } from '../../protocol/aggregation/combine/combineChunk.ts';
import { type Mixing, mixChunk } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { modelFromState as moveByState, stateVectors, stepChunk } from '../../protocol/aggregation/serverStep.ts';
import type { LearningParameters } from '../../protocol/round/parameters.ts';
import type { ReplayInput } from './replayRound.ts';

/** The next model and velocity when the rows are mixed by `mixing`, whatever the rule would have chosen. */
export function modelFromMixing(
  { parameters, rows, base, velocity }: ReplayInput,
  mixing: Mixing,
  stateful: boolean,
): { readonly model: Int32Array; readonly velocity: Int32Array | null } {
  const { rule, serverStep, chunkSize } = parameters;
  const model = base.slice();
  const planes = stateVectors(serverStep);
  const state = stateful ? (velocity?.slice() ?? new Int32Array(planes * base.length)) : null;
  const denominator = combineDenominator(rule.combine, mixing.rows, rule.byzantine) * mixing.denominator;
  for (let start = 0; start < model.length; start += chunkSize) {
    const mixed = mixChunk(
      mixing,
      rows.map((row) => row.subarray(start, start + chunkSize)),
    );
    const numerators = combineChunk(rule.combine, rule.byzantine, mixed);
    const chunk = model.subarray(start, start + chunkSize);
    const stateChunk = state?.subarray(planes * start, planes * (start + chunkSize)) ?? null;
    stepChunk(serverStep, chunk, stateChunk, numerators, denominator, parameters);
  }
  return { model, velocity: state };
}

/** The model that a server state leads to: the last line of every step with state. */
export function modelFromState(parameters: LearningParameters, base: Int32Array, state: Int32Array): Int32Array {
  const { serverStep, chunkSize } = parameters;
  const planes = stateVectors(serverStep);
  const model = base.slice();
  for (let start = 0; start < model.length; start += chunkSize) {
    const chunk = model.subarray(start, start + chunkSize);
    moveByState(serverStep, chunk, state.subarray(planes * start, planes * (start + chunkSize)), parameters);
  }
  return model;
}
