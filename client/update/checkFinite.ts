import { type TensorSpec, tensorSlices } from '../../protocol/encoding/manifest.ts';
import { AssayError } from '../../protocol/errors.ts';
import type { QuantizeKernel } from '../../protocol/kernels/quantize.ts';

/**
 * Refuses NaN and infinity in a flat weight vector and names the tensor and the place. The integers of the protocol
 * know no NaN; this is where one is caught, before it could be rounded to something that looks like a number.
 *
 * @param kernel what looks through them fast; null: plain TypeScript
 * @throws AssayError WEIGHTS_NOT_FINITE
 */
export function checkFinite(
  weights: Float32Array,
  tensors: readonly TensorSpec[],
  kernel: QuantizeKernel | null = null,
): void {
  if (kernel?.allFinite(weights)) return;
  let bad = 0;
  let first = -1;
  for (let i = 0; i < weights.length; i++) {
    if (Number.isFinite(weights[i])) continue;
    if (first < 0) first = i;
    bad++;
  }
  if (first < 0) return;
  throw new AssayError('WEIGHTS_NOT_FINITE', {
    summary: `${bad} of ${weights.length} trained weights are not numbers, the first is ${nameCoordinate(first, tensors)}`,
    expected: 'finite numbers',
    received: String(weights[first]),
    fix: 'lower the learning rate, or look for NaN and very large values in the training data; nothing was sent',
  });
}

/** `hidden1/kernel[12, 3]`: the tensor and position of a coordinate of the flat vector. */
export function nameCoordinate(coordinate: number, tensors: readonly TensorSpec[]): string {
  const slice = tensorSlices(tensors).find(({ offset, length }) => coordinate < offset + length);
  if (slice === undefined) return `coordinate ${coordinate}`;
  let rest = coordinate - slice.offset;
  const position = slice.shape.toReversed().map((side) => {
    const index = rest % side;
    rest = Math.floor(rest / side);
    return index;
  });
  return `${slice.name}[${position.toReversed().join(', ')}]`;
}
