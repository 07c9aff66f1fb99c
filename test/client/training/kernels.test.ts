import type { Tensor } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { TensorFlow } from '../../../client/models/model.ts';
import { createRandom } from '../../../client/random.ts';
import { loadTensorFlow } from '../../../client/training/tfjs/backend.ts';
import { expectError } from '../support/expectError.ts';

const random = createRandom('kernels');
const values = (count: number) => Float32Array.from({ length: count }, () => random.nextNormal());

describe('client kernels', () => {
  let tf: TensorFlow;
  before(async () => {
    tf = await loadTensorFlow();
  });

  it('runs on the WASM backend', () => {
    expect(tf.getBackend()).to.equal('wasm');
  });

  it('the matrix product and its gradients are the sums they should be, for many shapes', async () => {
    for (const [m, k, n] of [
      [1, 1, 1],
      [3, 5, 2],
      [32, 784, 16],
      [7, 49, 50],
      [64, 100, 1],
    ] as const) {
      const a = values(m * k);
      const b = values(k * n);
      const dy = values(m * n);
      const grads = tf.tidy(() =>
        tf
          .grads((x: Tensor, y: Tensor) => tf.matMul(x as never, y as never))(
            [tf.tensor2d(a, [m, k]), tf.tensor2d(b, [k, n])],
            tf.tensor2d(dy, [m, n]),
          )
          .map((tensor) => tensor.dataSync<'float32'>()),
      );
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < k; j++) {
          let expected = 0;
          for (let c = 0; c < n; c++) expected += dy[i * n + c]! * b[j * n + c]!;
          expect(grads[0]![i * k + j]).to.be.closeTo(expected, 1e-4);
        }
      }
      for (let j = 0; j < k; j++) {
        for (let c = 0; c < n; c++) {
          let expected = 0;
          for (let i = 0; i < m; i++) expected += a[i * k + j]! * dy[i * n + c]!;
          expect(grads[1]![j * n + c]).to.be.closeTo(expected, 1e-4);
        }
      }
    }
  });

  it('keeps the gradients of transposed and batched products', () => {
    const batched = tf.tidy(() => {
      const grad = tf.grad((x: Tensor) => tf.sum(tf.matMul(x as never, tf.ones([2, 3, 4]) as never)));
      return grad(tf.ones([2, 5, 3])).dataSync();
    });
    expect([...batched]).to.deep.equal(new Array(30).fill(4));
    const transposed = tf.tidy(() => {
      const grad = tf.grad((x: Tensor) => tf.sum(tf.matMul(x as never, tf.ones([3, 4]) as never, true)));
      return grad(tf.ones([3, 5])).dataSync();
    });
    expect([...transposed]).to.deep.equal(new Array(15).fill(4));
  });

  it('refuses the gradient of max pooling, which loses windows whose maximum is not positive', () =>
    expectError(
      () => tf.tidy(() => tf.grad((x: Tensor) => tf.sum(tf.maxPool(x as never, 2, 2, 'valid')))(tf.ones([1, 4, 4, 1]))),
      'KERNEL_REFUSED',
      /MaxPoolGrad.*loses the gradient/,
    ));

  it('refuses the fused product with a bias where it is wrong and lets it through where it is right', async () => {
    const a = tf.ones([2, 60]) as never;
    const bias = tf.ones([3]) as never;
    expect([...tf.fused.matMul({ a, b: tf.ones([60, 3]) as never, bias }).dataSync()]).to.deep.equal(
      new Array(6).fill(61),
    );
    await expectError(
      () => tf.fused.matMul({ a, b: tf.ones([3, 60]) as never, transposeB: true, bias }),
      'KERNEL_REFUSED',
      /adds the bias once per 48-wide block/,
    );
    await expectError(
      () => tf.fused.matMul({ a: tf.ones([2, 2, 60]) as never, b: tf.ones([2, 60, 3]) as never, bias }),
      'KERNEL_REFUSED',
    );
  });
});
