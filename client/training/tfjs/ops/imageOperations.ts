import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { Ops } from '../../../models/ops.ts';
import { createGeometryWriter, requireFloats } from '../../kernels/geometry.ts';
import type { FusedContext } from './tapeOperation.ts';

/** How the kernels number relu (client/training/kernels/assembly/nonlinear.ts). */
const RELU = 1;

/**
 * A convolution that starts from its bias and ends in its activation, one pass over the output; and back
 *
 *     dz = dy [y > 0]     dX, dF as the kernels say     db = sum of dz over all pixels
 */
export function fusedConv2d(context: FusedContext): Ops['conv2d'] {
  const { exports, at } = context;
  const writer = createGeometryWriter(context);

  return (x, filter, bias, { strides, padding, activation }) => {
    requireFloats('conv2d', x, filter, bias);
    const attributes = { strides, pad: padding };
    const { geometry, outShape } = writer.convolution('conv2d', x.shape, filter.shape, attributes);
    const y = context.blank(outShape) as Tensor4D;
    const relu = activation === 'relu';
    const scratch = context.scratch(exports.convolutionScratchBytes(geometry));
    exports.convolve(at(x), at(filter), at(bias), at(y), geometry, Number(relu), scratch);
    if (!context.recording()) return y;

    context.record('FusedConv2d', { x, filter, bias }, y, relu ? [x, filter, y] : [x, filter], [], (dy) => {
      let dz = dy;
      if (relu) {
        dz = context.blank(y.shape);
        exports.activationGradient(RELU, at(dy), at(y), at(dz), y.size);
      }
      const prepare = () => {
        const written = writer.convolution('conv2d', x.shape, filter.shape, attributes).geometry;
        return [written, context.scratch(exports.convolutionScratchBytes(written))] as const;
      };
      return {
        x: () => {
          const dx = context.blank(x.shape);
          exports.convolveInputGradient(at(filter), at(dz), at(dx), ...prepare());
          return dx;
        },
        filter: () => {
          const dFilter = context.blank(filter.shape);
          exports.convolveFilterGradient(at(x), at(dz), at(dFilter), ...prepare());
          return dFilter;
        },
        bias: () => {
          const db = context.blank(bias.shape);
          exports.columnSums(at(dz), y.size / bias.size, bias.size, bias.size, at(db));
          return db;
        },
      };
    });
    return y;
  };
}

/** The largest value of each window; back to the first number that has it. */
export function fusedMaxPool(context: FusedContext): Ops['maxPool'] {
  const { exports, at } = context;
  const writer = createGeometryWriter(context);
  return (x, size, strides) => {
    requireFloats('maxPool', x);
    const attributes = { filterSize: size, strides, pad: 'valid' } as const;
    const { geometry, outShape } = writer.pooling('maxPool', x.shape, attributes);
    const y = context.blank(outShape) as Tensor4D;
    exports.maxPool(at(x), at(y), geometry);
    if (!context.recording()) return y;
    context.record('FusedMaxPool', { x }, y, [x, y], [], (dy) => ({
      x: () => {
        const dx = context.blank(x.shape);
        exports.maxPoolGradient(at(x), at(y), at(dy), at(dx), writer.pooling('maxPool', x.shape, attributes).geometry);
        return dx;
      },
    }));
    return y;
  };
}

/** The mean of each window; back in equal parts. */
export function fusedAvgPool(context: FusedContext): Ops['avgPool'] {
  const { exports, at } = context;
  const writer = createGeometryWriter(context);
  return (x, size, strides) => {
    requireFloats('avgPool', x);
    const attributes = { filterSize: size, strides, pad: 'valid' } as const;
    const { geometry, outShape } = writer.pooling('avgPool', x.shape, attributes);
    const y = context.blank(outShape) as Tensor4D;
    exports.avgPool(at(x), at(y), geometry);
    if (!context.recording()) return y;
    context.record('FusedAvgPool', { x }, y, [], [], (dy) => ({
      x: () => {
        const dx = context.blank(x.shape);
        exports.avgPoolGradient(at(dy), at(dx), writer.pooling('avgPool', x.shape, attributes).geometry);
        return dx;
      },
    }));
    return y;
  };
}
