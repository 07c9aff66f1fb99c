/**
 * What a published model should be, judged by the published numbers it was made from: the model of a given mixing
 * matrix, and the model of a given server state. Asked only when one of those is wrong already, so that one lie stays
 * one finding (and because the contract's fraud proofs will judge in the same way).
 */
import { combineChunk, combineDenominator } from '../../protocol/aggregation/combine/combineChunk.ts';
import { type Mixing, mixChunk } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { Q16, stepChunk } from '../../protocol/aggregation/serverStep.ts';
import { saturateInt32 } from '../../protocol/encoding/fixedPoint.ts';
import { fractionShift, type LearningParameters } from '../../protocol/round/parameters.ts';
import type { ReplayInput } from './replayRound.ts';

/** The next model and velocity when the rows are mixed by `mixing`, whatever the rule would have chosen. */
export function modelFromMixing(
  { parameters, rows, base, velocity }: ReplayInput,
  mixing: Mixing,
  stateful: boolean,
): { readonly model: Int32Array; readonly velocity: Int32Array | null } {
  const { rule, serverStep, chunkSize } = parameters;
  const model = base.slice();
  const state = stateful ? (velocity?.slice() ?? new Int32Array(base.length)) : null;
  const denominator = combineDenominator(rule.combine, mixing.rows, rule.byzantine) * mixing.denominator;
  for (let start = 0; start < model.length; start += chunkSize) {
    const mixed = mixChunk(
      mixing,
      rows.map((row) => row.subarray(start, start + chunkSize)),
    );
    const numerators = combineChunk(rule.combine, rule.byzantine, mixed);
    const chunk = model.subarray(start, start + chunkSize);
    const stateChunk = state?.subarray(start, start + chunkSize) ?? null;
    stepChunk(serverStep, chunk, stateChunk, numerators, denominator, fractionShift(parameters));
  }
  return { model, velocity: state };
}

/** w' = sat(w + trunc(lr * v' / 2^16)): the model that a server state leads to (FedAvgM's last line). */
export function modelFromState({ serverStep }: LearningParameters, base: Int32Array, state: Int32Array): Int32Array {
  // lr <= 2^20 and |v| <= 2^31 keep the product below 2^52
  return base.map((w, k) => saturateInt32(w + Math.trunc((serverStep.learningRateQ16 * state[k]!) / Q16)));
}
