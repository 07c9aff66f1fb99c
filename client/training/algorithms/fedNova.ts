import { effectiveSteps } from './effectiveSteps.ts';
import type { LocalRound, RoundStart } from './localRound.ts';

/**
 * FedNova (Wang et al. 2020, equations 7 and 8): whoever takes more local steps would pull the average towards its own
 * optimum. Every participant divides its update by its effective steps a_i and multiplies it by those of the
 * manifest's reference, the same for all, so that the mean is `a_ref mean(update_i / a_i)`.
 *
 * It scales what it sends itself: the rule stays as it is, and nobody has to believe a number of steps.
 */
export function fedNovaRound({ weights, steps, training }: RoundStart, referenceSteps: number): LocalRound {
  const momentum = training.momentum ?? 0;
  const scale = effectiveSteps(referenceSteps, momentum) / effectiveSteps(steps, momentum);
  return {
    finish: (trained) => ({
      weights: trained.map((value, k) => weights[k]! + scale * (value - weights[k]!)),
      memory: {},
    }),
  };
}
