/**
 * Fixed point: a model coordinate is an int32 `w` with the value w * 2^-F. Floats live in `client/` only; these two
 * functions are the border. int32 -> float32 rounds to nearest even where the integer has more than 24 significant
 * bits; float32 -> int32 is round-to-nearest-even and saturates.
 */
import { AssayError } from '../errors.ts';

/** F: fraction bits of a model coordinate unless a federation says otherwise. Range +-128 in steps of 6e-8. */
export const DEFAULT_MODEL_FRACTION_BITS = 24;
/** G: fraction bits of an update coordinate unless a federation says otherwise. Range +-0.5 in steps of 1.5e-5. */
export const DEFAULT_UPDATE_FRACTION_BITS = 16;

export const INT32_MAX = 2 ** 31 - 1;
export const INT32_MIN = -(2 ** 31);
export const INT16_MAX = 2 ** 15 - 1;

/** Model coordinates as the float32 weights that training starts from. Shape [d]. */
export function fixedToFloat(model: Int32Array, fractionBits: number): Float32Array {
  const scale = 2 ** -fractionBits; // a power of two: the product's only rounding is the store to float32
  const weights = new Float32Array(model.length);
  for (let i = 0; i < model.length; i++) weights[i] = model[i]! * scale;
  return weights;
}

/**
 * Float32 weights as model coordinates. Shape [d].
 * @throws AssayError `NOT_FINITE` naming the first coordinate that is NaN or infinite.
 */
export function floatToFixed(weights: Float32Array, fractionBits: number): Int32Array {
  const scale = 2 ** fractionBits;
  const model = new Int32Array(weights.length);
  for (let i = 0; i < weights.length; i++) {
    const value = weights[i]!;
    if (!Number.isFinite(value)) {
      throw new AssayError('NOT_FINITE', {
        summary: `weight ${i} is not a number that a model can hold`,
        expected: 'a finite value',
        received: String(value),
        fix: 'lower the learning rate or look for broken rows in the training data',
      });
    }
    model[i] = saturateInt32(roundHalfEven(value * scale));
  }
  return model;
}

/** Nearest integer, ties to the even one. Exact for |x| < 2^52. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const fraction = x - floor;
  if (fraction < 0.5) return floor;
  if (fraction > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** `x`, or the end of the int32 range that it lies beyond. */
export function saturateInt32(x: number): number {
  if (x > INT32_MAX) return INT32_MAX;
  if (x < INT32_MIN) return INT32_MIN;
  return x;
}
