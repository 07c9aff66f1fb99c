import { isqrt } from '../../protocol/aggregation/wholeNumbers.ts';
import type { QuantizeKernel } from '../../protocol/kernels/quantize.ts';

/**
 * Sum of squares of integer coordinates. Exact: each square is below 2^30, so 2^23 of them stay below 2^53; longer
 * vectors carry over.
 */
export function normSqOf(quantized: Int16Array): bigint {
  let total = 0n;
  for (let start = 0; start < quantized.length; start += 2 ** 20) {
    const end = Math.min(quantized.length, start + 2 ** 20);
    let sum = 0;
    for (let i = start; i < end; i++) sum += (quantized[i] as number) ** 2;
    total += BigInt(sum);
  }
  return total;
}

export interface ClippedQuantized {
  /** The coordinates that were given, themselves, when nothing was clipped. */
  readonly quantized: Int16Array;
  /** Sum of squares of `quantized`: what the commitment states. At most `normSqBound`. */
  readonly normSq: bigint;
  /** What each coordinate was multiplied with, in 2^-16; 65536 when nothing was clipped. */
  readonly scaleQ16: number;
}

/**
 * The exact L2 clip on integers: the contract refuses a commitment whose normSq is one above the bound, so the float
 * clip before rounding is not enough.
 *
 *     s16 = isqrt((bound << 32) / normSq)          q' = trunc(q * s16 / 2^16)
 *
 * Truncation never grows a magnitude, so sum q'^2 <= normSq * s16^2 / 2^32 <= bound. |q * s16| < 2^15 * 2^16 = 2^31:
 * exact in doubles.
 *
 * @param normSqBound the federation's bound; NO_NORM_BOUND (2^64 - 1) clips nothing
 */
export function clipQuantized(
  quantized: Int16Array,
  normSqBound: bigint,
  kernel: QuantizeKernel | null = null,
): ClippedQuantized {
  const norm = (vector: Int16Array) => kernel?.normSq(vector) ?? normSqOf(vector);
  const normSq = norm(quantized);
  if (normSq <= normSqBound) return { quantized, normSq, scaleQ16: 65536 };
  const scaleQ16 = Number(isqrt((normSqBound << 32n) / normSq));
  const clipped =
    kernel?.scaleIntegers(quantized, scaleQ16) ?? quantized.map((value) => Math.trunc((value * scaleQ16) / 65536));
  return { quantized: clipped, normSq: norm(clipped), scaleQ16 };
}
