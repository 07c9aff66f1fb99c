import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { KernelContext } from './kernelModule.ts';

/** Attributes of TF.js's fused kernels. */
export interface Activation {
  readonly activation?: string;
  readonly leakyreluAlpha?: number;
}

/** TF.js's own kernels for what is not fused here. */
const KERNELS: Readonly<Record<string, string>> = {
  relu6: 'Relu6',
  sigmoid: 'Sigmoid',
  elu: 'Elu',
  leakyrelu: 'LeakyRelu',
  prelu: 'Prelu',
};

/** The sums of a fused kernel under its activation; `sums` is used up. `alpha`: the slopes of `prelu`. */
export function activate(
  { tf, exports, address }: KernelContext,
  sums: TensorInfo,
  { activation = 'linear', leakyreluAlpha = 0 }: Activation,
  alpha?: TensorInfo,
): TensorInfo {
  if (activation === 'relu') exports.reluInPlace(address(sums), tf.util.sizeFromShape(sums.shape));
  const name = KERNELS[activation];
  if (name === undefined) return sums;
  const inputs = name === 'Prelu' ? { x: sums, alpha: alpha! } : { x: sums };
  const done = tf
    .getKernel(name, 'wasm')
    .kernelFunc({ inputs, attrs: { alpha: leakyreluAlpha }, backend: tf.backend() });
  tf.backend().disposeData(sums.dataId);
  return done as TensorInfo;
}
