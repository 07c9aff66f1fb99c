/** Every operation that a model here is made of, against finite differences. */
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { TensorFlow } from '../../../client/models/model.ts';
import type { Ops } from '../../../client/models/ops.ts';
import { loadTensorFlow } from '../../../client/training/tfjs/backend.ts';
import { composedOps } from '../../../client/training/tfjs/ops/composedOps.ts';
import { fusedOps } from '../../../client/training/tfjs/ops/fusedOps.ts';
import { any, apart, type Differentiable, gradientError, positive } from '../support/finiteDifferences.ts';

/** Kinks: small steps cross few of them, and the rounding of single precision shows. */
const KINKED = { step: 1 / 1024, tolerance: 1e-2 };

/** Operations of TF.js that models, objectives and algorithms use as they are. */
function plainCases(tf: TensorFlow): Differentiable[] {
  const unary = (
    name: string,
    input: typeof any,
    run: (x: Tensor) => Tensor,
    rest: Partial<Differentiable> = {},
  ): Differentiable => ({ name, inputs: [input(3, 7)], run: ([x]) => run(x!), ...rest });
  const binary = (name: string, run: (a: Tensor, b: Tensor) => Tensor): Differentiable[] =>
    (
      [
        [any(3, 5), positive(3, 5)],
        [any(2, 3, 5), positive(5)],
        [any(4, 1), positive(3, 1, 6)],
      ] as const
    ).map(([a, b]) => ({
      name: `${name} of [${a.shape}] and [${b.shape}]`,
      inputs: [a, b],
      run: ([x, y]) => run(x!, y!),
      step: 1 / 32,
    }));
  const product = (a: number[], b: number[], transposeA: boolean, transposeB: boolean): Differentiable => ({
    name: `matMul of [${a}]${transposeA ? "'" : ''} and [${b}]${transposeB ? "'" : ''}`,
    inputs: [any(...a), any(...b)],
    run: ([x, y]) => tf.matMul(x as Tensor2D, y as Tensor2D, transposeA, transposeB),
  });
  const ids = () => tf.tensor1d([2, 0, 2, 3, 2], 'int32');

  return [
    ...binary('add', tf.add),
    ...binary('sub', tf.sub),
    ...binary('mul', tf.mul),
    ...binary('div', tf.div),
    {
      name: 'maximum',
      inputs: [apart(3, 4), apart(3, 4)],
      run: ([a, b]) => tf.maximum(a!, tf.add(b!, 0.07)),
      step: 1 / 64,
    },
    { name: 'addN', inputs: [any(3, 4), any(3, 4), any(3, 4)], run: (all) => tf.addN([...all]) },
    unary('neg', any, tf.neg),
    unary('square', any, tf.square),
    unary('sqrt', positive, tf.sqrt, { step: 1 / 32 }),
    unary('exp', any, tf.exp, { step: 1 / 32 }),
    unary('log', positive, tf.log, { step: 1 / 32 }),
    unary('abs', apart, tf.abs, { step: 1 / 32 }),
    unary('relu', apart, tf.relu, { step: 1 / 32 }),
    unary('tanh', any, tf.tanh, { step: 1 / 16 }),
    unary('sigmoid', any, tf.sigmoid),
    unary('softmax', any, (x) => tf.softmax(x), { step: 1 / 16 }),
    unary('logSoftmax', any, (x) => tf.logSoftmax(x)),
    ...[undefined, 0, 1, [0, 1]].flatMap((axis) => [
      unary(`sum over ${axis}`, any, (x) => tf.sum(x, axis)),
      unary(`mean over ${axis}`, any, (x) => tf.mean(x, axis)),
    ]),
    unary('cast', any, (x) => tf.cast(x, 'float32')),
    unary('clone', any, (x) => tf.clone(x)),
    unary('reshape', any, (x) => tf.reshape(x, [7, 1, 3])),
    unary('transpose', any, (x) => tf.transpose(x)),
    {
      name: 'transpose of four sides',
      inputs: [any(2, 3, 4, 5)],
      run: ([x]) => tf.transpose(x!, [0, 2, 1, 3]),
    },
    { name: 'slice', inputs: [any(4, 5, 3)], run: ([x]) => tf.slice(x as Tensor3D, [1, 2, 0], [2, 2, 3]) },
    { name: 'split', inputs: [any(2, 3, 6)], run: ([x]) => tf.mul(tf.split(x!, 3, 2)[1]!, tf.split(x!, 3, 2)[2]!) },
    { name: 'unstack', inputs: [any(3, 4)], run: ([x]) => tf.mul(tf.unstack(x!)[0]!, tf.unstack(x!)[2]!) },
    { name: 'stack', inputs: [any(3, 4), any(3, 4)], run: ([a, b]) => tf.stack([a!, b!], 1) },
    ...[0, 1, 2].map(
      (axis): Differentiable => ({
        name: `concat along ${axis}`,
        inputs: [any(2, 3, 4), any(2, 3, 4)],
        run: ([a, b]) => tf.concat([a!, b!], axis),
      }),
    ),
    { name: 'gather', inputs: [any(4, 5)], run: ([table]) => tf.gather(table!, ids()) },
    product([5, 60], [60, 7], false, false),
    product([60, 5], [60, 7], true, false),
    product([5, 60], [7, 60], false, true),
    product([60, 5], [7, 60], true, true),
    product([3, 4, 50], [3, 50, 6], false, false),
    product([3, 50, 4], [3, 6, 50], true, true),
    product([1, 1100], [1100, 3], false, false),
    product([33, 9], [9, 17], false, false),
  ];
}

