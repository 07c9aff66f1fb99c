/**
 * The server step (`aggregation/serverStep.ts`, where the formulas and their bounds are) over numerators of a combine:
 * model and state in the kernels' memory are replaced in place.
 */
import type { Kernels } from './kernelModule.ts';

/** The fields of `ServerStep` that the numbers depend on. */
export interface StepNumbers {
  readonly optimizer: 'fedAvg' | 'fedAvgM' | 'fedAdagrad' | 'fedAdam' | 'fedYogi';
  readonly learningRateQ16: number;
  readonly momentumQ16: number;
  readonly secondMomentQ16: number;
  readonly adaptivity: number;
  /** F and G. */
  readonly modelFractionBits: number;
  readonly updateFractionBits: number;
  /** K: the state holds its planes chunk by chunk. */
  readonly chunkSize: number;
}

/** 2^(F-G) / denominator as the kernels take it (`quotients` of assembly/serverStep.ts). */
export interface Quotient {
  readonly factor: number;
  readonly half: number;
}

/** The same as `fedAvgOfRest` (assembly/rowTotals.ts) takes it. */
export interface Int16Quotient {
  readonly back: number;
  readonly factor: number;
}

export interface ServerStepKernel {
  /** What a coordinate moves by for each unit of its int32 numerator, where the step is no more than that; else null. */
  plainMove(denominator: number): Quotient | null;
  /** The same of int16 numerators; null also over less than 2 and where F - G is negative or above 14. */
  plainMoveOfInt16(denominator: number): Int16Quotient | null;
  /**
   * `numerators`: address of `length` int32 or float64 over `denominator`; they are overwritten. `model`: of as many
   * int32; `state`: of the planes of as many coordinates, 0 for FedAvg. `length`: whole chunks.
   */
  run(
    numerators: number,
    lanes: 'int32' | 'float64',
    denominator: number,
    model: number,
    state: number,
    length: number,
  ): void;
  /** The model that a published state leads to: the step's last line alone (adaptive steps and FedAvgM). */
  modelFromState(model: number, state: number, length: number): void;
}

const ADAPTIVE = ['fedAdagrad', 'fedAdam', 'fedYogi'];

export function serverStepKernel({ exports }: Kernels, step: StepNumbers): ServerStepKernel {
  const { optimizer, modelFractionBits: F, updateFractionBits: G, chunkSize } = step;
  const kind = ADAPTIVE.indexOf(optimizer);
  const scale = 2 ** (F - G);
  const rate = step.learningRateQ16 * 2 ** (kind >= 0 ? F - 32 : -16);
  const momentum = step.momentumQ16 * 2 ** -16;
  const quotient = (denominator: number): Quotient => ({
    factor: scale / denominator,
    half: 0.5 / (denominator / Math.min(1, scale)),
  });
  const plainMove = (denominator: number) => (optimizer === 'fedAvg' && rate === 1 ? quotient(denominator) : null);
  return {
    plainMove,
    plainMoveOfInt16(denominator) {
      if (plainMove(denominator) === null || scale < 1 || scale > 2 ** 14) return null;
      if (denominator < 2 || denominator >= 2 ** 16) return null;
      return { back: (-(denominator - 1) * 2 ** 15) / scale, factor: (scale / denominator) * 2 ** -16 };
    },
    run(numerators, lanes, denominator, model, state, length) {
      const deltas = numerators;
      const { factor, half } = quotient(denominator);
      if (lanes === 'int32' && plainMove(denominator) !== null) {
        return exports.fedAvgOfInt32(numerators, model, length, factor, half);
      }
      if (lanes === 'int32') exports.deltasOfInt32(numerators, deltas, length, factor, half);
      else exports.deltasOfFloat64(numerators, deltas, length, scale, denominator);
      if (optimizer === 'fedAvg') return exports.fedAvg(deltas, model, length, rate);
      if (optimizer === 'fedAvgM') return exports.fedAvgM(deltas, model, state, length, rate, momentum);
      const { momentumQ16, secondMomentQ16, adaptivity } = step;
      for (let at = 0; at < 4 * length; at += 4 * chunkSize) {
        const [from, to, planes] = [deltas + at, model + at, state + 3 * at];
        exports.fedAdaptive(kind, from, to, planes, chunkSize, rate, momentumQ16, secondMomentQ16, adaptivity);
      }
    },
    modelFromState(model, state, length) {
      // FedAvgM moves by its velocity as FedAvg moves by its delta.
      if (kind < 0) return exports.fedAvg(state, model, length, rate);
      for (let at = 0; at < 4 * length; at += 4 * chunkSize) {
        exports.fedAdaptiveModel(model + at, state + 3 * at, chunkSize, rate, step.adaptivity);
      }
    },
  };
}
