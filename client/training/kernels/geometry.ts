import type { backend_util, TensorInfo } from '@tensorflow/tfjs-core';
import { AssayError } from '../../../protocol/errors.ts';
import type { KernelContext } from './kernelModule.ts';

type Shape4 = [number, number, number, number];
type Padding = Parameters<typeof backend_util.computeConv2DInfo>[4];
type Info = ReturnType<typeof backend_util.computeConv2DInfo>;

/** Attributes that TF.js gives its convolution and pooling kernels. */
export interface WindowAttributes {
  readonly strides: [number, number] | number;
  readonly pad: Padding;
  readonly dilations?: [number, number] | number;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly filterSize?: [number, number] | number;
}

/** Integers of a `Geometry` (assembly/unfold.ts). */
const FIELDS = 15;

/** Writes the sizes of a convolution or pooling where the kernels read them. */
export interface GeometryWriter {
  /** `filterShape` as HWIO. @throws AssayError KERNEL_SHAPES for anything but NHWC and float32 */
  convolution(
    name: string,
    x: readonly number[],
    filter: readonly number[],
    attributes: WindowAttributes,
    depthwise?: boolean,
  ): Written;
  pooling(name: string, x: readonly number[], attributes: WindowAttributes): Written;
}

interface Written {
  /** Address of the `Geometry`, valid until the next call. */
  readonly geometry: number;
  readonly outShape: Shape4;
}

export function createGeometryWriter({ tf, allocate, integers }: KernelContext): GeometryWriter {
  const { computeConv2DInfo, computePool2DInfo, convertConv2DDataFormat } = tf.backend_util;
  const address = allocate(4 * FIELDS);
  const write = (info: Info, filters: number): Written => {
    const { batchSize, inHeight, inWidth, inChannels, filterHeight, filterWidth, strideHeight, strideWidth } = info;
    const { dilationHeight, dilationWidth, padInfo, outHeight, outWidth, outShape } = info;
    integers(address, FIELDS).set(
      [batchSize, inHeight, inWidth, inChannels, filterHeight, filterWidth, filters, strideHeight, strideWidth].concat([
        dilationHeight,
        dilationWidth,
        padInfo.top,
        padInfo.left,
        outHeight,
        outWidth,
      ]),
    );
    return { geometry: address, outShape };
  };
  return {
    convolution(
      name,
      x,
      filter,
      { strides, pad, dilations = 1, dimRoundingMode, dataFormat = 'NHWC' },
      depthwise = false,
    ) {
      if (dataFormat !== 'NHWC') refuse(name, 'images as [batch, height, width, channels] (NHWC)', dataFormat);
      const format = convertConv2DDataFormat(dataFormat);
      const shapes = [x as Shape4, filter as Shape4] as const;
      const info = computeConv2DInfo(...shapes, strides, dilations, pad, dimRoundingMode, depthwise, format);
      return write(info, filter[3]!);
    },
    pooling(name, x, { filterSize, strides, pad, dimRoundingMode, dataFormat = 'NHWC' }) {
      if (dataFormat !== 'NHWC') refuse(name, 'images as [batch, height, width, channels] (NHWC)', dataFormat);
      const info = computePool2DInfo(x as Shape4, filterSize!, strides, 1, pad, dimRoundingMode);
      const { top, bottom, left, right } = info.padInfo;
      if (Math.max(top, bottom) >= info.filterHeight || Math.max(left, right) >= info.filterWidth) {
        refuse(name, 'windows that reach into the image', `zeros around it as wide as a window: ${String(pad)}`);
      }
      return write(info, 1);
    },
  };
}

/** @throws AssayError KERNEL_SHAPES unless all tensors are float32 */
export function requireFloats(name: string, ...tensors: readonly (TensorInfo | undefined)[]): void {
  const wrong = tensors.find((tensor) => tensor && tensor.dtype !== 'float32');
  if (wrong !== undefined) refuse(name, 'float32 tensors', `${wrong.dtype}[${wrong.shape.join(',')}]`);
}

function refuse(name: string, expected: string, received: string): never {
  throw new AssayError('KERNEL_SHAPES', {
    summary: `${name} does not take these tensors on this engine`,
    expected,
    received,
    fix: 'transpose, cast or pad the tensors before the operation',
  });
}
