import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type Activation, activate } from './activate.ts';
import { createGeometryWriter, type GeometryWriter, requireFloats, type WindowAttributes } from './geometry.ts';
import type { KernelContext } from './kernelModule.ts';
import { replaceKernel } from './replaceKernel.ts';

type Shaped<Name extends string> = WindowAttributes & Readonly<Record<Name, readonly number[]>>;

/**
 * Convolution, fused with bias and activation or not, and its gradients by input and filter. TF.js's WASM backend has no
 * gradient by the filter at all.
 */
export function registerConvolution(context: KernelContext): void {
  const { tf } = context;
  const writer = createGeometryWriter(context);

  replaceKernel<{ x: TensorInfo; filter: TensorInfo }, WindowAttributes>(tf, 'Conv2D', ({ x, filter }, attributes) =>
    forward(context, writer, x, filter, undefined, attributes, false),
  );
  replaceKernel<
    { x: TensorInfo; filter: TensorInfo; bias?: TensorInfo; preluActivationWeights?: TensorInfo },
    WindowAttributes & Activation
  >(tf, 'FusedConv2D', ({ x, filter, bias, preluActivationWeights }, attributes) => {
    const relu = attributes.activation === 'relu';
    const sums = forward(context, writer, x, filter, bias ?? undefined, attributes, relu);
    return relu ? sums : activate(context, sums, attributes, preluActivationWeights);
  });
  replaceKernel<{ x: TensorInfo; dy: TensorInfo }, Shaped<'filterShape'>>(
    tf,
    'Conv2DBackpropFilter',
    ({ x, dy }, attributes) => {
      requireFloats('Conv2DBackpropFilter', x, dy);
      const { filterShape } = attributes;
      const { geometry } = writer.convolution('Conv2DBackpropFilter', x.shape, filterShape, attributes);
      const out = context.output(filterShape);
      const scratch = context.scratch(context.exports.convolutionScratchBytes(geometry));
      const [from, gradient, to] = [x, dy, out].map(context.address) as [number, number, number];
      context.exports.convolveFilterGradient(from, gradient, to, geometry, scratch);
      return out;
    },
  );
  replaceKernel<{ dy: TensorInfo; filter: TensorInfo }, Shaped<'inputShape'>>(
    tf,
    'Conv2DBackpropInput',
    ({ dy, filter }, attributes) => {
      requireFloats('Conv2DBackpropInput', dy, filter);
      const { inputShape } = attributes;
      const { geometry } = writer.convolution('Conv2DBackpropInput', inputShape, filter.shape, attributes);
      const out = context.output(inputShape);
      const scratch = context.scratch(context.exports.convolutionScratchBytes(geometry));
      const [weights, gradient, to] = [filter, dy, out].map(context.address) as [number, number, number];
      context.exports.convolveInputGradient(weights, gradient, to, geometry, scratch);
      return out;
    },
  );
}

function forward(
  context: KernelContext,
  writer: GeometryWriter,
  x: TensorInfo,
  filter: TensorInfo,
  bias: TensorInfo | undefined,
  attributes: WindowAttributes,
  relu: boolean,
): TensorInfo {
  requireFloats('Conv2D', x, filter, bias);
  const { geometry, outShape } = writer.convolution('Conv2D', x.shape, filter.shape, attributes);
  const out = context.output(outShape);
  const scratch = context.scratch(context.exports.convolutionScratchBytes(geometry));
  const [from, weights, to] = [x, filter, out].map(context.address) as [number, number, number];
  context.exports.convolve(from, weights, bias ? context.address(bias) : 0, to, geometry, Number(relu), scratch);
  return out;
}
