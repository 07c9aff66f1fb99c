import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import type { TensorFlow } from '../../../models/model.ts';
import type { Activation, Ops } from '../../../models/ops.ts';
import { countHits, countPixels } from './hits.ts';

/** Added to the variance before its root is taken. */
const LAYER_NORM_EPSILON = 1e-5;

/** What a score becomes where attention must not look: its exponential is zero in single precision. */
const MASKED = -1e9;

/**
 * The operations of models, composed of plain TF.js operations: for any backend, and the reference that the fused
 * kernels are tested against. Gradients are those TF.js derives, but where the derived one is wrong, missing on some
 * backends or loses digits; such an operation brings its own.
 */
export function composedOps(tf: TensorFlow): Ops {
  const ops: Ops = {
    dense(x, kernel, bias, activation = 'linear') {
      const [inputs, outputs] = kernel.shape;
      const rows = x.rank === 2 ? (x as Tensor2D) : tf.reshape(x, [-1, inputs]);
      const product = tf.matMul(rows, kernel) as Tensor2D;
      const sums = activate(bias === null ? product : tf.add(product, bias), activation);
      return x.rank === 2 ? sums : tf.reshape(sums, [...x.shape.slice(0, -1), outputs]);
    },

    conv2d(x, filter, bias, { strides, padding, activation }) {
      return activate(tf.add(tf.conv2d(x, filter, strides, padding), bias), activation) as Tensor4D;
    },

    maxPool: (x, size, strides) => tf.maxPool(x, size, strides, 'valid'),

    avgPool: (x, size, strides) => tf.avgPool(x, size, strides, 'valid'),

    // The gradient of a gather adds rows of dy wherever an id came twice. As a product with one-hot rows it needs no
    // scatter kernel, and the order of its sums does not depend on the ids.
    embedding(table, ids) {
      const [rows, width] = table.shape;
      const flat = tf.reshape(ids, [-1]) as Tensor1D;
      const gather = tf.customGrad((values, save) => {
        // Unsaved, ids that were made inside the function that is differentiated would be gone by then.
        (save as (tensors: Tensor[]) => void)([flat]);
        return {
          value: tf.gather(values as Tensor2D, flat),
          gradFunc: (dy: Tensor, saved: Tensor[]) =>
            tf.matMul(tf.transpose(tf.oneHot(saved[0]!, rows)) as Tensor2D, tf.cast(dy, 'float32')),
        };
      });
      return tf.reshape(gather(table), [...ids.shape, width]);
    },

    layerNorm(x, gain, offset) {
      const centred = tf.sub(x, tf.mean(x, -1, true));
      const variance = tf.mean(tf.square(centred), -1, true);
      const normed = tf.div(centred, tf.sqrt(tf.add(variance, LAYER_NORM_EPSILON)));
      return tf.add(tf.mul(normed, gain), offset);
    },

    gelu(x) {
      const inner = tf.mul(tf.add(x, tf.mul(tf.mul(x, tf.mul(x, x)), 0.044715)), Math.sqrt(2 / Math.PI));
      return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
    },

    causalAttention(qkv, heads) {
      const [batch, time, triple] = qkv.shape;
      const width = triple / 3;
      const size = width / heads;
      const [queries, keys, values] = tf
        .split(qkv, 3, 2)
        .map((part) => tf.transpose(tf.reshape(part, [batch, time, heads, size]), [0, 2, 1, 3])) as [
        Tensor4D,
        Tensor4D,
        Tensor4D,
      ];
      const scores = tf.mul(tf.matMul(queries, tf.transpose(keys, [0, 1, 3, 2])), 1 / Math.sqrt(size));
      const weights = tf.softmax(tf.add(scores, futureMask(time)));
      const seen = tf.transpose(tf.matMul(weights as Tensor4D, values), [0, 2, 1, 3]);
      return tf.reshape(seen, [batch, time, width]) as Tensor3D;
    },

    lstm(x, kernel, recurrent, bias) {
      const [batch] = x.shape;
      const [size] = recurrent.shape;
      const driven = tf.unstack(ops.dense(x, kernel, bias), 1) as Tensor2D[];
      let hidden: Tensor2D = tf.zeros([batch, size]);
      let cell: Tensor2D = tf.zeros([batch, size]);
      const states = driven.map((drive) => {
        const sums = tf.add(drive, tf.matMul(hidden, recurrent)) as Tensor2D;
        const [input, forget, candidate, output] = tf.split(sums, 4, 1) as [Tensor2D, Tensor2D, Tensor2D, Tensor2D];
        cell = tf.add(tf.mul(tf.sigmoid(forget), cell), tf.mul(tf.sigmoid(input), tf.tanh(candidate)));
        hidden = tf.mul(tf.sigmoid(output), tf.tanh(cell));
        return hidden;
      });
      return tf.stack(states, 1) as Tensor3D;
    },

    crossEntropy(logits, labels, score) {
      if (score !== undefined) {
        score.right += countHits(logits.dataSync<'float32'>(), logits.shape[1], labels.dataSync<'int32'>());
        score.of += labels.size;
      }
      const chosen = tf.mul(tf.logSoftmax(logits), tf.oneHot(labels, logits.shape[1]));
      return tf.neg(tf.mean(tf.sum(chosen, 1))) as Scalar;
    },

    // log(1 + e^x) - t x, written so that no exponential overflows. The derivative sigmoid(x) - t is right at 0 too,
    // where the parts have none.
    binaryCrossEntropy(logits, targets, score) {
      if (score !== undefined) {
        score.right += countPixels(logits.dataSync<'float32'>(), targets.dataSync<'float32'>());
        score.of += targets.size;
      }
      const batch = logits.shape[0];
      const loss = tf.customGrad((x, save) => {
        (save as (tensors: Tensor[]) => void)([x as Tensor, targets]);
        const softplus = tf.add(tf.relu(x as Tensor), tf.log(tf.add(tf.exp(tf.neg(tf.abs(x as Tensor))), 1)));
        return {
          value: tf.div(tf.sum(tf.sub(softplus, tf.mul(x as Tensor, targets))), batch),
          gradFunc: (dy: Tensor, saved: Tensor[]) =>
            tf.mul(dy, tf.div(tf.sub(tf.sigmoid(saved[0]!), saved[1]!), batch)),
        };
      });
      return loss(logits) as Scalar;
    },

    gaussianPoint: (mean, logVariance, noise) =>
      tf.add(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), noise)) as Tensor2D,

    gaussianDivergence(mean, logVariance) {
      const spread = tf.sub(tf.add(tf.square(mean), tf.exp(logVariance)), tf.add(logVariance, 1));
      return tf.mul(tf.sum(spread), 0.5 / mean.shape[0]) as Scalar;
    },
  };

  function activate(sums: Tensor, activation: Activation): Tensor {
    if (activation === 'linear') return sums;
    return activation === 'gelu' ? ops.gelu(sums) : tf[activation](sums);
  }

  /** `[t, t]`: zero where column <= row, very negative above the diagonal. */
  function futureMask(time: number): Tensor2D {
    const values = new Float32Array(time * time);
    for (let row = 0; row < time; row++) values.fill(MASKED, row * time + row + 1, (row + 1) * time);
    return tf.tensor2d(values, [time, time]);
  }

  return ops;
}
