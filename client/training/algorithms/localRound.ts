import type { Algorithm, TrainingSettings } from '../../../protocol/encoding/manifest.ts';
import { AssayError } from '../../../protocol/errors.ts';
import type { LocalMemory } from '../trainer.ts';
import { fedNovaRound } from './fedNova.ts';
import { scaffoldRound } from './scaffold.ts';

/** What an algorithm knows when a participant's round begins. Vectors are `[d]`, federated coordinates only. */
export interface RoundStart {
  /** x_t: the model the round starts from. */
  readonly weights: Float32Array;
  /** x_{t-1}; null in the first round. */
  readonly previousWeights: Float32Array | null;
  /** eta_g of the step that led from x_{t-1} to x_t. */
  readonly serverLearningRate: number;
  /** What the participant kept from its last round that counted. */
  readonly memory: LocalMemory;
  /** Minibatch steps that it is going to take. */
  readonly steps: number;
  /** Of a step, as the manifest says. */
  readonly training: Pick<TrainingSettings, 'learningRate' | 'momentum'>;
}

/** What an algorithm asks of the local steps. What is absent is as in plain local training. */
export interface LocalRound {
  /** `[d]`, added to the gradient of every minibatch. */
  readonly drift?: Float32Array;
  /** mu: `mu (w - x_t)` is added to the gradient of every minibatch. */
  readonly proximal?: number;
  /** alpha: gradients are taken one step of this size ahead, at `w - alpha grad(w)`. */
  readonly lookahead?: number;
  /** From the weights after the last step to what counts as trained, and what is kept. */
  finish?(trained: Float32Array): { readonly weights: Float32Array; readonly memory: LocalMemory };
}

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

/**
 * The minibatches of a participant's round.
 *
 * @param own the device's own number of steps, where it has one
 * @param batchesPerEpoch minibatches in one pass over its data
 * @throws AssayError `LOCAL_STEPS` when the algorithm takes participants of unequal speed for equals: an update of more
 *   steps would weigh more
 */
export function localSteps(training: TrainingSettings, own: number | undefined, batchesPerEpoch: number): number {
  const { algorithm, localEpochs } = training;
  if (own === undefined) return training.localSteps ?? localEpochs! * batchesPerEpoch;
  const kind = algorithm?.kind ?? 'fedavg';
  if ((kind !== 'fednova' && kind !== 'fedprox') || !Number.isSafeInteger(own) || own < 1) {
    throw new AssayError('LOCAL_STEPS', {
      summary: 'this federation leaves no choice of the number of local steps',
      expected: 'a whole number above 0, in a federation of the algorithm fednova or fedprox',
      received: `${own} local steps under ${kind}`,
      fix: 'leave the number to the manifest',
    });
  }
  return own;
}
