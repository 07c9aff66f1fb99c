/**
 * A weighted sum of int16 rows with integer weights of any size, exact: what a mean is, after whatever mixing. Weights
 * that do not fit the 16-bit multiplier are written in balanced digits (Knuth, TAOCP 2, 4.1), each digit's sum fits int32
 * and float64 puts the sums together.
 */
import type { Kernels } from './kernelModule.ts';
import type { Quotient } from './serverStep.ts';

export interface WeightedSum {
  /** Whether the weights fit the 16-bit multiplier, so that `run` can give int32 where the sums fit. */
  readonly hasInt32: boolean;
  /** What `run` gives for rows of |q| <= bound: int32 where every sum fits, else float64 (exact integers). */
  lanesFor(bound: number): 'int32' | 'float64';
  /** `rows`: address of the row addresses; `out`: of `length` sums; `length`: a multiple of 16 up to the capacity. */
  run(rows: number, out: number, length: number, lanes: 'int32' | 'float64'): void;
  /** Moves the model at `model` by the sums over a denominator, where `lanesFor` says int32. */
  move(rows: number, model: number, length: number, by: Quotient): void;
}

/** One digit of every weight, as the kernel's table of pairs. */
interface DigitPlane {
  readonly terms: number;
  readonly pairs: number;
}

/**
 * Bounds, the caller's to keep: sum of |weight| * |q| below 2^52. Its tables and its
 * scratch come from the kernels' arena.
 *
 * @param weights one per row; rows of weight 0 are not read
 * @param capacity most coordinates of one `run`
 * @param scratch address of 4 bytes for each of them, where several sums share it
 */
export function weightedSum(
  kernels: Kernels,
  weights: readonly number[],
  capacity: number,
  scratch: number = kernels.arena.allocate(4 * capacity),
): WeightedSum {
  const { exports } = kernels;
  const magnitude = weights.reduce((sum, weight) => sum + Math.abs(weight), 0);
  const radix = radixFor(weights.length);
  const planes = fitsMultiplier(weights, magnitude)
    ? [placePlane(kernels, weights)]
    : digitPlanes(weights, radix).map((digits) => placePlane(kernels, digits));
  const hasInt32 = planes.length === 1;
  return {
    hasInt32,
    lanesFor: (bound) => (hasInt32 && magnitude * bound < 2 ** 31 ? 'int32' : 'float64'),
    run(rows, out, length, lanes) {
      for (const [i, { terms, pairs }] of planes.entries()) {
        exports.weightedSum(rows, terms, pairs, lanes === 'int32' ? out : scratch, length);
        if (lanes === 'float64') exports.foldDigits(scratch, out, length, i === 0 ? 0 : radix);
      }
    },
    move(rows, model, length, { factor, half }) {
      for (const { terms, pairs } of planes) exports.weightedFedAvg(rows, terms, pairs, model, length, factor, half);
    },
  };
}

/** Whether int16 holds every weight and int32 every sum: |q| <= 2^15. */
function fitsMultiplier(weights: readonly number[], magnitude: number): boolean {
  return magnitude < 2 ** 16 && weights.every((weight) => weight >= -(2 ** 15) && weight < 2 ** 15);
}

/** The largest power of two whose n balanced digits |digit| <= radix / 2 stay below 2^16 together. */
function radixFor(n: number): number {
  let radix = 2 ** 15;
  while ((radix / 2) * n >= 2 ** 16) radix /= 2;
  return radix;
}

/** The weights' digits, most significant first. */
function digitPlanes(weights: readonly number[], radix: number): number[][] {
  const planes: number[][] = [];
  let rest = [...weights];
  while (rest.some((weight) => weight !== 0)) {
    const digits = rest.map((weight) => weight - radix * Math.floor((weight + radix / 2) / radix));
    rest = rest.map((weight, i) => (weight - digits[i]!) / radix);
    planes.unshift(digits);
  }
  return planes;
}

/** Writes the kernel's table for weights that fit int16; an odd row is paired with itself, weighing nothing. */
function placePlane({ arena }: Kernels, weights: readonly number[]): DigitPlane {
  const rows = weights.flatMap((weight, row) => (weight === 0 ? [] : [row]));
  const pairs = Math.ceil(rows.length / 2);
  const terms = arena.allocate(12 * pairs);
  const table = arena.int32(terms, 3 * pairs);
  for (let pair = 0; pair < pairs; pair++) {
    const first = rows[2 * pair]!;
    const second = rows[2 * pair + 1] ?? first;
    const secondWeight = second === first ? 0 : weights[second]!;
    table.set([4 * first, 4 * second, (weights[first]! & 0xffff) | (secondWeight << 16)], 3 * pair);
  }
  return { terms, pairs };
}
