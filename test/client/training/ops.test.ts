/**
 * The operations of models, composed and fused, against their formulas, written out in double precision: values, and
 * gradients by central differences.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { Compute } from '../../../client/models/model.ts';
import type { Ops } from '../../../client/models/ops.ts';
import { createRandom } from '../../../client/random.ts';
import { loadTensorFlow } from '../../../client/training/tfjs/backend.ts';
import { composedOps } from '../../../client/training/tfjs/ops/composedOps.ts';
import { fusedOps } from '../../../client/training/tfjs/ops/fusedOps.ts';

type Numbers = readonly number[];

interface Case {
  readonly name: string;
  /** Shapes of the arguments that have gradients. */
  readonly shapes: readonly (readonly number[])[];
  readonly run: (ops: Ops, args: readonly Tensor[], compute: Compute) => Tensor;
  readonly formula: (...args: Numbers[]) => number[];
}

const indices = (count: number) => Array.from({ length: count }, (_, i) => i);
const sum = (values: Numbers) => values.reduce((total, value) => total + value, 0);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const gelu = (x: number) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const ACTIVATIONS = { linear: (x: number) => x, relu: (x: number) => Math.max(0, x), tanh: Math.tanh, sigmoid, gelu };

/** x `[rows, i]` kernel `[i, o]` + bias `[o]`. */
function affine(x: Numbers, kernel: Numbers, bias: Numbers | null, inputs: number, outputs: number): number[] {
  return indices(x.length / inputs).flatMap((row) =>
    indices(outputs).map(
      (o) => sum(indices(inputs).map((i) => x[row * inputs + i]! * kernel[i * outputs + o]!)) + (bias?.[o] ?? 0),
    ),
  );
}

function softmax(row: Numbers): number[] {
  const exponentials = row.map((value) => Math.exp(value - Math.max(...row)));
  return exponentials.map((value) => value / sum(exponentials));
}

/** A row of windows over `length` pixels: where each begins, padding before the first pixel negative. */
function windowStarts(length: number, size: number, strides: number, padding: 'same' | 'valid'): number[] {
  const count = padding === 'same' ? Math.ceil(length / strides) : Math.floor((length - size) / strides) + 1;
  const missing = padding === 'same' ? Math.max(0, (count - 1) * strides + size - length) : 0;
  return indices(count).map((i) => i * strides - Math.floor(missing / 2));
}

const [H, W, C, O] = [5, 4, 2, 3];

function conv(size: number, strides: number, padding: 'same' | 'valid', activation: 'linear' | 'relu'): Case {
  return {
    name: `conv2d ${size}x${size}, strides ${strides}, ${padding}, ${activation}`,
    shapes: [[2, H, W, C], [size, size, C, O], [O]],
    run: (ops, [x, filter, bias]) =>
      ops.conv2d(x as never, filter as never, bias as never, { strides, padding, activation }),
    formula: (x, filter, bias) =>
      [0, 1].flatMap((b) =>
        windowStarts(H, size, strides, padding).flatMap((top) =>
          windowStarts(W, size, strides, padding).flatMap((left) =>
            indices(O).map((o) => {
              let total = bias[o]!;
              for (const i of indices(size)) {
                for (const j of indices(size)) {
                  const [row, column] = [top + i, left + j];
                  if (row < 0 || row >= H || column < 0 || column >= W) continue;
                  for (const c of indices(C)) {
                    total += x[((b * H + row) * W + column) * C + c]! * filter[((i * size + j) * C + c) * O + o]!;
                  }
                }
              }
              return ACTIVATIONS[activation](total);
            }),
          ),
        ),
      ),
  };
}

function pool(kind: 'maxPool' | 'avgPool', size: number, strides: number): Case {
  return {
    name: `${kind} ${size}x${size}, strides ${strides}`,
    shapes: [[2, H, W, C]],
    run: (ops, [x]) => ops[kind](x as never, size, strides),
    formula: (x) =>
      [0, 1].flatMap((b) =>
        windowStarts(H, size, strides, 'valid').flatMap((top) =>
          windowStarts(W, size, strides, 'valid').flatMap((left) =>
            indices(C).map((c) => {
              const window = indices(size * size).map((k) => {
                const [row, column] = [top + Math.floor(k / size), left + (k % size)];
                return x[((b * H + row) * W + column) * C + c]!;
              });
              return kind === 'maxPool' ? Math.max(...window) : sum(window) / window.length;
            }),
          ),
        ),
      ),
  };
}

