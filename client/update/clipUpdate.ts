import type { QuantizeKernel } from '../../protocol/kernels/quantize.ts';
import { NO_NORM_BOUND } from '../../protocol/round/parameters.ts';

export interface ClippedUpdate {
  /** The update that was given, itself, when it was within the bound. */
  readonly update: Float32Array;
  /** L2 norm before clipping. */
  readonly norm: number;
  /** What the update was multiplied with; 1 when it was within the bound. */
  readonly factor: number;
}

/** L2 norm of a vector, summed in doubles. */
export function l2Norm(vector: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += vector[i]! * vector[i]!;
  return Math.sqrt(sum);
}

/**
 * Scales an update down to an L2 norm of at most `maxNorm` (`null`: no bound). The clip that counts is the exact one on
 * integers after quantisation (`clipQuantized`); this one comes first so that stochastic rounding works on what will be
 * sent. Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013, algorithm 1,
 * applied to the whole update.
 */
export function clipUpdate(
  update: Float32Array,
  maxNorm: number | null,
  kernel: QuantizeKernel | null = null,
): ClippedUpdate {
  const norm = l2Norm(update);
  if (maxNorm === null || norm <= maxNorm) return { update, norm, factor: 1 };
  const factor = maxNorm / norm;
  return { update: kernel?.scale(update, factor) ?? update.map((value) => value * factor), norm, factor };
}

/** The on-chain bound on `normSq` (integer units of 2^-G, squared) as a float L2 norm; `null` for NO_NORM_BOUND. */
export function maxNormOf(normSqBound: bigint, updateFractionBits: number): number | null {
  if (normSqBound === NO_NORM_BOUND) return null;
  return Math.sqrt(Number(normSqBound)) / 2 ** updateFractionBits;
}

/** The on-chain bound on `normSq` for a float L2 norm: `floor((maxNorm * 2^G)^2)`. */
export function normSqBoundOf(maxNorm: number, updateFractionBits: number): bigint {
  const scaled = maxNorm * 2 ** updateFractionBits;
  return BigInt(Math.floor(scaled * scaled));
}
