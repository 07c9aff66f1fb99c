import type { Rank, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import type { TensorFlow } from '../../../../client/models/model.ts';
import { createRandom } from '../../../../client/random.ts';
import { loadTensorFlow } from '../../../../client/training/tfjs/backend.ts';
import { expectError } from '../../support/expectError.ts';
import { outputSides, plainConvolution, plainPooling, type Windows } from '../../support/plainWindows.ts';

const random = createRandom('windows');
const values = (count: number) => Float32Array.from({ length: count }, () => random.nextNormal());

/** Largest difference, as a share of the largest expected value. */
function farthest(actual: ArrayLike<number>, expected: Float64Array): number {
  expect(actual.length).to.equal(expected.length);
  let largest = 1e-30;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    const here = Math.abs(actual[i]! - expected[i]!);
    if (!(here <= difference)) difference = here;
  }
  return difference / largest;
}

const windows = (text: string, rest: Partial<Windows> = {}): Windows => {
  const [batch, height, width, channels, filterHeight, filterWidth, filters] = text.split(' ').map(Number);
  const sides = { batch, height, width, channels, filterHeight, filterWidth, filters } as Omit<
    Windows,
    'stride' | 'dilation' | 'padding'
  >;
  return { ...sides, stride: 1, dilation: 1, padding: 'valid', ...rest };
};

const name = (w: Windows) =>
  `[${w.batch}, ${w.height}, ${w.width}, ${w.channels}] ${w.filterHeight}x${w.filterWidth}x${w.filters} ${w.padding}, stride ${w.stride}, dilation ${w.dilation}`;

const CONVOLUTIONS: readonly Windows[] = [
  windows('1 1 1 1 1 1 1'),
  windows('2 7 9 3 3 2 5', { padding: 'same' }),
  windows('2 9 7 4 3 3 8', { stride: 2, padding: 'same' }),
  windows('3 11 10 2 5 5 6', { stride: 3 }),
  windows('2 12 11 5 3 3 4', { dilation: 2, padding: 'same' }),
  windows('1 5 6 17 1 1 9'),
  windows('2 8 8 1 5 5 6', { padding: 'same' }), // LeNet's first
  windows('2 14 14 6 5 5 16'), // and second
  windows('2 14 14 8 5 5 12', { padding: 'same' }),
  windows('3 9 13 9 5 5 11', { padding: 'same' }),
  windows('2 13 10 8 5 5 8'), // from here on most go the short way
  windows('5 14 14 16 5 5 24', { padding: 'same' }),
  windows('2 14 14 24 3 3 16', { padding: 'same' }),
  windows('2 9 11 10 3 3 13', { padding: 'same' }),
  windows('3 10 9 8 3 3 8'),
  windows('3 12 21 3 4 2 10', { stride: 2, padding: 'same' }),
  windows('2 6 9 40 4 4 19'), // too long a window for the direct way
  windows('1 3 2 8 5 5 8', { padding: 'same' }), // smaller than the window
  windows('300 5 5 3 3 3 2'), // more windows than a block holds
];

