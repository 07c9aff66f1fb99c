/** Trying the rule on what attackers might send: how far it lands from the honest mean. */
import { INT16_MAX } from '../../protocol/encoding/fixedPoint.ts';
import type { LearningParameters } from '../../protocol/round/parameters.ts';
import type { OmniscientView } from '../attacks/attack.ts';
import { l2Norm, maxNormOf } from '../update/clipUpdate.ts';
import type { RowsContext, RuleMemory } from './ruleMemory.ts';

/**
 * @param honestRows written to slots 0, 1, ...; the candidate goes into the slot after them
 * @param history slot of the history row, beyond that one; null for rules that use none
 * @param context with the attackers' indices after the honest ones
 */
export function ruleTrial(
  { normSqBound, updateFractionBits }: LearningParameters,
  memory: RuleMemory,
  honestRows: readonly Int16Array[],
  attackers: number,
  history: number | null,
  context: RowsContext,
): Pick<OmniscientView, 'honest' | 'maxNorm' | 'damage'> {
  const unit = 2 ** updateFractionBits;
  const maxNorm = maxNormOf(normSqBound, updateFractionBits);
  const dimension = honestRows[0]!.length;
  honestRows.forEach((row, slot) => {
    memory.write(slot, row);
  });
  const candidateSlot = honestRows.length;
  const slots = [...honestRows.keys(), ...new Array<number>(attackers).fill(candidateSlot)];
  const mean = new Float64Array(dimension);
  for (const row of honestRows) for (let k = 0; k < dimension; k++) mean[k]! += row[k]! / honestRows.length;
  const row = new Int16Array(dimension);
  const damage = (candidate: Float32Array): number => {
    const factor = maxNorm === null ? 1 : Math.min(1, maxNorm / l2Norm(candidate));
    for (let k = 0; k < dimension; k++) {
      const value = Math.round(factor * candidate[k]! * unit);
      row[k] = Math.max(-INT16_MAX, Math.min(INT16_MAX, value));
    }
    memory.write(candidateSlot, row);
    const { numerators, denominator } = memory.apply(slots, history, context);
    let sum = 0;
    for (let k = 0; k < dimension; k++) sum += (numerators[k]! / denominator - mean[k]!) ** 2;
    return Math.sqrt(sum) / unit;
  };
  return { honest: honestRows.map((integers) => toFloats(integers, unit)), maxNorm, damage };
}

function toFloats(integers: Int16Array, unit: number): Float32Array {
  const floats = new Float32Array(integers.length);
  for (let k = 0; k < floats.length; k++) floats[k] = integers[k]! / unit;
  return floats;
}
