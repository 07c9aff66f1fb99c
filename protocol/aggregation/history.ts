/**
 * The history row: what the model did in the round before, as one more update. Centred clipping (Karimireddy et al.
 * 2021) carries its centre v over rounds; here v is the step between the last two published models, so that it needs no
 * state of its own and everybody can compute it. docs/decisions/0019.
 *
 *     v_k = sat16(trunc((w_t - w_(t-1))_k / 2^(F-G)))          zeros in round 1
 */
import { INT16_MAX } from '../encoding/fixedPoint.ts';
import type { FractionBits } from './serverStep.ts';

/**
 * The history row of one chunk. `base` is the model that the round starts from, `previous` the one that the round which
 * published `base` started from; null when `base` is the genesis model. Shapes: [K].
 */
export function historyChunk(base: Int32Array, previous: Int32Array | null, bits: FractionBits): Int16Array {
  const row = new Int16Array(base.length);
  if (previous === null) return row;
  const unit = 2 ** (bits.modelFractionBits - bits.updateFractionBits);
  for (let k = 0; k < base.length; k++) {
    const step = Math.trunc((base[k]! - previous[k]!) / unit); // the difference is below 2^32
    row[k] = Math.max(-INT16_MAX - 1, Math.min(INT16_MAX, step));
  }
  return row;
}
