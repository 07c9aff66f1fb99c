import type { Tensor } from '@tensorflow/tfjs-core';
import { AssayError } from '../../../protocol/errors.ts';
import type { TensorFlow } from '../../models/model.ts';

/**
 * Kernels of tfjs-backend-wasm 4.22 whose result is silently wrong or not repeatable, found by gradient checks. More were
 * wrong; those are replaced (client/training/kernels).
 */
const WRONG_KERNELS: Readonly<Record<string, string>> = {
  MaxPool3DGrad: 'it loses the gradient of every window whose maximum is not above zero',
  Conv3DBackpropFilterV2: 'its result varies from run to run',
  Conv3DBackpropInputV2: 'its result varies from run to run',
};

/** Gradients of tfjs-core 4.22 that are silently wrong, whatever the backend. */
const WRONG_GRADIENTS: Readonly<Record<string, string>> = {
  MirrorPad: 'it leaves out what the mirrored numbers contribute',
};

/**
 * Puts a guard before everything of TF.js that computes wrong numbers without saying so: training on them would look like
 * learning. What is missing altogether gets a guard, too, which says what to do.
 */
export function refuseWrongKernels(tf: TensorFlow): void {
  for (const [name, reason] of Object.entries(WRONG_KERNELS)) {
    if (tf.getKernel(name, 'wasm')) tf.unregisterKernel(name, 'wasm');
    const kernelFunc = () => refuse(`the kernel ${name}, which this engine computes wrongly: ${reason}`, name);
    tf.registerKernel({ kernelName: name, backendName: 'wasm', kernelFunc });
  }
  for (const [name, reason] of Object.entries(WRONG_GRADIENTS)) {
    if (tf.getGradient(name)) tf.unregisterGradient(name);
    refuseGradient(tf, name, `the gradient of ${name}, which TF.js computes wrongly: ${reason}`);
  }
}

/** After all kernels and gradients that there are have been registered: a guard for each name that has none. */
export function refuseMissingKernels(tf: TensorFlow): void {
  for (const name of kernelNames(tf)) {
    if (!tf.getGradient(name)) refuseGradient(tf, name, `the gradient of ${name}, which TF.js does not have`);
    if (tf.getKernel(name, 'wasm')) continue;
    const kernelFunc = () => refuse(`the kernel ${name}, which this engine does not have`, name);
    tf.registerKernel({ kernelName: name, backendName: 'wasm', kernelFunc });
  }
}

/** TF.js exports every kernel's name as a constant of that name. */
function kernelNames(tf: TensorFlow): string[] {
  return Object.entries(tf).flatMap(([key, value]) => (key === value ? [key] : []));
}

function refuseGradient(tf: TensorFlow, kernelName: string, what: string): void {
  const gradFunc = (_dy: Tensor | Tensor[]) => refuse(what, kernelName);
  tf.registerGradient({ kernelName, gradFunc });
}

function refuse(what: string, received: string): never {
  throw new AssayError('KERNEL_REFUSED', {
    summary: `the model uses ${what}`,
    expected: 'a model whose operations have right kernels and gradients on this engine',
    received,
    fix: 'compose it of other operations (those of client/models/ops.ts are fast here), or train with trainer/1',
  });
}
