import type { KernelFunc, NamedAttrMap, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { TensorFlow } from '../../models/model.ts';

/** A kernel as the files of this folder write it: inputs and attributes under their own types. */
export type Kernel<Inputs, Attributes> = (inputs: Inputs, attributes: Attributes) => TensorInfo | TensorInfo[];

/** Puts a kernel under `name` on the WASM backend, instead of TF.js's own where it has one. */
export function replaceKernel<Inputs, Attributes>(
  tf: TensorFlow,
  name: string,
  kernel: Kernel<Inputs, Attributes>,
): void {
  if (tf.getKernel(name, 'wasm')) tf.unregisterKernel(name, 'wasm');
  const kernelFunc: KernelFunc = ({ inputs, attrs }: { inputs: NamedTensorInfoMap; attrs?: NamedAttrMap }) =>
    kernel(inputs as Inputs, attrs as Attributes);
  tf.registerKernel({ kernelName: name, backendName: 'wasm', kernelFunc });
}
