import type { TrainingSettings } from '../../../protocol/encoding/manifest.ts';
import type { LocalMemory } from '../trainer.ts';

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
