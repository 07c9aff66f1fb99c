import type { Tensor } from '@tensorflow/tfjs-core';
import type { TrainingSettings } from '../../../protocol/encoding/manifest.ts';

/** Moves weights against gradients, and remembers what it needs from step to step. One is made anew for every round. */
export interface Optimizer {
  /**
   * One step. Called inside `tidy`: returns the tensors to go on with, in order, either new ones or the same ones written
   * over. Old weights and gradients are disposed by whoever called.
   */
  step(weights: readonly Tensor[], gradients: readonly Tensor[]): Tensor[];
  /** Frees what it remembers. */
  dispose(): void;
}

export type OptimizerSettings = Pick<
  TrainingSettings,
  'optimizer' | 'learningRate' | 'momentum' | 'beta1' | 'beta2' | 'epsilon'
>;