/** Operations of models, for one implementation. */
function operationCases(tf: TensorFlow, ops: Ops, which: string): Differentiable[] {
  const labels = () => tf.tensor1d([1, 4, 0, 4], 'int32');
  const convolution = (
    x: readonly number[],
    filter: readonly number[],
    strides: number,
    padding: 'same' | 'valid',
    activation: 'linear' | 'relu' = 'linear',
  ): Differentiable => ({
    name: `${which} conv2d [${x}] * [${filter}], stride ${strides}, ${padding}, ${activation}`,
    inputs: [any(...x), any(...filter), any(filter[3]!)],
    run: ([image, kernel, bias]) =>
      ops.conv2d(image as Tensor4D, kernel as Tensor4D, bias as Tensor1D, { strides, padding, activation }),
    ...(activation === 'relu' ? KINKED : {}),
  });
  return [
    ...(['linear', 'relu', 'tanh', 'sigmoid', 'gelu'] as const).map(
      (activation): Differentiable => ({
        name: `${which} dense, ${activation}`,
        inputs: [any(3, 2, 50), any(50, 9), any(9)],
        run: ([x, kernel, bias]) => ops.dense(x!, kernel as Tensor2D, bias as Tensor1D, activation),
        ...(activation === 'relu' ? KINKED : activation === 'linear' ? {} : { step: 1 / 256, tolerance: 1e-3 }),
      }),
    ),
    convolution([2, 7, 5, 3], [3, 3, 3, 4], 1, 'same'),
    convolution([1, 9, 8, 2], [5, 5, 2, 3], 2, 'same'),
    convolution([2, 8, 9, 1], [5, 5, 1, 6], 1, 'valid'),
    convolution([2, 9, 7, 8], [5, 5, 8, 8], 1, 'same'),
    convolution([2, 7, 6, 8], [3, 3, 8, 16], 1, 'valid'),
    convolution([1, 6, 6, 8], [3, 3, 8, 8], 1, 'same', 'relu'),
    ...([2, 3] as const).flatMap((size): Differentiable[] => [
      {
        name: `${which} maxPool of ${size}, most windows below zero`,
        inputs: [apart(2, 7, 6, 5)],
        run: ([x]) => ops.maxPool(x as Tensor4D, size, 2),
        step: 1 / 16,
      },
      {
        name: `${which} avgPool of ${size}`,
        inputs: [any(2, 7, 6, 5)],
        run: ([x]) => ops.avgPool(x as Tensor4D, size, 2),
      },
    ]),
    {
      name: `${which} embedding`,
      inputs: [any(5, 6)],
      run: ([table]) => ops.embedding(table as Tensor2D, tf.tensor2d([3, 0, 3, 1, 3, 4], [2, 3], 'int32')),
    },
    {
      name: `${which} layerNorm`,
      inputs: [any(3, 4, 9), any(9), any(9)],
      run: ([x, gain, offset]) => ops.layerNorm(x!, gain as Tensor1D, offset as Tensor1D),
      step: 1 / 64,
      tolerance: 1e-3,
    },
    { name: `${which} gelu`, inputs: [any(4, 7)], run: ([x]) => ops.gelu(tf.mul(x!, 2)), step: 1 / 32 },
    {
      name: `${which} causalAttention`,
      inputs: [any(2, 5, 18)],
      run: ([qkv]) => ops.causalAttention(qkv as Tensor3D, 2),
      step: 1 / 32,
    },
    {
      name: `${which} lstm`,
      inputs: [any(2, 4, 3), any(3, 20), any(5, 20), any(20)],
      run: ([x, kernel, recurrent, bias]) =>
        ops.lstm(x as Tensor3D, kernel as Tensor2D, recurrent as Tensor2D, bias as Tensor1D),
      step: 1 / 64,
      tolerance: 1e-3,
    },
    {
      name: `${which} crossEntropy`,
      inputs: [any(4, 5)],
      run: ([logits]) => ops.crossEntropy(logits as Tensor2D, labels()),
    },
    {
      name: `${which} binaryCrossEntropy`,
      inputs: [any(3, 8)],
      run: ([logits]) =>
        ops.binaryCrossEntropy(
          logits as Tensor2D,
          tf.tensor2d(
            Array.from({ length: 24 }, (_, i) => (i % 5) / 4),
            [3, 8],
          ),
        ),
    },
  ];
}

describe('gradients against finite differences', function () {
  this.timeout(60_000);
  let tf: TensorFlow;
  before(async () => {
    tf = await loadTensorFlow();
  });

  const check = (tests: readonly Differentiable[]) => {
    const wrong = tests
      .map((test) => ({ test, error: gradientError(tf, test) }))
      .filter(({ test, error }) => !(error <= (test.tolerance ?? 1e-4)))
      .map(({ test, error }) => `${test.name}: ${error.toExponential(1)}`);
    expect(wrong).to.deep.equal([]);
  };

  it('plain operations of TF.js', () => check(plainCases(tf)));
  it('operations of models, composed of plain ones', () => check(operationCases(tf, composedOps(tf), 'composed')));
  it('operations of models, fused', () => check(operationCases(tf, fusedOps(tf), 'fused')));

  it('would see a wrong gradient', () => {
    const wrong = tf.customGrad((x) => ({
      value: tf.square(x as Tensor),
      // Right but in one place of 21.
      gradFunc: (dy: Tensor) => tf.mul(dy, tf.mul(2, tf.add(x as Tensor, tf.oneHot(tf.scalar(0, 'int32'), 7)))),
    }));
    const error = gradientError(tf, { name: 'wrong', inputs: [any(3, 7)], run: ([x]) => wrong(x!) });
    expect(error).to.be.above(0.01);
  });
});
