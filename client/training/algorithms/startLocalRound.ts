import type { Algorithm } from '../../../protocol/encoding/manifest.ts';
import { fedNovaRound } from './fedNova.ts';
import type { LocalRound, RoundStart } from './localRound.ts';
import { scaffoldRound } from './scaffold.ts';

/**
 * What a participant's round looks like under the manifest's algorithm: one small description, which an engine carries
 * out. Averaging and the server's step are the contract's, the same for all.
 *
 * - `fedavg` (McMahan et al. 2017): plain steps.
 * - `fedprox` (Li et al. 2020, equation 2): minimises `f_i(w) + mu/2 |w - x_t|^2`, whose gradient has `mu (w - x_t)` more.
 * - `per-fedavg` (Fallah et al. 2020, first-order form of equation 8): the gradient after one step of adaptation.
 * - `reptile` (Nichol et al. 2018, algorithm 1): the server moves towards what plain local steps adapt to. That is
 *   fedavg's step; the name says that the model is meant to be adapted, and with which steps.
 */
export function startLocalRound(algorithm: Algorithm | undefined, start: RoundStart): LocalRound {
  switch (algorithm?.kind) {
    case undefined:
    case 'fedavg':
    case 'reptile':
      return {};
    case 'fedprox':
      return { proximal: algorithm.proximal };
    case 'per-fedavg':
      return { lookahead: algorithm.innerLearningRate };
    case 'scaffold':
      return scaffoldRound(start);
    case 'fednova':
      return fedNovaRound(start, algorithm.referenceSteps);
  }
}
