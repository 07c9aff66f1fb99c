import type { Tensor } from '@tensorflow/tfjs-core';
import type { TensorFlow } from '../../models/model.ts';

/**
 * Stock TF.js writes the gradient of `a b` as products with a transpose flag, and its WASM backend runs every flagged
 * product as a scalar loop. The same products on operands that were transposed first run in its SIMD kernel; for
 * matrices this is the whole difference between the two.
 *
 *     C = A B:   dA = dC B^T,   dB = A^T dC
 */
export function replaceSlowGradients(tf: TensorFlow): void {
  const stock = tf.getGradient('BatchMatMul');
  tf.unregisterGradient('BatchMatMul');
  tf.registerGradient({
    ...stock,
    gradFunc: (dy, saved, attrs) => {
      const [a, b] = saved as [Tensor, Tensor];
      const { transposeA, transposeB } = attrs as { readonly transposeA?: boolean; readonly transposeB?: boolean };
      if (transposeA || transposeB || a.rank !== 2 || b.rank !== 2) return stock.gradFunc(dy, saved, attrs);
      const dc = dy as Tensor;
      return { a: () => tf.matMul(dc, tf.transpose(b)), b: () => tf.matMul(tf.transpose(a), dc) };
    },
  });
}