const IDS = [3, 0, 3, 1, 3, 2];

const CASES: readonly Case[] = [
  ...(['linear', 'relu', 'tanh', 'sigmoid', 'gelu'] as const).map(
    (activation): Case => ({
      name: `dense, ${activation}`,
      shapes: [[2, 3, 4], [4, 5], [5]],
      run: (ops, [x, kernel, bias]) => ops.dense(x!, kernel as never, bias as never, activation),
      formula: (x, kernel, bias) => affine(x, kernel, bias, 4, 5).map(ACTIVATIONS[activation]),
    }),
  ),
  {
    name: 'dense without a bias',
    shapes: [
      [3, 4],
      [4, 2],
    ],
    run: (ops, [x, kernel]) => ops.dense(x!, kernel as never, null),
    formula: (x, kernel) => affine(x, kernel, null, 4, 2),
  },
  conv(3, 1, 'same', 'relu'),
  conv(3, 1, 'valid', 'linear'),
  conv(2, 2, 'same', 'linear'),
  conv(3, 2, 'same', 'relu'),
  pool('maxPool', 2, 2),
  pool('maxPool', 3, 1),
  pool('avgPool', 2, 2),
  pool('avgPool', 3, 1),
  {
    name: 'embedding, ids that come again',
    shapes: [[4, 3]],
    run: (ops, [table], { tf }) => ops.embedding(table as never, tf.tensor2d(IDS, [2, 3], 'int32')),
    formula: (table) => IDS.flatMap((id) => table.slice(id * 3, id * 3 + 3)),
  },
  {
    name: 'layerNorm',
    shapes: [[2, 3, 5], [5], [5]],
    run: (ops, [x, gain, offset]) => ops.layerNorm(x!, gain as never, offset as never),
    formula: (x, gain, offset) =>
      indices(6).flatMap((row) => {
        const values = x.slice(row * 5, row * 5 + 5);
        const mean = sum(values) / 5;
        const variance = sum(values.map((value) => (value - mean) ** 2)) / 5;
        return values.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-5)) * gain[i]! + offset[i]!);
      }),
  },
  { name: 'gelu', shapes: [[9]], run: (ops, [x]) => ops.gelu(x!), formula: (x) => x.map(gelu) },
  {
    name: 'causalAttention, two heads',
    shapes: [[2, 3, 12]],
    run: (ops, [qkv]) => ops.causalAttention(qkv as never, 2),
    formula: (qkv) => {
      const at = (b: number, t: number, part: number, head: number, i: number) =>
        qkv[(b * 3 + t) * 12 + part * 4 + head * 2 + i]!;
      return [0, 1].flatMap((b) =>
        indices(3).flatMap((t) =>
          [0, 1].flatMap((head) => {
            const scores = indices(t + 1).map(
              (s) => sum([0, 1].map((i) => at(b, t, 0, head, i) * at(b, s, 1, head, i))) / Math.sqrt(2),
            );
            const weights = softmax(scores);
            return [0, 1].map((i) => sum(weights.map((weight, s) => weight * at(b, s, 2, head, i))));
          }),
        ),
      );
    },
  },
  {
    name: 'lstm over a sequence',
    shapes: [[2, 4, 3], [3, 8], [2, 8], [8]],
    run: (ops, [x, kernel, recurrent, bias]) =>
      ops.lstm(x as never, kernel as never, recurrent as never, bias as never),
    formula: (x, kernel, recurrent, bias) =>
      [0, 1].flatMap((b) => {
        let hidden = [0, 0];
        let cell = [0, 0];
        return indices(4).flatMap((t) => {
          const from = (b * 4 + t) * 3;
          const driven = affine(x.slice(from, from + 3), kernel, bias, 3, 8);
          const sums = affine(hidden, recurrent, null, 2, 8).map((value, i) => value + driven[i]!);
          const gate = (which: number, i: number) => sums[which * 2 + i]!;
          cell = cell.map((value, i) => sigmoid(gate(1, i)) * value + sigmoid(gate(0, i)) * Math.tanh(gate(2, i)));
          hidden = cell.map((value, i) => sigmoid(gate(3, i)) * Math.tanh(value));
          return hidden;
        });
      }),
  },
  {
    name: 'crossEntropy',
    shapes: [[3, 4]],
    run: (ops, [logits], { tf }) => ops.crossEntropy(logits as never, tf.tensor1d([2, 0, 3], 'int32')),
    formula: (logits) => [
      -sum([2, 0, 3].map((label, row) => Math.log(softmax(logits.slice(row * 4, row * 4 + 4))[label]!))) / 3,
    ],
  },
  {
    name: 'binaryCrossEntropy',
    shapes: [[2, 3]],
    run: (ops, [logits], { tf }) =>
      ops.binaryCrossEntropy(logits as never, tf.tensor2d([0, 1, 0.25, 1, 0.5, 0], [2, 3])),
    formula: (logits) => [
      sum(
        [0, 1, 0.25, 1, 0.5, 0].map((target, i) => {
          const p = sigmoid(logits[i]!);
          return -(target * Math.log(p) + (1 - target) * Math.log(1 - p)) / 2;
        }),
      ),
    ],
  },
];

