import type { Random } from '../random.ts';

/**
 * How weights start. All are uniform: that needs no logarithm or cosine, so the bits depend on no mathematics library,
 * and what matters for learning is the spread, not the shape.
 */

/** Uniform in +-sqrt(6 / (in + out)) (Glorot and Bengio 2010, equation 16): keeps the spread of signals and gradients. */
export function glorotUniform(values: Float32Array, fanIn: number, fanOut: number, random: Random): void {
  fillUniform(values, Math.sqrt(6 / (fanIn + fanOut)), random);
}

/** Uniform in +-sqrt(6 / in) (He et al. 2015, equation 10): for layers whose rectifier puts half of the signal to zero. */
export function heUniform(values: Float32Array, fanIn: number, random: Random): void {
  fillUniform(values, Math.sqrt(6 / fanIn), random);
}

/** Uniform around zero with that standard deviation. */
export function uniformOfDeviation(values: Float32Array, deviation: number, random: Random): void {
  fillUniform(values, Math.sqrt(3) * deviation, random);
}

/** Uniform in +-limit. */
export function fillUniform(values: Float32Array, limit: number, random: Random): void {
  for (let i = 0; i < values.length; i++) values[i] = (2 * random.nextFloat() - 1) * limit;
}
