/**
 * From the combined update to the next model, in fixed point. Every division truncates toward zero, as Solidity's does;
 * floor is the same where nothing is negative.
 *
 *     delta = sat(trunc(numerator * 2^(F-G) / denominator))
 *     FedAvg     (McMahan et al. 2017)             w' = sat(w + trunc(lr * delta / 2^16))
 *     FedAvgM    (Hsu et al. 2019, eq. 1)          v' = sat(trunc(beta1 * v / 2^16) + delta)
 *                                                  w' = sat(w + trunc(lr * v' / 2^16))
 *     adaptive   (Reddi et al. 2021, algorithm 2)  m' = sat(trunc((beta1 * m + (2^16 - beta1) * delta) / 2^16))
 *       FedAdagrad                                 v' = min(v + delta^2, 2^62 - 1)
 *       FedAdam                                    v' = floor((beta2 * v + (2^16 - beta2) * delta^2) / 2^16)
 *       FedYogi                                    v' = v -+ floor((2^16 - beta2) * |v - delta^2| / 2^16), toward delta^2
 *                                                  r  = clamp(trunc(m' * 2^16 / (isqrt(v') + tau)))
 *                                                  w' = sat(w + trunc(lr * r / 2^(32-F)))
 *
 * sat: to int32. clamp: to +-(2^31 - 1). m and v start at zero and, as in the paper, are not corrected for it.
 *
 * Bounds, so that a float64 division followed by trunc is exact: |numerator| < 2^52, denominator < 2^36, F-G <= 16;
 * lr <= 2^20 and |v| <= 2^31 keep lr * v below 2^52, |m'| <= 2^31 keeps its quotient's dividend below 2^48.
 */

import { INT32_MAX, saturateInt32 } from '../encoding/fixedPoint.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { modelPayloadLength } from '../encoding/vectors.ts';
import { AssayError } from '../errors.ts';
import { isqrt } from './wholeNumbers.ts';

/** In the order of the Solidity enum `ServerOptimizer`. */
export const SERVER_OPTIMIZERS = ['fedAvg', 'fedAvgM', 'fedAdagrad', 'fedAdam', 'fedYogi'] as const;
export type ServerOptimizer = (typeof SERVER_OPTIMIZERS)[number];

/** Learning rate and moments are rationals over 2^16. */
export const Q16 = 2 ** 16;
const MAX_LEARNING_RATE_Q16 = 16 * Q16;
/** Second moments are below it: their roots fit int32. */
const SECOND_MOMENT_MAX = 2n ** 62n - 1n;

export interface ServerStep {
  readonly optimizer: ServerOptimizer;
  /** 65536 is 1.0. */
  readonly learningRateQ16: number;
  /** beta1, 0 <= beta1 < 65536; zero for FedAvg. */
  readonly momentumQ16: number;
  /** beta2 of FedAdam and FedYogi, 0 <= beta2 < 65536; zero for the others. */
  readonly secondMomentQ16: number;
  /** tau of the adaptive steps in units of 2^-F, 0 < tau < 2^32; zero for the others. */
  readonly adaptivity: number;
}

/** Plain FedAvg: the aggregate is the step. */
export const FED_AVG: ServerStep = {
  optimizer: 'fedAvg',
  learningRateQ16: Q16,
  momentumQ16: 0,
  secondMomentQ16: 0,
  adaptivity: 0,
};

/** F and G: what a step needs to know of a federation's numbers. */
export interface FractionBits {
  readonly modelFractionBits: number;
  readonly updateFractionBits: number;
}

/** Whether the server keeps a state between rounds. */
export function hasServerState(step: ServerStep): boolean {
  return stateVectors(step) > 0;
}

/**
 * Planes of K int32 in a chunk of the server's state, one after the other. FedAvgM: velocity. Adaptive: m, then v as
 * unsigned 64 bits in two planes, the low 32 bits and the high.
 */
export function stateVectors(step: ServerStep): 0 | 1 | 3 {
  if (step.optimizer === 'fedAvg') return 0;
  return step.optimizer === 'fedAvgM' ? 1 : 3;
}

/** Length of a server state's payload: chunkCount * stateVectors * K * 4 bytes. */
export function statePayloadLength(layout: VectorLayout, step: ServerStep): number {
  return stateVectors(step) * modelPayloadLength(layout);
}

/** @throws AssayError `SERVER_STEP` for parameters outside the bounds above. */
export function checkServerStep(step: ServerStep): void {
  const { learningRateQ16: lr, momentumQ16: beta1, secondMomentQ16: beta2, adaptivity: tau, optimizer } = step;
  const isWithin = (value: number, least: number, end: number) =>
    Number.isInteger(value) && value >= least && value < end;
  const adaptive = stateVectors(step) === 3;
  const ok =
    isWithin(lr, 1, MAX_LEARNING_RATE_Q16 + 1) &&
    isWithin(beta1, 0, optimizer === 'fedAvg' ? 1 : Q16) &&
    isWithin(beta2, 0, optimizer === 'fedAdam' || optimizer === 'fedYogi' ? Q16 : 1) &&
    isWithin(tau, adaptive ? 1 : 0, adaptive ? 2 ** 32 : 1);
  if (ok) return;
  throw new AssayError('SERVER_STEP', {
    summary: 'impossible server step',
    expected: `0 < learningRateQ16 <= ${MAX_LEARNING_RATE_Q16}, 0 <= momentumQ16 < ${Q16} (0 for FedAvg), 0 <= secondMomentQ16 < ${Q16} (FedAdam and FedYogi, else 0), 0 < adaptivity < 2^32 (adaptive steps, else 0)`,
    received: `${optimizer}, learningRateQ16 = ${lr}, momentumQ16 = ${beta1}, secondMomentQ16 = ${beta2}, adaptivity = ${tau}`,
  });
}

