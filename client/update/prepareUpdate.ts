import type { TensorSpec } from '../../protocol/encoding/manifest.ts';
import type { QuantizeKernel } from '../../protocol/kernels/quantize.ts';
import type { Attack } from '../attacks/attack.ts';
import { createRandom, type SeedPart } from '../random.ts';
import { checkFinite } from './checkFinite.ts';
import { clipQuantized } from './clipQuantized.ts';
import { clipUpdate, maxNormOf } from './clipUpdate.ts';
import { computeUpdate } from './computeUpdate.ts';
import { quantizeStochastic } from './quantizeStochastic.ts';

export interface UpdateTask {
  /** Trained weights, `[d]`. */
  readonly trained: Float32Array;
  /** The weights the round started from, `[d]`. */
  readonly base: Float32Array;
  readonly tensors: readonly TensorSpec[];
  /** Rounding error kept from the last round that was sent, `[d]`; `null` in the first. */
  readonly error: Float32Array | null;
  /** The federation's bound on normSq; NO_NORM_BOUND for none. */
  readonly normSqBound: bigint;
  readonly updateFractionBits: number;
  readonly round: number | bigint;
  readonly seed: SeedPart;
  /** The base of the round before, for attacks that read the federation's own steps; `null` in the first. */
  readonly previousBase?: Float32Array | null;
  /** Only to test a federation's robustness. */
  readonly attack?: Attack;
  /** What computes fast, to the same bits; null, the default: plain TypeScript, the reference. */
  readonly kernel?: QuantizeKernel | null;
}

export interface PreparedUpdate {
  /** `[d]` coordinates, ready for `encodeUpdate`. */
  readonly quantized: Int16Array;
  readonly normSq: bigint;
  /** To be kept for the next round, `[d]`. */
  readonly error: Float32Array;
  /**
   * Facts for the log: L2 norm before clipping, what the two clips together multiplied with, coordinates cut to int16.
   */
  readonly norm: number;
  readonly clipFactor: number;
  readonly saturated: number;
}

/**
 * From trained weights to the integers of a payload: check, difference, clip, quantise, clip exactly. The same task
 * gives the same bits.
 *
 * @throws AssayError WEIGHTS_NOT_FINITE, WEIGHTS_LENGTH, ERROR_FEEDBACK_LENGTH, UPDATE_NOT_FINITE
 */
export function prepareUpdate(task: UpdateTask): PreparedUpdate {
  const { kernel = null } = task;
  checkFinite(task.trained, task.tensors, kernel);
  const honest = computeUpdate(task.trained, task.base, kernel);
  const maxNorm = maxNormOf(task.normSqBound, task.updateFractionBits);
  const sent =
    task.attack?.corruptUpdate?.({
      update: honest,
      maxNorm,
      lastStep: task.previousBase ? computeUpdate(task.base, task.previousBase, kernel) : null,
      random: createRandom(task.seed, 'attack', task.round),
    }) ?? honest;
  const clipped = clipUpdate(sent, maxNorm, kernel);
  const random = createRandom(task.seed, 'quantize', task.round);
  const rounded = quantizeStochastic(clipped.update, task.error, task.updateFractionBits, random, kernel);
  const exact = clipQuantized(rounded.quantized, task.normSqBound, kernel);
  return {
    quantized: exact.quantized,
    normSq: exact.normSq,
    error: rounded.error,
    norm: clipped.norm,
    clipFactor: (clipped.factor * exact.scaleQ16) / 65536,
    saturated: rounded.saturated,
  };
}
