import { INT16_MAX } from '../../protocol/encoding/fixedPoint.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { QuantizeKernel } from '../../protocol/kernels/quantize.ts';
import type { Random } from '../random.ts';

export interface QuantizedUpdate {
  /** `[d]` integers, value `quantized * 2^-G`. */
  readonly quantized: Int16Array;
  /**
   * `[d]` what rounding left over, float units: carried into the next round. Every entry is below 2^-G in magnitude.
   */
  readonly error: Float32Array;
  /**
   * Coordinates that did not fit int16 and were cut to +-32767 (-32768 is left out, so that negation never overflows).
   */
  readonly saturated: number;
}

/**
 * Rounds `update + error` to multiples of 2^-G, up with probability equal to the fraction above the lower multiple, so
 * that the mean over draws is the number itself (QSGD: Alistarh et al. 2017, section 3.1). What rounding left over is
 * fed back next round (Karimireddy et al. 2019, "Error feedback fixes SignSGD", algorithm 2). Mass that clipping or
 * saturation took away is NOT fed back: it would come back round after round and undo the bound.
 *
 * @param update clipped update, `[d]`, float units
 * @param error leftover of the last round, `[d]`, or `null` in the first
 * @param updateFractionBits G
 * @param kernel what rounds fast, to the same bits; null: plain TypeScript
 * @throws AssayError ERROR_FEEDBACK_LENGTH, UPDATE_NOT_FINITE
 */
export function quantizeStochastic(
  update: Float32Array,
  error: Float32Array | null,
  updateFractionBits: number,
  random: Random,
  kernel: QuantizeKernel | null = null,
): QuantizedUpdate {
  if (error !== null && error.length !== update.length) {
    throw new AssayError('ERROR_FEEDBACK_LENGTH', {
      summary: 'the saved rounding error belongs to another model',
      expected: `${update.length} coordinates`,
      received: `${error.length} coordinates`,
      fix: 'remove the saved error; the next round starts without it',
    });
  }
  const unit = 2 ** updateFractionBits;
  const rounded = kernel?.quantizeStochastic(update, error, unit, random.fillUint32) ?? null;
  if (rounded !== null) return rounded; // else a number is not finite: which one is found and said below
  const quantized = new Int16Array(update.length);
  const leftover = new Float32Array(update.length);
  let saturated = 0;
  for (let i = 0; i < update.length; i++) {
    const scaled = ((update[i] as number) + (error === null ? 0 : (error[i] as number))) * unit;
    if (!Number.isFinite(scaled)) {
      throw new AssayError('UPDATE_NOT_FINITE', {
        summary: `coordinate ${i} of the update is not a number`,
        expected: 'finite numbers',
        received: String(scaled),
        fix: 'check the trained weights with checkFinite first',
      });
    }
    const floor = Math.floor(scaled);
    // 32 random bits per coordinate: the probability is off by less than 2^-32.
    const rounded = floor + (random.nextUint32() / 4294967296 < scaled - floor ? 1 : 0);
    leftover[i] = (scaled - rounded) / unit;
    const kept = Math.max(-INT16_MAX, Math.min(INT16_MAX, rounded));
    if (kept !== rounded) saturated++;
    quantized[i] = kept;
  }
  return { quantized, error: leftover, saturated };
}
