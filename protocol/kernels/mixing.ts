/**
 * Mixed rows W U over a tile of coordinates, in the narrowest lanes that hold them exactly: W is data of the round, and
 * so is the largest |q| of a block, which the caller knows.
 *
 *     rows picked as they are (Krum, Bulyan)                        their own bytes, nothing is computed
 *     sums of rows (nearest-neighbour mixing, bucketing)            int16 while they fit: one instruction for 8 values
 *     small weights, or sums beyond int16                           int32
 *     anything else                                                 float64
 */
import type { Kernels } from './kernelModule.ts';
import type { Lanes } from './orderStatistics.ts';
import { fitsMultiplier, placePlane, weightedSum } from './weightedSum.ts';

export interface MixingMatrix {
  /** m. */
  readonly rows: number;
  /** n. */
  readonly columns: number;
  /** Shape [m, n], row-major. */
  readonly weights: Int32Array;
}

export interface MixedRows {
  readonly lanes: Lanes;
  /** Address of the m row addresses. Overwritten by the next call. */
  readonly rows: number;
}

export interface MixingKernel {
  /** `rows`: address of n row addresses, |q| <= bound; `length`: a multiple of 16 up to the capacity. */
  mix(rows: number, length: number, bound: number): MixedRows;
}

/**
 * The kernel of one W. Lanes leave room for a sum of all m mixed rows, which is what a combine makes of them. Its scratch
 * (8 m + 4 bytes per coordinate) and its tables come from the kernels' arena.
 *
 * @param capacity most coordinates of one `mix`: a tile that fits a cache
 */
export function mixingKernel(kernels: Kernels, matrix: MixingMatrix, capacity: number): MixingKernel {
  const { exports, arena } = kernels;
  const { rows: m, columns: n } = matrix;
  const weights = Array.from({ length: m }, (_, r) => [...matrix.weights.subarray(r * n, (r + 1) * n)]);
  const magnitudes = weights.map((row) => row.reduce((sum, weight) => sum + Math.abs(weight), 0));
  const most = Math.max(...magnitudes);
  const isSums = weights.every((row) => row.every((weight) => weight === 0 || weight === 1));
  const isChoice = isSums && magnitudes.every((magnitude) => magnitude === 1);
  const choice = weights.map((row) => row.indexOf(1));
  const narrow = isChoice || weights.some((row, r) => !fitsMultiplier(row, magnitudes[r]!)) ? null : narrowPlanes();
  const program = isSums && !isChoice ? placeProgram(kernels, weights) : null;
  const total = isChoice ? 0 : arena.allocate(4 * capacity);
  const wide = isChoice ? [] : weights.map((row) => weightedSum(kernels, row, capacity, total));
  const mixed = Array.from({ length: m }, () => (isChoice ? 0 : arena.allocate(8 * capacity)));
  const table = arena.pointers(mixed);

  /** For every row its weights; of sums of more than half of the rows what is to be taken off the sum of all. */
  function narrowPlanes() {
    const isMost = (r: number) => isSums && 2 * magnitudes[r]! > n + 1;
    const all = weights.some((_, r) => isMost(r)) ? placePlane(kernels, new Array<number>(n).fill(1)) : null;
    return {
      all,
      rows: weights.map((row, r) => ({
        isRest: isMost(r),
        ...placePlane(kernels, isMost(r) ? row.map((weight) => weight - 1) : row),
      })),
    };
  }

  const mixInt32 = (rows: number, length: number) => {
    const { all, rows: planes } = narrow!;
    if (all !== null) exports.weightedSum(rows, all.terms, all.pairs, 0, total, length);
    for (const [r, { isRest, terms, pairs }] of planes.entries()) {
      exports.weightedSum(rows, terms, pairs, isRest ? total : 0, mixed[r]!, length);
    }
  };

  return {
    mix(rows, length, bound) {
      if (isChoice) {
        const from = new Uint32Array(kernels.memory.buffer, rows, n);
        new Uint32Array(kernels.memory.buffer, table, m).set(choice.map((row) => from[row]!));
        return { lanes: 'int16', rows: table };
      }
      if (program !== null && most * bound < 2 ** 15) {
        exports.rowSums(rows, n, program.readsTotal ? total : 0, program.address, table, m, length);
        return { lanes: 'int16', rows: table };
      }
      if (narrow !== null && most * bound * m < 2 ** 31) {
        mixInt32(rows, length);
        return { lanes: 'int32', rows: table };
      }
      for (const [r, sum] of wide.entries()) sum.run(rows, mixed[r]!, length, 'float64');
      return { lanes: 'float64', rows: table };
    },
  };
}

/** The program of the kernel `rowSums` (assembly/rowSums.ts). */
function placeProgram({ arena }: Kernels, weights: readonly (readonly number[])[]) {
  let readsTotal = false;
  const words = weights.flatMap((row) => {
    const ones = row.flatMap((weight, i) => (weight === 1 ? [4 * i] : []));
    const zeros = row.flatMap((weight, i) => (weight === 0 ? [4 * i] : []));
    if (ones.length <= zeros.length + 1) return [0, ones.length, ...ones];
    readsTotal = true;
    return [1, zeros.length, ...zeros];
  });
  return { address: arena.pointers(words), readsTotal };
}
