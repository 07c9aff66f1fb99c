import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { TensorFlow } from '../../../client/models/model.ts';
import type { Activation, Ops } from '../../../client/models/ops.ts';
import { createRandom } from '../../../client/random.ts';
import { loadTrainingKernels } from '../../../client/training/kernels/kernelModule.ts';
import { loadTensorFlow } from '../../../client/training/tfjs/backend.ts';
import { composedOps } from '../../../client/training/tfjs/ops/composedOps.ts';
import { fusedOps } from '../../../client/training/tfjs/ops/fusedOps.ts';

/** An operation on float tensors of given shapes, for both implementations. */
interface Case {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  run(ops: Ops, inputs: readonly Tensor[]): Tensor;
}

/** Sums of up to 300 products of numbers around 1, in another order. */
const TOLERANCE = 2e-5;

describe('fused operations', () => {
  let tf: TensorFlow;
  let fused: Ops;
  let composed: Ops;

  before(async function () {
    this.timeout(20_000);
    tf = await loadTensorFlow();
    fused = fusedOps(tf);
    composed = composedOps(tf);
  });

  /** Uniform in -1..1, the same for the same key. */
  function values(key: string, length: number): Float32Array {
    const random = createRandom('fused', key);
    return Float32Array.from({ length }, () => 2 * random.nextFloat() - 1);
  }

  function inputsOf({ name, shapes }: Case): Tensor[] {
    return shapes.map((shape, i) => tf.tensor(values(`${name} ${i}`, tf.util.sizeFromShape([...shape])), [...shape]));
  }

  /** The value, and the gradients of its inner product with fixed numbers by every input. */
  function outcome(test: Case, ops: Ops): { value: Float32Array; shape: number[]; gradients: Float32Array[] } {
    const inputs = inputsOf(test);
    const plain = tf.tidy(() => test.run(ops, inputs));
    const weigh = tf.tensor(values(`${test.name} dy`, plain.size), plain.shape);
    const { value, grads } = tf.valueAndGrads((...tensors: Tensor[]) => tf.sum(tf.mul(test.run(ops, tensors), weigh)))(
      inputs,
    );
    const result = {
      value: plain.dataSync<'float32'>().slice(),
      shape: plain.shape,
      gradients: grads.map((gradient) => gradient.dataSync<'float32'>().slice()),
    };
    tf.dispose([inputs, plain, weigh, value, grads]);
    return result;
  }

  function expectClose(got: Float32Array, wanted: Float32Array, what: string): void {
    expect(got.length, what).to.equal(wanted.length);
    const size = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
    for (let i = 0; i < got.length; i++) {
      if (!(Math.abs(got[i]! - wanted[i]!) <= TOLERANCE * size)) {
        expect.fail(`${what}: ${got[i]} instead of ${wanted[i]} at ${i}`);
      }
    }
  }

  const activations: Activation[] = ['linear', 'relu', 'tanh', 'sigmoid', 'gelu'];
  const ids = (key: string, shape: number[], below: number): Tensor => {
    const random = createRandom('fused ids', key);
    const length = tf.util.sizeFromShape(shape);
    return tf.tensor(
      Int32Array.from({ length }, () => Math.floor(random.nextFloat() * below)),
      shape,
      'int32',
    );
  };

  const cases: Case[] = [
    ...activations.flatMap((activation, i): Case[] =>
      (
        [
          [[5, 7], 7, 3],
          [[2, 3, 4], 4, 8],
          [[32, 130], 130, 17],
        ] as const
      ).map(([x, inputs, outputs]) => ({
        name: `dense ${activation} [${x}] -> ${outputs}`,
        shapes: i % 2 === 0 ? [x, [inputs, outputs], [outputs]] : [x, [inputs, outputs]],
        run: (ops, [signal, kernel, bias]) =>
          ops.dense(signal!, kernel as Tensor2D, (bias as Tensor1D) ?? null, activation),
      })),
    ),
    ...[1, 3, 4, 65].map(
      (width): Case => ({
        name: `layerNorm of ${width}`,
        // One number alone is its own mean: nothing but the offset remains.
        shapes: [[3, 5, width], [width], [width]],
        run: (ops, [x, gain, offset]) => ops.layerNorm(x!, gain as Tensor1D, offset as Tensor1D),
      }),
    ),
    ...(
      [
        [[2, 7, 6, 3], [3, 3, 3, 5], 1, 'same', 'relu'],
        [[2, 9, 7, 2], [5, 5, 2, 6], 2, 'valid', 'linear'],
        [[2, 8, 8, 8], [5, 5, 8, 16], 1, 'same', 'relu'],
      ] as const
    ).map(
      ([x, filter, strides, padding, activation]): Case => ({
        name: `convolution of [${x}] by [${filter}], ${padding}, ${activation}`,
        shapes: [x, filter, [filter[3]]],
        run: (ops, [signal, kernel, bias]) =>
          ops.conv2d(signal as Tensor4D, kernel as Tensor4D, bias as Tensor1D, { strides, padding, activation }),
      }),
    ),
    ...(['maxPool', 'avgPool'] as const).map(
      (pool): Case => ({ name: pool, shapes: [[2, 7, 6, 5]], run: (ops, [x]) => ops[pool](x as Tensor4D, 3, 2) }),
    ),
    ...[1, 6, 64].map(
      (size): Case => ({ name: `gelu of ${size}`, shapes: [[size]], run: (ops, [x]) => ops.gelu(tf.mul(x!, 4)) }),
    ),
    ...(
      [
        [1, 1, 1, 1],
        [2, 5, 2, 3],
        [1, 16, 1, 4],
        [2, 37, 3, 5],
        [1, 64, 2, 16],
      ] as const
    ).map(
      ([batch, time, heads, size]): Case => ({
        name: `attention of ${batch}x${time}, ${heads} heads of ${size}`,
        shapes: [[batch, time, 3 * heads * size]],
        run: (ops, [qkv]) => ops.causalAttention(tf.mul(qkv!, 3) as Tensor3D, heads),
      }),
    ),
    ...(
      [
        // One step alone: TF.js cannot take the gradient of an unstacked single tensor.
        [1, 2, 1, 1],
        [2, 3, 5, 4],
        [3, 7, 2, 6],
        [9, 4, 8, 16],
      ] as const
    ).map(
      ([batch, time, inputs, units]): Case => ({
        name: `lstm of ${batch}x${time}, ${inputs} inputs, ${units} units`,
        shapes: [[batch, time, inputs], [inputs, 4 * units], [units, 4 * units], [4 * units]],
        run: (ops, [x, kernel, recurrent, bias]) =>
          ops.lstm(x as Tensor3D, kernel as Tensor2D, recurrent as Tensor2D, bias as Tensor1D),
      }),
    ),
    // Rows of a table that has fewer of them than there are places: the layer works on the table.
    ...[3, 40].map(
      (rows): Case => ({
        name: `lstm of an embedding with ${rows} rows`,
        shapes: [[rows, 5], [5, 16], [4, 16], [16]],
        run: (ops, [table, kernel, recurrent, bias]) =>
          ops.lstm(
            ops.embedding(table as Tensor2D, ids('lstm', [2, 6], rows)) as Tensor3D,
            kernel as Tensor2D,
            recurrent as Tensor2D,
            bias as Tensor1D,
          ),
      }),
    ),
    ...[1, 3, 8].map(
      (width): Case => ({
        name: `embedding of ${width}`,
        shapes: [[5, width]],
        run: (ops, [table]) => ops.embedding(table as Tensor2D, ids('embedding', [2, 6], 5)),
      }),
    ),
    ...[2, 3, 4, 10, 97].map(
      (classes): Case => ({
        name: `cross-entropy of ${classes} classes`,
        shapes: [[6, classes]],
        run: (ops, [logits]) =>
          ops.crossEntropy(tf.mul(logits!, 5) as Tensor2D, ids('labels', [6], classes) as Tensor1D) as Scalar,
      }),
    ),
    ...[1, 6, 32].map(
      (width): Case => ({
        name: `binary cross-entropy of ${width}`,
        shapes: [[3, width]],
        run: (ops, [logits]) =>
          ops.binaryCrossEntropy(
            tf.mul(logits!, 20) as Tensor2D,
            tf.tensor2d(
              values('targets', 3 * width).map((x) => (x + 1) / 2),
              [3, width],
            ),
          ),
      }),
    ),
    ...[1, 7, 16].flatMap((width): Case[] => [
      {
        name: `gaussian point of ${width}`,
        shapes: [
          [3, width],
          [3, width],
        ],
        run: (ops, [mean, logVariance]) =>
          ops.gaussianPoint(
            mean as Tensor2D,
            tf.mul(logVariance!, 3) as Tensor2D,
            tf.tensor2d(values('noise', 3 * width), [3, width]),
          ),
      },
      {
        name: `gaussian divergence of ${width}`,
        shapes: [
          [3, width],
          [3, width],
        ],
        run: (ops, [mean, logVariance]) =>
          ops.gaussianDivergence(mean as Tensor2D, tf.mul(logVariance!, 3) as Tensor2D),
      },
    ]),
  ];

  it('give what plain TF.js operations give, values and gradients, for odd and even sizes', function () {
    this.timeout(20_000);
    for (const test of cases) {
      const wanted = outcome(test, composed);
      const got = outcome(test, fused);
      expect(got.shape, test.name).to.deep.equal(wanted.shape);
      expectClose(got.value, wanted.value, test.name);
      wanted.gradients.forEach((gradient, i) => {
        expectClose(got.gradients[i]!, gradient, `${test.name}, gradient ${i}`);
      });
    }
  });

  it('exp, tanh, sigmoid and gelu stay within a few units in the last place of double precision', () => {
    const { exports, floats, output, address } = loadTrainingKernels(tf);
    const x = Float32Array.from({ length: 40_001 }, (_, i) => (i - 20_000) / 1000 + i * 1e-7);
    const tensor = tf.tensor1d(x);
    const out = output([x.length]);
    const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
    const exact = [
      [2, Math.tanh],
      [5, Math.exp],
      [3, sigmoid],
      [4, (v: number) => v * sigmoid(2 * Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))],
    ] as const;
    for (const [kind, function_] of exact) {
      exports.activate(kind, address(tensor), address(out), x.length);
      const got = floats(address(out), x.length);
      for (let i = 0; i < x.length; i++) {
        const wanted = function_(x[i]!);
        // gelu multiplies an error of its exponent: relative to x, not to a tail that is nearly zero.
        const scale = kind === 4 ? Math.abs(x[i]!) : Math.abs(wanted);
        if (!(Math.abs(got[i]! - wanted) <= 4 * 2 ** -24 * scale + 1e-37)) {
          expect.fail(`kind ${kind} of ${x[i]}: ${got[i]} instead of ${wanted}`);
        }
      }
    }
    tensor.dispose();
    tf.backend().disposeData(out.dataId);
  });

  it('keep infinities and NaN what they are', () => {
    const { exports, floats, output, address } = loadTrainingKernels(tf);
    const tensor = tf.tensor1d([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN, -0, 200, -200]);
    const out = output([6]);
    const of = (kind: number) => {
      exports.activate(kind, address(tensor), address(out), 6);
      return [...floats(address(out), 6)];
    };
    expect(of(2)).to.deep.equal([-1, 1, Number.NaN, -0, 1, -1]);
    const [none, all, nothing, half, most, least] = of(3);
    expect([all, nothing, half, most]).to.deep.equal([1, Number.NaN, 0.5, 1]);
    expect([none, least].every((value) => value! >= 0 && value! < 1e-37)).to.equal(true);
    expect(of(1)[2]).to.deep.equal(Number.NaN);
    expect(of(5)).to.deep.equal([0, Number.POSITIVE_INFINITY, Number.NaN, 1, Number.POSITIVE_INFINITY, 0]);
    tensor.dispose();
    tf.backend().disposeData(out.dataId);
  });

  it('serve as exp, tanh and sigmoid of TF.js', () => {
    const x = tf.tensor2d([-3, -0.5, 0, 0.25, 1, 20, -20], [7, 1]);
    for (const [got, function_] of [
      [tf.exp(x), Math.exp],
      [tf.tanh(x), Math.tanh],
      [tf.sigmoid(x), (v: number) => 1 / (1 + Math.exp(-v))],
    ] as const) {
      expect(got.shape).to.deep.equal([7, 1]);
      const wanted = x.dataSync<'float32'>().map(function_);
      got.dataSync<'float32'>().forEach((value, i) => {
        expect(value / wanted[i]!).to.satisfy((ratio: number) => Math.abs(ratio - 1) < 1e-6 || value === wanted[i]);
      });
    }
    expect(tf.exp(tf.tensor1d([0, 1], 'int32')).dataSync()[1]).to.be.closeTo(Math.E, 1e-6);
    expect(tf.tanh(tf.zeros([0, 3])).shape).to.deep.equal([0, 3]);
  });

  it('depend on nothing that memory held before', () => {
    // Freed memory is what the next tensors and scratch are made of.
    const litter = (value: number) => {
      const waste = [40, 3000, 100_000, 1_000_000].map((length) => tf.fill([length], value));
      const context = loadTrainingKernels(tf);
      context.floats(context.scratch(2_000_000), 500_000).fill(value);
      tf.dispose(waste);
    };
    for (const test of cases) {
      litter(0);
      const clean = outcome(test, fused);
      litter(Number.NaN);
      expect(outcome(test, fused), test.name).to.deep.equal(clean);
    }
  });

  it('count what was right as plain operations do: the first of equal logits, pixels on their side of one half', () => {
    const rows = tf.tensor2d([2, 2, 1, 0, 2, 2, 5, 1, 1, 0, -1, 5].concat([-1, -1, -1]), [5, 3]);
    const labels = tf.tensor1d([0, 2, 0, 2, 0], 'int32');
    const logits = tf.tensor2d([...values('sides', 18), 0, 1, -1], [3, 7]);
    const targets = tf.tensor2d([...values('other sides', 18).map(Math.abs), 0.2, 0.5, 0], [3, 7]);
    const scores = [fused, composed].map((ops) => {
      const classes = { right: 0, of: 0 };
      ops.crossEntropy(rows, labels, classes);
      const pixels = { right: 1, of: 2 };
      ops.binaryCrossEntropy(logits, targets, pixels);
      return { classes, pixels };
    });
    expect(scores[0]!.classes).to.deep.equal({ right: 4, of: 5 });
    expect(scores[0]).to.deep.equal(scores[1]);
  });

  it('let NaN through to the loss, and look into no future', () => {
    const labels = tf.tensor1d([0, 1], 'int32');
    const logits = tf.tensor2d([1, Number.NaN, 0, 0, 1, 2], [2, 3]);
    expect(fused.crossEntropy(logits, labels).dataSync()[0]).to.deep.equal(Number.NaN);
    expect(fused.binaryCrossEntropy(logits, tf.zeros([2, 3])).dataSync()[0]).to.deep.equal(Number.NaN);
    const qkv = tf.tensor3d(values('future', 19 * 12), [1, 19, 12]);
    const firstFive = tf.grad((x) => tf.sum(tf.slice(fused.causalAttention(x as Tensor3D, 2), [0, 0, 0], [1, 5, 4])));
    const gradient = firstFive(qkv).dataSync<'float32'>();
    expect(gradient.subarray(48, 60).some((value) => value !== 0)).to.equal(true);
    expect(gradient.subarray(60).every((value) => value === 0)).to.equal(true);
  });

  it('take a sequence of one step, too', () => {
    const [x, kernel, recurrent, bias] = [[2, 1, 3], [3, 8], [2, 8], [8]].map((shape, i) =>
      tf.tensor(values(`one ${i}`, tf.util.sizeFromShape(shape)), shape),
    );
    const run = (lstm: Ops['lstm'], input: Tensor) =>
      lstm(input as Tensor3D, kernel as Tensor2D, recurrent as Tensor2D, bias as Tensor1D);
    const got = run(fused.lstm, x!).dataSync<'float32'>();
    expectClose(got, run(composed.lstm, x!).dataSync<'float32'>(), 'states');
    const grads = tf.grads((a, b) =>
      tf.sum(fused.lstm(a as Tensor3D, kernel as Tensor2D, b as Tensor2D, bias as Tensor1D)),
    );
    const [dx, drecurrent] = grads([x!, recurrent!]);
    expect(drecurrent!.dataSync<'float32'>().every((value) => value === 0)).to.equal(true);
    const step = 2 ** -8;
    const moved = (by: number) => {
      const input = x!.dataSync<'float32'>().slice();
      input[4] = input[4]! + by;
      return run(fused.lstm, tf.tensor(input, [2, 1, 3]))
        .dataSync<'float32'>()
        .reduce((sum, value) => sum + value, 0);
    };
    expect(dx!.dataSync<'float32'>()[4]).to.be.closeTo((moved(step) - moved(-step)) / (2 * step), 1e-4);
  });

  it('refuse ids and labels that do not exist, and say which', () => {
    const table = tf.zeros([4, 2]) as Tensor2D;
    const wrong = tf.tensor1d([0, 3, 4], 'int32');
    expect(() => fused.embedding(table, wrong)).to.throw(/ids from 0 to 3[\s\S]*4, at place 2/);
    expect(() => fused.crossEntropy(tf.zeros([3, 4]), wrong)).to.throw(/label 4 at row 2/);
    expect(() => fused.dense(table, tf.zeros([3, 4]), null)).to.throw(/for a kernel \[3, 4\]/);
  });

  it('leave no tensor behind', () => {
    for (const test of cases) {
      const before = tf.memory().numTensors;
      outcome(test, fused);
      expect(tf.memory().numTensors, test.name).to.equal(before);
    }
  });
});
