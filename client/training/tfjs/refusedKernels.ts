import { AssayError } from '../../../protocol/errors.ts';
import type { TensorFlow } from '../../models/model.ts';

/**
 * Kernels of tfjs-backend-wasm 4.22 whose result is silently wrong or not repeatable, found by gradient checks against
 * the cpu backend.
 */
const REFUSED: Readonly<Record<string, string>> = {
  MaxPool3DGrad: 'it loses the gradient of every window whose maximum is not above zero',
  Conv3DBackpropFilterV2: 'its result varies from run to run',
  Conv3DBackpropInputV2: 'its result varies from run to run',
};

/**
 * Puts a guard before the stock kernels that compute wrong numbers without saying so: training on them would look like
 * learning.
 */
export function refuseWrongKernels(tf: TensorFlow): void {
  for (const [kernelName, reason] of Object.entries(REFUSED)) {
    // Some are missing from this backend altogether: TF.js then says so itself.
    if (tf.getKernel(kernelName, 'wasm') === undefined || tf.getKernel(kernelName, 'wasm') === null) continue;
    tf.unregisterKernel(kernelName, 'wasm');
    tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc: () => refuse(kernelName, reason) });
  }
}

function refuse(kernelName: string, reason: string): never {
  throw new AssayError('KERNEL_REFUSED', {
    summary: `the model uses the kernel ${kernelName}, which this engine computes wrongly: ${reason}`,
    expected: 'a model whose operations have right kernels on this engine',
    received: kernelName,
    fix: 'use another operation (for instance a convolution or pooling in two dimensions)',
  });
}
