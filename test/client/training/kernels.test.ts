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

  it('multiplies batches that broadcast', () => {
    const a = values(2 * 1 * 4 * 5);
    const b = values(3 * 5 * 6);
    const product = tf.tidy(() => tf.matMul(tf.tensor4d(a, [2, 1, 4, 5]), tf.tensor3d(b, [3, 5, 6]) as never));
    expect(product.shape).to.deep.equal([2, 3, 4, 6]);
    const sums = product.dataSync();
    for (let i = 0, at = 0; i < 2; i++) {
      for (let j = 0; j < 3; j++) {
        for (let row = 0; row < 4; row++) {
          for (let column = 0; column < 6; column++, at++) {
            let expected = 0;
            for (let k = 0; k < 5; k++) expected += a[(i * 4 + row) * 5 + k]! * b[(j * 5 + k) * 6 + column]!;
            expect(sums[at]).to.be.closeTo(expected, 1e-5);
          }
        }
      }
    }
    product.dispose();
  });

  for (const [what, attempt, text] of [
    [
      'the gradient of convolution in three dimensions, which is another one every time',
      () =>
        tf.grad((x: Tensor) => tf.conv3d(x as never, tf.ones([2, 2, 2, 1, 1]), 1, 'valid'))(tf.ones([1, 3, 3, 3, 1])),
      /Conv3DBackpropInputV2.*varies/,
    ],
    [
      'the gradient of mirroring, which TF.js has wrong',
      () => tf.grad((x: Tensor) => tf.mirrorPad(x as never, [[1, 1]], 'reflect'))(tf.ones([3])),
      /gradient of MirrorPad.*mirrored/,
    ],
    [
      'a gradient that TF.js does not have',
      () => tf.grad((x: Tensor) => tf.topk(x, 2).values)(tf.ones([3])),
      /gradient of TopK, which TF.js does not have/,
    ],
    [
      'a kernel that the backend does not have',
      () => tf.einsum('ij,jk->ik', tf.ones([2, 2]), tf.ones([2, 2])),
      /kernel Einsum, which this engine does not have/,
    ],
  ] as const) {
    it(`refuses ${what}, and says what to do`, () => expectError(() => tf.tidy(attempt), 'KERNEL_REFUSED', text));
  }

  it('the fused product adds its bias once, batched and transposed', () => {
    for (const [aShape, bShape, transposeA, transposeB] of [
      [[2, 60], [60, 3], false, false],
      [[2, 60], [3, 60], false, true],
      [[60, 2], [60, 3], true, false],
      [[4, 2, 60], [4, 60, 3], false, false],
      [[4, 2, 60], [1, 3, 60], false, true],
    ] as const) {
      const a = tf.ones([...aShape]) as never;
      const b = tf.ones([...bShape]) as never;
      const bias = tf.tensor1d([1, -100, 2]);
      for (const [activation, expected] of [
        ['linear', [61, -40, 62]],
        ['relu', [61, 0, 62]],
        ['relu6', [6, 0, 6]],
      ] as const) {
        const sums = tf.fused.matMul({ a, b, bias, activation, transposeA, transposeB }).dataSync();
        expect([...sums]).to.deep.equal(Array.from(sums, (_, i) => expected[i % 3]));
        expect(sums).to.have.length(aShape.length === 3 ? 24 : 6);
      }
    }
  });
});
