import type { Tensor } from '@tensorflow/tfjs-core';
import type { TensorFlow } from '../../models/model.ts';
import { loadTrainingKernels } from '../kernels/kernelModule.ts';
import type { Optimizer, OptimizerSettings } from './optimizer.ts';

/**
 * The manifest's optimiser on the engine's own kernels: one pass over each tensor, which writes the weights over. What it
 * computes is `plainOptimizer`, up to rounding. No other tensor may share the weights' memory.
 *
 * @param tf TF.js on its WASM backend
 */
export function fusedOptimizer(tf: TensorFlow, settings: OptimizerSettings): Optimizer {
  const { exports, address } = loadTrainingKernels(tf);
  const { learningRate, momentum = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = settings;
  const kept: Tensor[][] = [];
  // b^t by repeated products, not by a power: its bits would be the mathematics library's.
  let decay1 = 1;
  let decay2 = 1;

  /** The number-th tensor beside each of the weights, zeros at first. */
  const beside = (number: number, weights: readonly Tensor[]): Tensor[] => {
    kept[number] ??= weights.map(({ shape }) => tf.keep(tf.zeros(shape)));
    return kept[number];
  };

  return {
    step(weights, gradients) {
      const places = weights.map((weight, i) => [address(weight), address(gradients[i]!), weight.size] as const);
      if (settings.optimizer === 'adam') {
        decay1 *= beta1;
        decay2 *= beta2;
        const means = beside(0, weights);
        const squares = beside(1, weights);
        places.forEach(([w, g, n], i) => {
          const state = [address(means[i]!), address(squares[i]!)] as const;
          exports.adam(w, g, ...state, n, learningRate, beta1, beta2, epsilon, 1 - decay1, 1 - decay2);
        });
      } else if (momentum > 0) {
        const velocities = beside(0, weights);
        places.forEach(([w, g, n], i) => {
          exports.sgdMomentum(w, g, address(velocities[i]!), n, learningRate, momentum);
        });
      } else {
        for (const [w, g, n] of places) exports.sgdPlain(w, g, n, learningRate);
      }
      return [...weights];
    },
    dispose() {
      tf.dispose(kept);
      kept.length = 0;
      decay1 = 1;
      decay2 = 1;
    },
  };
}
