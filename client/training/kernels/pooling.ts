import type { TensorInfo } from '@tensorflow/tfjs-core';
import { createGeometryWriter, requireFloats, type WindowAttributes } from './geometry.ts';
import type { KernelContext } from './kernelModule.ts';
import { replaceKernel } from './replaceKernel.ts';

/**
 * Largest value and mean of windows, and their gradients. TF.js's own gradient of the largest value is lost where that
 * value is not above zero; its gradient of the mean divides by the whole window where a part of it hangs over the edge.
 */
export function registerPooling(context: KernelContext): void {
  const { tf, address, exports, output } = context;
  const writer = createGeometryWriter(context);

  for (const [name, kernel] of [
    ['MaxPool', exports.maxPool],
    ['AvgPool', exports.avgPool],
  ] as const) {
    replaceKernel<{ x: TensorInfo }, WindowAttributes>(tf, name, ({ x }, attributes) => {
      requireFloats(name, x);
      const { geometry, outShape } = writer.pooling(name, x.shape, attributes);
      const out = output(outShape);
      kernel(address(x), address(out), geometry);
      return out;
    });
  }
  replaceKernel<{ dy: TensorInfo; input: TensorInfo; output: TensorInfo }, WindowAttributes>(
    tf,
    'MaxPoolGrad',
    ({ dy, input, output: largest }, attributes) => {
      requireFloats('MaxPoolGrad', dy, input, largest);
      const { geometry } = writer.pooling('MaxPoolGrad', input.shape, attributes);
      const out = output(input.shape);
      exports.maxPoolGradient(address(input), address(largest), address(dy), address(out), geometry);
      return out;
    },
  );
  replaceKernel<{ dy: TensorInfo; input: TensorInfo }, WindowAttributes>(
    tf,
    'AvgPoolGrad',
    ({ dy, input }, attributes) => {
      requireFloats('AvgPoolGrad', dy);
      const { geometry } = writer.pooling('AvgPoolGrad', input.shape, attributes);
      const out = output(input.shape);
      exports.avgPoolGradient(address(dy), address(out), geometry);
      return out;
    },
  );
}