for (const [implementation, makeOps] of Object.entries({ composed: composedOps, fused: fusedOps })) {
  describe(`client operations of models: ${implementation}`, () => {
    let compute: Compute;
    before(async () => {
      const tf = await loadTensorFlow();
      compute = { tf, ops: makeOps(tf) };
    });

    for (const { name, shapes, run, formula } of CASES) {
      it(`${name}: values and gradients are those of the formula`, () => {
        const { tf, ops } = compute;
        const random = createRandom('composed', name);
        const draw = (count: number) => Array.from({ length: count }, () => Math.fround(random.nextNormal()));
        const args = shapes.map((shape) => draw(shape.reduce((product, side) => product * side, 1)));
        const expected = formula(...args);
        const dy = draw(expected.length);
        const { value, gradients } = tf.tidy(() => {
          const tensors = args.map((values, i) => tf.tensor(values, [...shapes[i]!]));
          const forward = run(ops, tensors, compute);
          const upstream = tf.tensor(dy, forward.shape);
          const grads = tf.grads((...inputs: Tensor[]) => run(ops, inputs, compute))(tensors, upstream);
          return {
            value: [...forward.dataSync<'float32'>()],
            gradients: grads.map((gradient) => [...gradient.dataSync<'float32'>()]),
          };
        });
        expect(value).to.have.length(expected.length);
        value.forEach((each, i) => {
          expect(each).to.be.closeTo(expected[i]!, 2e-5);
        });
        const along = (values: Numbers[]) => sum(formula(...values).map((each, i) => each * dy[i]!));
        args.forEach((values, which) => {
          values.forEach((_, i) => {
            const moved = (step: number) =>
              along(args.map((each, k) => (k === which ? each.with(i, each[i]! + step) : each)));
            const slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            expect(gradients[which]![i], `argument ${which}, coordinate ${i}`).to.be.closeTo(slope, 1e-4);
          });
        });
      });
    }

    it('binaryCrossEntropy neither overflows far out nor loses its slope at zero', () => {
      const { tf, ops } = compute;
      const targets = tf.tensor2d([0, 1, 1, 0], [1, 4]);
      const logits = tf.tensor2d([200, -200, 0, 0], [1, 4]);
      expect(ops.binaryCrossEntropy(logits, targets).dataSync()[0]).to.be.closeTo(400 + 2 * Math.LN2, 1e-3);
      const slope = tf.grad((x) => ops.binaryCrossEntropy(x as never, targets))(logits);
      expect([...slope.dataSync()]).to.deep.equal([1, -1, -0.5, 0.5]);
    });
  });
}
