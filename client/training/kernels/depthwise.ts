import type { TensorInfo } from '@tensorflow/tfjs-core';
import { createGeometryWriter, requireFloats, type WindowAttributes } from './geometry.ts';
import type { KernelContext } from './kernelModule.ts';
import { replaceKernel } from './replaceKernel.ts';

/** Depthwise convolution and its two gradients, which TF.js's WASM backend lacks. */
export function registerDepthwise(context: KernelContext): void {
  const { tf, address, exports, output } = context;
  const writer = createGeometryWriter(context);
  const name = 'DepthwiseConv2dNative';

  replaceKernel<{ x: TensorInfo; filter: TensorInfo }, WindowAttributes>(tf, name, ({ x, filter }, attributes) => {
    requireFloats(name, x, filter);
    const { geometry, outShape } = writer.convolution(name, x.shape, filter.shape, attributes, true);
    const out = output(outShape);
    exports.depthwise(address(x), address(filter), address(out), geometry);
    return out;
  });
  replaceKernel<{ x: TensorInfo; dy: TensorInfo }, WindowAttributes & { readonly filterShape: readonly number[] }>(
    tf,
    `${name}BackpropFilter`,
    ({ x, dy }, attributes) => {
      requireFloats(name, x, dy);
      const { geometry } = writer.convolution(name, x.shape, attributes.filterShape, attributes, true);
      const out = output(attributes.filterShape);
      exports.depthwiseFilterGradient(address(x), address(dy), address(out), geometry);
      return out;
    },
  );
  replaceKernel<{ dy: TensorInfo; filter: TensorInfo }, WindowAttributes & { readonly inputShape: readonly number[] }>(
    tf,
    `${name}BackpropInput`,
    ({ dy, filter }, attributes) => {
      requireFloats(name, dy, filter);
      const { geometry } = writer.convolution(name, attributes.inputShape, filter.shape, attributes, true);
      const out = output(attributes.inputShape);
      exports.depthwiseInputGradient(address(filter), address(dy), address(out), geometry);
      return out;
    },
  );
}
