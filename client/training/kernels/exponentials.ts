import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { KernelContext } from './kernelModule.ts';
import { replaceKernel } from './replaceKernel.ts';

/** How the kernels number these functions (assembly/nonlinear.ts). */
const NUMBERS = { Tanh: 2, Sigmoid: 3, Exp: 5 } as const;

/** `exp`, `tanh` and `sigmoid` of tensors, four numbers at a time; TF.js's own go through them one by one. */
export function registerExponentials(context: KernelContext): void {
  const { tf, exports, address } = context;
  for (const [name, number] of Object.entries(NUMBERS)) {
    const stock = tf.getKernel(name, 'wasm');
    replaceKernel<{ x: TensorInfo }, object>(tf, name, ({ x }, attributes) => {
      if (x.dtype !== 'float32') {
        return stock.kernelFunc({ inputs: { x }, attrs: { ...attributes }, backend: tf.backend() });
      }
      const y = context.output(x.shape);
      exports.activate(number, address(x), address(y), tf.util.sizeFromShape([...x.shape]));
      return y;
    });
  }
}
