import type { TensorInfo } from '@tensorflow/tfjs-core';
import { requireFloats } from './geometry.ts';
import type { KernelContext } from './kernelModule.ts';
import { replaceKernel } from './replaceKernel.ts';

/** Sums of rows by segment, the gradient of `gather`; TF.js's WASM backend has none. */
export function registerSegmentSum({ tf, address, exports, output }: KernelContext): void {
  replaceKernel<{ x: TensorInfo; segmentIds: TensorInfo }, { readonly numSegments: number }>(
    tf,
    'UnsortedSegmentSum',
    ({ x, segmentIds }, { numSegments }) => {
      requireFloats('UnsortedSegmentSum', x);
      const rows = tf.util.sizeFromShape(segmentIds.shape);
      const inner = x.shape.slice(segmentIds.shape.length);
      const out = output([numSegments, ...inner]);
      const length = tf.util.sizeFromShape(inner);
      exports.segmentSum(address(x), address(segmentIds), rows, length, numSegments, address(out));
      return out;
    },
  );
}
