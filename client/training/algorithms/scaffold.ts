import { effectiveSteps } from './effectiveSteps.ts';
import type { LocalRound, RoundStart } from './localRound.ts';

/** Name of the own control in a participant's memory. */
export const CONTROL = 'control';

/**
 * SCAFFOLD (Karimireddy et al. 2020, algorithm 1 with option II): every minibatch gradient is corrected by the
 * difference between the direction of all and the own one, so that clients of unlike data do not drift apart.
 *
 *     y <- y - eta (g_i(y) - c_i + c)                       K times from y = x_t
 *     c_i <- c_i - c + (x_t - y) / (eta A)                  A: effective steps, K without momentum
 *
 * The server's control c is no second vector on the wire. What the mean of the controls would be is written in the
 * published models, and every participant reads it there:
 *
 *     c = (x_{t-1} - x_t) / (eta A eta_g)
 *
 * Proof for a mean over all participants, starting from c = c_i = 0: x_{t+1} = x_t + eta_g mean(y_i - x_t), so
 * mean(c_i') = mean(c_i) - c + mean(x_t - y_i) / (eta A) = (x_t - x_{t+1}) / (eta A eta_g), which is the next c. With a
 * robust rule in place of the mean c is as robust as the model. docs/decisions/0024-scaffold-from-the-chain.md.
 */
export function scaffoldRound(start: RoundStart): LocalRound {
  const { weights, previousWeights, serverLearningRate, memory, steps, training } = start;
  const reach = training.learningRate * effectiveSteps(steps, training.momentum ?? 0);
  const own = memory[CONTROL] ?? new Float32Array(weights.length);
  const all = previousWeights?.map((before, k) => (before - weights[k]!) / (reach * serverLearningRate)) ?? null;
  return {
    drift: own.map((value, k) => (all?.[k] ?? 0) - value),
    finish: (trained) => ({
      weights: trained,
      memory: {
        [CONTROL]: trained.map((value, k) => own[k]! - (all?.[k] ?? 0) + (weights[k]! - value) / reach),
      },
    }),
  };
}
