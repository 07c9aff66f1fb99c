import { registerConvolution } from './convolution.ts';
import { registerDepthwise } from './depthwise.ts';
import { registerExponentials } from './exponentials.ts';
import type { KernelContext } from './kernelModule.ts';
import { registerMatMul } from './matMul.ts';
import { registerPooling } from './pooling.ts';
import { registerSegmentSum } from './segmentSum.ts';

/** Registers every kernel of ours in the place of TF.js's own of the same name, family by family. */
export function registerKernels(context: KernelContext): void {
  registerMatMul(context);
  registerConvolution(context);
  registerDepthwise(context);
  registerPooling(context);
  registerSegmentSum(context);
  registerExponentials(context);
}
