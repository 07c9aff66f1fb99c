import type { TensorInfo } from '@tensorflow/tfjs-core';
import { AssayError } from '../../../protocol/errors.ts';
import { type Activation, activate } from './activate.ts';
import type { KernelContext } from './kernelModule.ts';
import { replaceKernel } from './replaceKernel.ts';

interface Flags {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/**
 * Batched matrix products with every combination of transposed operands, and the fused product with bias and
 * activation. TF.js's own runs only the plain product of two matrices in SIMD, and adds the bias of a batched or
 * transposed fused product once per 48-wide block.
 */
export function registerMatMul(context: KernelContext): void {
  const { tf } = context;
  replaceKernel<{ a: TensorInfo; b: TensorInfo }, Flags>(tf, 'BatchMatMul', ({ a, b }, flags) =>
    product(context, a, b, undefined, flags),
  );
  replaceKernel<
    { a: TensorInfo; b: TensorInfo; bias?: TensorInfo; preluActivationWeights?: TensorInfo },
    Flags & Activation
  >(tf, '_FusedMatMul', ({ a, b, bias, preluActivationWeights }, attributes) =>
    activate(context, product(context, a, b, bias ?? undefined, attributes), attributes, preluActivationWeights),
  );
}

/** `a` [..., m, k] times `b` [..., k, n], as flagged; leading dimensions broadcast as numpy's do. */
function product(
  context: KernelContext,
  a: TensorInfo,
  b: TensorInfo,
  bias: TensorInfo | undefined,
  { transposeA = false, transposeB = false }: Flags,
): TensorInfo {
  const { tf, exports } = context;
  const [aRows = 1, aColumns = 1] = a.shape.slice(-2);
  const [bRows = 1, bColumns = 1] = b.shape.slice(-2);
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [inner, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  const wrongBias = bias !== undefined && tf.util.sizeFromShape(bias.shape) !== n;
  if (k !== inner || a.dtype !== 'float32' || b.dtype !== 'float32' || wrongBias) {
    throw new AssayError('KERNEL_SHAPES', {
      summary: 'these tensors have no matrix product',
      expected: 'two float32 tensors with the same inner size, and a bias of one number per column',
      received: [a, b, bias].map((tensor) => tensor && `${tensor.dtype}[${tensor.shape.join(',')}]`).join(' '),
      fix: 'check the shapes and the transpose flags of the product',
    });
  }
  const aBatch = a.shape.slice(0, -2);
  const bBatch = b.shape.slice(0, -2);
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(aBatch, bBatch);
  const out = context.output([...batch, m, n]);
  const count = tf.util.sizeFromShape(batch);
  const at = context.address(out);
  if (k === 0) context.floats(at, count * m * n).fill(0);
  if (k === 0 || count * m * n === 0) return out;
  const scratch = context.scratch(exports.gemmScratchBytes());
  const multiply = (aFrom: number, bFrom: number, to: number, matrices: number, aStep: number, bStep: number) =>
    exports.gemm(
      ...([context.address(a) + aFrom, context.address(b) + bFrom, bias ? context.address(bias) : 0, at + to] as const),
      ...([m, n, k, Number(transposeA), Number(transposeB)] as const),
      ...([matrices, aStep, bStep, 4 * m * n, scratch] as const),
    );
  const aCount = tf.util.sizeFromShape(aBatch);
  const bCount = tf.util.sizeFromShape(bBatch);
  if ((aCount === count || aCount === 1) && (bCount === count || bCount === 1)) {
    multiply(0, 0, 0, count, aCount === 1 ? 0 : 4 * m * k, bCount === 1 ? 0 : 4 * k * n);
  } else {
    for (let i = 0; i < count; i++) {
      multiply(4 * m * k * place(i, batch, aBatch), 4 * k * n * place(i, batch, bBatch), 4 * m * n * i, 1, 0, 0);
    }
  }
  return out;
}

/** Which matrix of `own` leading dimensions the i-th matrix of the broadcast dimensions takes. */
function place(i: number, broadcast: readonly number[], own: readonly number[]): number {
  let index = 0;
  let step = 1;
  for (let axis = 1; axis <= broadcast.length; axis++) {
    const size = broadcast.at(-axis)!;
    const ownSize = own.at(-axis) ?? 1;
    if (axis <= own.length && ownSize > 1) {
      index += (i % size) * step;
      step *= ownSize;
    }
    i = Math.floor(i / size);
  }
  return index;
}
