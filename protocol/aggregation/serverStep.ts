/**
 * From the combined update to the next model, in fixed point. Every division truncates toward zero, as Solidity's does.
 *
 *     delta = trunc(numerator * 2^(F-G) / denominator)
 *     FedAvg  (McMahan et al. 2017):      w' = sat(w + trunc(lr * delta / 2^16))
 *     FedAvgM (Hsu et al. 2019, eq. 1):   v' = sat(trunc(momentum * v / 2^16) + delta)
 *                                     w' = sat(w + trunc(lr * v' / 2^16))
 *
 * Bounds, so that a float64 division followed by trunc is exact: |numerator| < 2^29 (100 mixed rows below 2^22) and
 * F-G <= 16 keep the dividend below 2^45; lr <= 2^20 and |v| <= 2^31 keep lr * v below 2^52.
 */

import { saturateInt32 } from '../encoding/fixedPoint.ts';
import { AssayError } from '../errors.ts';

/** In the order of the Solidity enum `ServerOptimizer`. */
export const SERVER_OPTIMIZERS = ['fedAvg', 'fedAvgM'] as const;
export type ServerOptimizer = (typeof SERVER_OPTIMIZERS)[number];

/** Learning rate and momentum are rationals over 2^16. */
export const Q16 = 2 ** 16;
const MAX_LEARNING_RATE_Q16 = 16 * Q16;

export interface ServerStep {
  readonly optimizer: ServerOptimizer;
  /** 65536 is 1.0. */
  readonly learningRateQ16: number;
  /** 0 <= momentum < 65536; zero for FedAvg. */
  readonly momentumQ16: number;
}

/** Plain FedAvg: the aggregate is the step. */
export const FED_AVG: ServerStep = { optimizer: 'fedAvg', learningRateQ16: Q16, momentumQ16: 0 };

/** Whether the server keeps a velocity between rounds. */
export function hasServerState(step: ServerStep): boolean {
  return step.optimizer === 'fedAvgM';
}

/** @throws AssayError `SERVER_STEP` for parameters outside the bounds above. */
export function checkServerStep(step: ServerStep): void {
  const { learningRateQ16: lr, momentumQ16: momentum, optimizer } = step;
  const lrOk = Number.isInteger(lr) && lr > 0 && lr <= MAX_LEARNING_RATE_Q16;
  const momentumOk = Number.isInteger(momentum) && momentum >= 0 && momentum < Q16;
  if (!lrOk || !momentumOk || (optimizer === 'fedAvg' && momentum !== 0)) {
    throw new AssayError('SERVER_STEP', {
      summary: 'impossible server step',
      expected: `0 < learningRateQ16 <= ${MAX_LEARNING_RATE_Q16}, 0 <= momentumQ16 < ${Q16} (0 for FedAvg)`,
      received: `${optimizer}, learningRateQ16 = ${lr}, momentumQ16 = ${momentum}`,
    });
  }
}

/**
 * Applies the step to one chunk in place. Shapes: all [K]. `velocity` is null exactly when the step has no state.
 * `denominator` is the rule's whole denominator, `shift` is F - G.
 */
export function stepChunk(
  step: ServerStep,
  model: Int32Array,
  velocity: Int32Array | null,
  numerators: Float64Array,
  denominator: number,
  shift: number,
): void {
  const scale = 2 ** shift;
  for (let k = 0; k < model.length; k++) {
    const delta = Math.trunc((numerators[k]! * scale) / denominator);
    let direction = delta;
    if (velocity !== null) {
      direction = saturateInt32(Math.trunc((step.momentumQ16 * velocity[k]!) / Q16) + delta);
      velocity[k] = direction;
    }
    model[k] = saturateInt32(model[k]! + Math.trunc((step.learningRateQ16 * direction) / Q16));
  }
}