/**
 * Applies the step to one chunk in place. Shapes: `model` and `numerators` [K]; `state` [stateVectors * K], null exactly
 * when the step has none. `denominator` is the rule's whole denominator.
 */
export function stepChunk(
  step: ServerStep,
  model: Int32Array,
  state: Int32Array | null,
  numerators: Float64Array,
  denominator: number,
  bits: FractionBits,
): void {
  const scale = 2 ** (bits.modelFractionBits - bits.updateFractionBits);
  for (let k = 0; k < model.length; k++) {
    let direction = scaledQuotient(numerators[k]!, denominator, scale);
    if (state !== null && step.optimizer === 'fedAvgM') {
      direction = saturateInt32(Math.trunc((step.momentumQ16 * state[k]!) / Q16) + direction);
      state[k] = direction;
    }
    if (state !== null && step.optimizer !== 'fedAvgM') moveMoments(step, state, model.length, k, direction);
    model[k] = moveCoordinateInt32(step, model[k]!, direction, state, model.length, k, bits.modelFractionBits);
  }
}

/**
 * The last line of every step alone: the models that published states lead to. Shapes as in `stepChunk`. Steps without
 * state have no such line.
 */
export function modelFromState(step: ServerStep, model: Int32Array, state: Int32Array, bits: FractionBits): void {
  for (let k = 0; k < model.length; k++) {
    model[k] = moveCoordinateInt32(step, model[k]!, state[k]!, state, model.length, k, bits.modelFractionBits);
  }
}

/** sat(trunc(numerator * scale / denominator)). */
function scaledQuotient(numerator: number, denominator: number, scale: number): number {
  const whole = Math.trunc(numerator / denominator);
  const rest = numerator - whole * denominator; // of the numerator's sign, below 2^36: times scale below 2^52
  // A whole part that rounds here is far beyond int32.
  return saturateInt32(whole * scale + Math.trunc((rest * scale) / denominator));
}

/** m', v' of coordinate k in place. */
function moveMoments(step: ServerStep, state: Int32Array, width: number, k: number, delta: number): void {
  const { momentumQ16: beta1 } = step;
  // |beta1 * m + (2^16 - beta1) * delta| <= 2^16 * 2^31
  state[k] = saturateInt32(Math.trunc((beta1 * state[k]! + (Q16 - beta1) * delta) / Q16));
  const v = nextSecondMoment(step, secondMoment(state, width, k), BigInt(delta) * BigInt(delta));
  state[width + k] = Number(v & 0xffff_ffffn) | 0;
  state[2 * width + k] = Number(v >> 32n);
}

/** v of coordinate k. */
function secondMoment(state: Int32Array, width: number, k: number): bigint {
  return (BigInt(state[2 * width + k]! >>> 0) << 32n) | BigInt(state[width + k]! >>> 0);
}

/** v' from v and delta^2 <= 2^62. */
function nextSecondMoment({ optimizer, secondMomentQ16 }: ServerStep, v: bigint, square: bigint): bigint {
  const beta2 = BigInt(secondMomentQ16);
  const one = BigInt(Q16);
  let next: bigint;
  if (optimizer === 'fedAdagrad') next = v + square;
  else if (optimizer === 'fedAdam') next = (beta2 * v + (one - beta2) * square) / one;
  else if (v < square) next = v + ((one - beta2) * (square - v)) / one;
  else next = v - ((one - beta2) * (v - square)) / one;
  return next > SECOND_MOMENT_MAX ? SECOND_MOMENT_MAX : next;
}

/** w'. `direction` is FedAvg's delta or FedAvgM's velocity; the adaptive steps take theirs from the state. */
function moveCoordinateInt32(
  step: ServerStep,
  w: number,
  direction: number,
  state: Int32Array | null,
  width: number,
  k: number,
  modelFractionBits: number,
): number {
  const { learningRateQ16: lr, adaptivity } = step;
  if (state === null || step.optimizer === 'fedAvgM') return saturateInt32(w + Math.trunc((lr * direction) / Q16));
  const ratio = Math.trunc((state[k]! * Q16) / (Number(isqrt(secondMoment(state, width, k))) + adaptivity));
  const clamped = Math.max(-INT32_MAX, Math.min(INT32_MAX, ratio));
  return saturateInt32(w + Math.trunc((lr * clamped) / 2 ** (32 - modelFractionBits)));
}
