/**
 * The SIMD kernels of a participant's node: they hash, round and convert to the same bits as the plain TypeScript, which
 * is what computes where there are none (`--engine reference`).
 */
import { BulkHasher } from '../../protocol/commitment/bulkHasher.ts';
import { loadKernels } from '../../protocol/kernels/kernelModule.ts';
import { QuantizeKernel } from '../../protocol/kernels/quantize.ts';

export interface ClientKernels {
  readonly hasher: BulkHasher;
  readonly quantize: QuantizeKernel;
}

/** @throws AssayError `NO_SIMD` where WebAssembly lacks fixed-width SIMD or threads. */
export function loadClientKernels(): ClientKernels {
  const kernels = loadKernels();
  return { hasher: new BulkHasher(kernels), quantize: new QuantizeKernel(kernels) };
}
