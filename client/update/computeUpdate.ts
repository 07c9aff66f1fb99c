import { AssayError } from '../../protocol/errors.ts';
import type { QuantizeKernel } from '../../protocol/kernels/quantize.ts';

/**
 * The update of a round, `[d]`: trained weights minus the weights the round started from, float32.
 * @throws AssayError WEIGHTS_LENGTH when the two differ in length
 */
export function computeUpdate(
  trained: Float32Array,
  base: Float32Array,
  kernel: QuantizeKernel | null = null,
): Float32Array {
  if (trained.length !== base.length) {
    throw new AssayError('WEIGHTS_LENGTH', {
      summary: 'trained weights and base weights differ in length',
      expected: `${base.length} coordinates`,
      received: `${trained.length} coordinates`,
      fix: 'train the model that the manifest names',
    });
  }
  if (kernel !== null) return kernel.subtract(trained, base);
  const update = new Float32Array(base.length);
  for (let i = 0; i < base.length; i++) update[i] = (trained[i] as number) - (base[i] as number);
  return update;
}
