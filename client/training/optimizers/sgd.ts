import type { Tensor } from '@tensorflow/tfjs-core';
import type { TensorFlow } from '../../models/model.ts';
import type { Optimizer, OptimizerSettings } from './optimizer.ts';

/**
 * Stochastic gradient descent with heavy-ball momentum (Polyak 1964), in the form all frameworks share:
 *
 *     v <- m v + g,   w <- w - eta v
 */
export function sgd(tf: TensorFlow, { learningRate, momentum = 0 }: OptimizerSettings): Optimizer {
  let velocity: Tensor[] = [];
  return {
    step(weights, gradients) {
      const pull =
        momentum > 0 && velocity.length > 0
          ? gradients.map((gradient, i) => tf.add(tf.mul(velocity[i]!, momentum), gradient))
          : gradients;
      if (momentum > 0) {
        tf.dispose(velocity);
        // Copies of the first gradients: these may belong to somebody.
        velocity = pull.map((tensor) => tf.keep(pull === gradients ? tf.clone(tensor) : tensor));
      }
      return weights.map((weight, i) => tf.sub(weight, tf.mul(pull[i]!, learningRate)));
    },
    dispose() {
      tf.dispose(velocity);
      velocity = [];
    },
  };
}
