import type { Tensor } from '@tensorflow/tfjs-core';
import type { TensorFlow } from '../../models/model.ts';
import type { Optimizer, OptimizerSettings } from './optimizer.ts';

/**
 * Adam (Kingma and Ba 2015, algorithm 1):
 *
 *     m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2,   w <- w - eta (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
 */
export function adam(tf: TensorFlow, settings: OptimizerSettings): Optimizer {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = settings;
  let first: Tensor[] = [];
  let second: Tensor[] = [];
  // b^t by repeated products, not by a power: its bits would be the mathematics library's.
  let decay1 = 1;
  let decay2 = 1;
  return {
    step(weights, gradients) {
      decay1 *= beta1;
      decay2 *= beta2;
      const blend = (kept: readonly Tensor[], beta: number, news: readonly Tensor[]) =>
        news.map((value, i) => {
          const fresh = tf.mul(value, 1 - beta);
          return tf.keep(kept.length === 0 ? fresh : tf.add(tf.mul(kept[i]!, beta), fresh));
        });
      const nextFirst = blend(first, beta1, gradients);
      const squares = gradients.map((gradient) => tf.square(gradient));
      const nextSecond = blend(second, beta2, squares);
      tf.dispose([...first, ...second]);
      first = nextFirst;
      second = nextSecond;
      return weights.map((weight, i) => {
        const root = tf.add(tf.sqrt(tf.div(second[i]!, 1 - decay2)), epsilon);
        return tf.sub(weight, tf.mul(tf.div(first[i]!, root), learningRate / (1 - decay1)));
      });
    },
    dispose() {
      tf.dispose([...first, ...second]);
      first = [];
      second = [];
    },
  };
}
