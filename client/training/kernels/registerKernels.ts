import type { KernelContext } from './kernelModule.ts';
import { registerMatMul } from './matMul.ts';

/** Registers every kernel of ours in the place of TF.js's own of the same name, family by family. */
export function registerKernels(context: KernelContext): void {
  registerMatMul(context);
}