describe('convolution and pooling', () => {
  let tf: TensorFlow;
  before(async () => {
    tf = await loadTensorFlow();
  });

  /** Output, both gradients and the fused form against the sums written out. */
  function checkConvolution(w: Windows): void {
    const [outHeight, outWidth] = outputSides(w);
    const x = values(w.batch * w.height * w.width * w.channels);
    const filter = values(w.filterHeight * w.filterWidth * w.channels * w.filters);
    const dy = values(w.batch * outHeight * outWidth * w.filters);
    const expected = plainConvolution(w, x, filter, dy);
    tf.tidy(() => {
      const xt = tf.tensor4d(x, [w.batch, w.height, w.width, w.channels]);
      const ft = tf.tensor4d(filter, [w.filterHeight, w.filterWidth, w.channels, w.filters]);
      const dyt = tf.tensor4d(dy, [w.batch, outHeight, outWidth, w.filters]);
      const y = tf.conv2d(xt, ft, w.stride, w.padding, 'NHWC', w.dilation);
      expect(farthest(y.dataSync(), expected.y)).to.be.below(1e-5);
      if (w.dilation === 1) {
        const [dx, dFilter] = tf.grads((a: Tensor, b: Tensor) =>
          tf.conv2d(a as Tensor4D, b as Tensor4D, w.stride, w.padding),
        )([xt, ft], dyt);
        expect(farthest(dx!.dataSync(), expected.dx)).to.be.below(1e-5);
        expect(farthest(dFilter!.dataSync(), expected.dFilter)).to.be.below(1e-5);
      }
      const bias = values(w.filters);
      const fused = tf.fused.conv2d({
        ...{ x: xt, filter: ft, bias: tf.tensor1d(bias), strides: w.stride, pad: w.padding, dilations: w.dilation },
        activation: 'relu',
      });
      const sums = Float64Array.from(expected.y, (sum, i) => Math.max(0, sum + bias[i % w.filters]!));
      expect(farthest(fused.dataSync(), sums)).to.be.below(1e-5);
    });
  }

  for (const w of CONVOLUTIONS) {
    it(`convolves and gives both gradients: ${name(w)}`, () => checkConvolution(w));
  }

  it('convolves whatever the sizes are', () => {
    const channels = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(8, 16));
    const side = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom(3, 5));
    const sizes = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      height: fc.integer({ min: 1, max: 13 }),
      width: fc.integer({ min: 1, max: 13 }),
      channels,
      filterHeight: side,
      filterWidth: side,
      filters: channels,
      stride: fc.constantFrom(1, 1, 2, 3),
      dilation: fc.constant(1),
      padding: fc.constantFrom('same' as const, 'valid' as const),
    });
    const fits = (w: Windows) => outputSides(w).every((outSide) => outSide > 0);
    const square = sizes.chain((w) => fc.constantFrom(w, { ...w, filterWidth: w.filterHeight, stride: 1 }));
    fc.assert(fc.property(square.filter(fits), checkConvolution), { numRuns: 150, seed: 5 });
  });

  for (const w of [
    windows('2 7 8 4 3 3 1', { padding: 'same' }),
    windows('1 9 7 6 3 2 2', { stride: 2 }),
    windows('2 6 6 5 3 3 3', { padding: 'same' }),
    windows('1 9 9 7 3 3 1', { dilation: 2 }),
  ]) {
    it(`convolves channel by channel and gives both gradients: ${name(w)}`, () => {
      const [outHeight, outWidth] = outputSides(w);
      const x = values(w.batch * w.height * w.width * w.channels);
      const filter = values(w.filterHeight * w.filterWidth * w.channels * w.filters);
      const dy = values(w.batch * outHeight * outWidth * w.channels * w.filters);
      const expected = plainConvolution(w, x, filter, dy, true);
      tf.tidy(() => {
        const xt = tf.tensor4d(x, [w.batch, w.height, w.width, w.channels]);
        const ft = tf.tensor4d(filter, [w.filterHeight, w.filterWidth, w.channels, w.filters]);
        const convolve = (a: Tensor, b: Tensor) =>
          tf.depthwiseConv2d(a as Tensor4D, b as Tensor4D, w.stride, w.padding, 'NHWC', w.dilation);
        expect(farthest(convolve(xt, ft).dataSync(), expected.y)).to.be.below(1e-5);
        if (w.dilation > 1) return; // TF.js itself has no gradient there
        const dyt = tf.tensor4d(dy, [w.batch, outHeight, outWidth, w.channels * w.filters]);
        const [dx, dFilter] = tf.grads(convolve)([xt, ft], dyt);
        expect(farthest(dx!.dataSync(), expected.dx)).to.be.below(1e-5);
        expect(farthest(dFilter!.dataSync(), expected.dFilter)).to.be.below(1e-5);
      });
    });
  }

  for (const w of [
    windows('2 8 8 6 2 2 1', { stride: 2 }),
    windows('2 7 9 3 2 2 1', { stride: 2 }),
    windows('1 7 5 4 3 3 1', { stride: 2, padding: 'same' }),
    windows('2 6 7 5 3 2 1', { padding: 'same' }),
  ]) {
    for (const shift of [0, -100]) {
      it(`pools windows ${name(w)}${shift < 0 ? ', all numbers below zero' : ''}`, () => {
        const [outHeight, outWidth] = outputSides(w);
        const x = values(w.batch * w.height * w.width * w.channels).map((value) => value + shift);
        const dy = values(w.batch * outHeight * outWidth * w.channels);
        tf.tidy(() => {
          const xt = tf.tensor4d(x, [w.batch, w.height, w.width, w.channels]);
          const dyt = tf.tensor4d(dy, [w.batch, outHeight, outWidth, w.channels]);
          for (const [kind, pool] of [
            ['largest', tf.maxPool],
            ['mean', tf.avgPool],
          ] as const) {
            const expected = plainPooling(w, kind, x, dy);
            const apply = (a: Tensor) =>
              pool(a as Tensor4D, [w.filterHeight, w.filterWidth], w.stride, w.padding) as Tensor;
            expect(farthest(apply(xt).dataSync(), expected.y)).to.be.below(1e-6);
            expect(
              farthest(
                tf
                  .grad(apply)(xt, dyt as Tensor)
                  .dataSync(),
                expected.dx,
              ),
            ).to.be.below(1e-6);
          }
        });
      });
    }
  }

  it('gives the gradient to the first of equal numbers, once', () => {
    const dx = tf.tidy(() => tf.grad((a: Tensor) => tf.maxPool(a as Tensor4D, 2, 2, 'valid'))(tf.zeros([1, 4, 4, 5])));
    const pixels = dx.dataSync();
    for (let i = 0; i < 16; i++) {
      const first = (i >> 2) % 2 === 0 && i % 2 === 0;
      for (let c = 0; c < 5; c++) expect(pixels[i * 5 + c]).to.equal(first ? 1 : 0);
    }
    dx.dispose();
  });

  it('sums rows by segment', () => {
    const sums = tf.tidy(() =>
      tf.unsortedSegmentSum(
        tf.tensor2d(
          Array.from({ length: 15 }, (_, i) => i),
          [3, 5],
        ),
        tf.tensor1d([2, 0, 2], 'int32'),
        4,
      ),
    );
    expect([...sums.dataSync()]).to.deep.equal([5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 10, 12, 14, 16, 18, 0, 0, 0, 0, 0]);
    sums.dispose();
  });

  it('refuses to pool windows of which nothing is in the image', () =>
    expectError(
      () => tf.tidy(() => tf.avgPool(tf.ones<Rank.R4>([1, 4, 4, 2]), 2, 1, 2)),
      'KERNEL_SHAPES',
      /AvgPool[\s\S]*reach into the image/,
    ));

  it('refuses images in another order, and says which one', () =>
    expectError(
      () =>
        tf.tidy(() => tf.conv2d(tf.ones<Rank.R4>([1, 2, 4, 4]), tf.ones<Rank.R4>([3, 3, 2, 2]), 1, 'valid', 'NCHW')),
      'KERNEL_SHAPES',
      /NHWC[\s\S]*NCHW/,
    ));
});
