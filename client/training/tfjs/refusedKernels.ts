import type { NamedTensorInfoMap, Tensor } from '@tensorflow/tfjs-core';
import { AssayError } from '../../../protocol/errors.ts';
import type { TensorFlow } from '../../models/model.ts';

/**
 * Kernels of tfjs-backend-wasm 4.22 whose result is silently wrong or not repeatable, found by gradient checks against
 * the cpu backend.
 */
const REFUSED: Readonly<Record<string, string>> = {
  MaxPoolGrad: 'it loses the gradient of every window whose maximum is not above zero',
  MaxPool3DGrad: 'it loses the gradient of every window whose maximum is not above zero',
  Conv3DBackpropFilterV2: 'its result varies from run to run',
  Conv3DBackpropInputV2: 'its result varies from run to run',
};

/**
 * Puts a guard before the stock kernels that compute wrong numbers without saying so: training on them would look like
 * learning.
 *
 * `_FusedMatMul` is right for plain matrices, but adds the bias once per 48-wide block when batched or transposed.
 */
export function refuseWrongKernels(tf: TensorFlow): void {
  for (const [kernelName, reason] of Object.entries(REFUSED)) {
    // Some are missing from this backend altogether: TF.js then says so itself.
    if (tf.getKernel(kernelName, 'wasm') === undefined || tf.getKernel(kernelName, 'wasm') === null) continue;
    tf.unregisterKernel(kernelName, 'wasm');
    tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc: () => refuse(kernelName, reason) });
  }

  const fused = tf.getKernel('_FusedMatMul', 'wasm');
  tf.unregisterKernel('_FusedMatMul', 'wasm');
  tf.registerKernel({
    ...fused,
    kernelFunc: (call) => {
      const { transposeA, transposeB } = call.attrs as { readonly transposeA?: boolean; readonly transposeB?: boolean };
      const { a, bias } = call.inputs as NamedTensorInfoMap & { readonly a: Tensor; readonly bias?: Tensor };
      const batches = a.shape.slice(0, -2).reduce((product, side) => product * side, 1);
      if (bias !== undefined && bias !== null && (batches > 1 || transposeA || transposeB)) {
        refuse('_FusedMatMul', 'batched or transposed, it adds the bias once per 48-wide block');
      }
      return fused.kernelFunc(call);
    },
  });
}

function refuse(kernelName: string, reason: string): never {
  throw new AssayError('KERNEL_REFUSED', {
    summary: `the model uses the kernel ${kernelName}, which this engine computes wrongly: ${reason}`,
    expected: 'a model whose operations have right kernels on this engine',
    received: kernelName,
    fix: 'use another operation (for instance average pooling, strided convolution, matMul and add apart)',
  });
}
