import type { TensorSpec } from '../../protocol/encoding/manifest.ts';
import type { QuantizeKernel } from '../../protocol/kernels/quantize.ts';
import type { Attack, AttackContext } from '../attacks/attack.ts';
import { createRandom, type SeedPart } from '../random.ts';
import { checkFinite } from './checkFinite.ts';
import { clipQuantized, normSqOf } from './clipQuantized.ts';
import { clipUpdate, maxNormOf } from './clipUpdate.ts';
import { computeUpdate } from './computeUpdate.ts';
import { quantizeStochastic } from './quantizeStochastic.ts';

/** How an update becomes integers: the federation's bounds, the participant's rounding error and dice. */
export interface RoundingTask {
  /** Rounding error kept from the last round that was sent, `[d]`; `null` in the first. */
  readonly error: Float32Array | null;
  /** The federation's bound on normSq; NO_NORM_BOUND for none. */
  readonly normSqBound: bigint;
  readonly updateFractionBits: number;
  readonly round: number | bigint;
  readonly seed: SeedPart;
  /** What computes fast, to the same bits; null, the default: plain TypeScript, the reference. */
  readonly kernel?: QuantizeKernel | null;
}

export interface UpdateTask extends RoundingTask {
  /** Trained weights, `[d]`. */
  readonly trained: Float32Array;
  /** The weights the round started from, `[d]`. */
  readonly base: Float32Array;
  readonly tensors: readonly TensorSpec[];
  /** The base of the round before, for attacks that read the federation's own steps; `null` in the first. */
  readonly previousBase?: Float32Array | null;
  /** Only to test a federation's robustness. */
  readonly attack?: Attack;
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
  if (task.attack === undefined) return roundUpdate(honest, task);
  const lastStep = task.previousBase ? computeUpdate(task.base, task.previousBase, kernel) : null;
  return roundAttack(task.attack, honest, lastStep, null, task);
}

/** Clips, quantises with error feedback and clips exactly what is to be sent, `[d]`, float units. */
export function roundUpdate(sent: Float32Array, task: RoundingTask): PreparedUpdate {
  const { kernel = null } = task;
  const clipped = clipUpdate(sent, maxNormOf(task.normSqBound, task.updateFractionBits), kernel);
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

/** What an attacker whose honest training gave `update` sends, by the lone version of its attack. */
export function roundAttack(
  attack: Attack,
  update: Float32Array,
  lastStep: Float32Array | null,
  collusion: AttackContext['collusion'],
  task: RoundingTask,
): PreparedUpdate {
  const maxNorm = maxNormOf(task.normSqBound, task.updateFractionBits);
  const random = createRandom(task.seed, 'attack', task.round);
  const context: AttackContext = { update, maxNorm, lastStep, random, ...(collusion ? { collusion } : {}) };
  const prepared = roundUpdate(attack.corruptUpdate?.(context) ?? update, task);
  if (attack.forgePayload === undefined) return prepared;
  const quantized = attack.forgePayload(context);
  return { ...prepared, quantized, normSq: normSqOf(quantized), clipFactor: 1, saturated: 0 };
}
