/**
 * Mixed rows W U over a tile of coordinates, in the narrowest lanes that hold them exactly: W is data of the round,
 * and each tile is looked at before it is mixed.
 *
 *     rows picked as they are (Krum, Bulyan)                    their own bytes, nothing is computed
 *     sums of rows (nearest neighbours, bucketing)              int16 where they fit: one instruction for 8 values
 *     sums of rows that have one factor each (clipped before)   int32 where they fit, else float64
 *     any other weights                                         the same, row by row (`weightedSum.ts`)
 */
import type { Kernels } from './kernelModule.ts';
import type { Lanes, SumLanes } from './orderStatistics.ts';
import { weightedSum } from './weightedSum.ts';

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
  /** What holds a sum of all mixed rows, which is what a combine makes of them. */
  readonly sums: SumLanes;
  /** Address of the m row addresses. Overwritten by the next call. */
  readonly rows: number;
}

export interface MixingKernel {
  /** `rows`: address of n row addresses; `length`: a multiple of 16 up to the capacity. */
  mix(rows: number, length: number): MixedRows;
}

/** Mixes a tile into rows of the given lanes, which are known to fit. */
interface Mixer {
  /** Whether int32 lanes will do where the mixed rows fit them. */
  readonly hasInt32: boolean;
  mix(rows: number, length: number, lanes: Lanes): void;
}

/**
 * The kernel of one W. Its scratch (at most 8 (n + m + 1) bytes per coordinate) and its tables come from the kernels'
 * arena. Bounds, the caller's to keep: the sum of |weight| * |q| over a row is below 2^52 / m.
 *
 * @param capacity most coordinates of one `mix`: a tile that fits a cache
 */
export function mixingKernel(kernels: Kernels, matrix: MixingMatrix, capacity: number): MixingKernel {
  const { rows: m, columns: n } = matrix;
  const weights = Array.from({ length: m }, (_, r) => [...matrix.weights.subarray(r * n, (r + 1) * n)]);
  const factors = columnFactors(weights);
  const isSums = factors?.every((factor) => factor === 1) ?? false;
  const magnitudes = weights.map((row) => row.reduce((sum, weight) => sum + Math.abs(weight), 0));
  if (isSums && magnitudes.every((magnitude) => magnitude === 1)) return choiceKernel(kernels, weights);

  // Rows of the same weights are mixed once: participants with the same neighbours have the same mixed row.
  const keys = weights.map((row) => row.join());
  const first = keys.map((key) => keys.indexOf(key));
  const distinct = weights.filter((_, r) => first[r] === r);
  const out = new Map(first.filter((at, r) => at === r).map((r) => [r, kernels.arena.allocate(8 * capacity)]));
  const table = kernels.arena.pointers(first.map((r) => out.get(r)!));
  const mixer =
    factors === null
      ? mixerByRow(kernels, distinct, [...out.values()], capacity)
      : mixerOfSums(kernels, distinct, factors, [...out.values()], capacity);
  const sizes = distinct.map((row) => row.map(Math.abs));
  // Of n int16 no sum leaves int32, nor does a sum of n such sums.
  const largestOf = (rows: number, length: number): number =>
    isSums
      ? kernels.exports.largestColumnSum(rows, n, length)
      : largestSum(sizes, magnitudesOf(kernels, rows, n, length));

  return {
    mix(rows, length) {
      const most = largestOf(rows, length);
      const lanes = isSums && most < 2 ** 15 ? 'int16' : mixer.hasInt32 && most < 2 ** 31 ? 'int32' : 'float64';
      mixer.mix(rows, length, lanes);
      const fits = isSums || (lanes === 'int32' && most * m < 2 ** 31);
      return { lanes, sums: fits ? 'int32' : 'float64', rows: table };
    },
  };
}

/** Of each row the largest magnitude in a tile. */
function magnitudesOf({ exports, memory }: Kernels, rows: number, n: number, length: number): number[] {
  const addresses = new Uint32Array(memory.buffer, rows, n);
  return Array.from(addresses, (address) => exports.largestMagnitude(address, length));
}

/** What no mixed value exceeds. */
function largestSum(sizes: readonly (readonly number[])[], largest: readonly number[]): number {
  let most = 0;
  for (const row of sizes) {
    let sum = 0;
    for (let i = 0; i < row.length; i++) sum += row[i]! * largest[i]!;
    if (sum > most) most = sum;
  }
  return most;
}

/** The one weight besides 0 of every column, where every column has one only (1 for a column of zeros); else null. */
function columnFactors(weights: readonly (readonly number[])[]): number[] | null {
  const columns = (weights[0] ?? []).map((_, i) => new Set(weights.map((row) => row[i]!).filter((w) => w !== 0)));
  return columns.some(({ size }) => size > 1) ? null : columns.map((values) => [...values][0] ?? 1);
}

/** Rows that are picked: the table points at the caller's own. */
function choiceKernel({ arena, memory }: Kernels, weights: readonly (readonly number[])[]): MixingKernel {
  const chosen = weights.map((row) => row.indexOf(1));
  const table = arena.allocate(4 * chosen.length);
  return {
    mix(rows) {
      const from = new Uint32Array(memory.buffer, rows, weights[0]!.length);
      new Uint32Array(memory.buffer, table, chosen.length).set(chosen.map((row) => from[row]!));
      return { lanes: 'int16', sums: 'int32', rows: table };
    },
  };
}

/** What of the rows is summed at a time: they are read again for every mixed row. */
const FIRST_CACHE_BYTES = 24 * 1024;
const BYTES = { int16: 2, int32: 4, float64: 8 } as const;

function mixerOfSums(
  { arena, exports }: Kernels,
  weights: readonly (readonly number[])[],
  factors: readonly number[],
  outputs: readonly number[],
  capacity: number,
): Mixer {
  const n = factors.length;
  const m = weights.length;
  let readsTotal = false;
  const program = weights.flatMap((row) => {
    const offsets = (isIn: boolean) => row.flatMap((weight, i) => ((weight !== 0) === isIn ? [4 * i] : []));
    const [taken, left] = [offsets(true), offsets(false)];
    if (taken.length <= left.length + 1) return [0, taken.length, ...taken];
    readsTotal = true;
    return [1, left.length, ...left];
  });
  const words = arena.pointers(program);
  const all = arena.pointers(factors.map((_, i) => 4 * i));
  const out = arena.pointers(outputs);
  const scaled = arena.pointers(factors.map(() => arena.allocate(8 * capacity)));
  const factorTable = arena.pointers(factors);
  const total = readsTotal ? arena.allocate(8 * capacity) : 0;
  return {
    hasInt32: factors.every((factor) => Math.abs(factor) < 2 ** 15),
    mix(rows, length, lanes) {
      const step = Math.max(16, (FIRST_CACHE_BYTES / (n * BYTES[lanes])) & ~15);
      for (let start = 0; start < length; start += step) {
        const end = Math.min(length, start + step);
        if (lanes === 'int16') {
          exports.rowSumsInt16(rows, all, n, total, words, out, m, start, end);
        } else if (lanes === 'int32') {
          exports.scaleRowsInt32(rows, n, factorTable, scaled, start, end);
          exports.rowSumsInt32(scaled, all, n, total, words, out, m, start, end);
        } else {
          exports.scaleRowsFloat64(rows, n, factorTable, scaled, start, end);
          exports.rowSumsFloat64(scaled, all, n, total, words, out, m, start, end);
        }
      }
    },
  };
}

function mixerByRow(
  kernels: Kernels,
  weights: readonly (readonly number[])[],
  outputs: readonly number[],
  capacity: number,
): Mixer {
  const scratch = kernels.arena.allocate(4 * capacity);
  const sums = weights.map((row) => weightedSum(kernels, row, capacity, scratch));
  return {
    hasInt32: sums.every(({ hasInt32 }) => hasInt32),
    mix(rows, length, lanes) {
      for (const [r, sum] of sums.entries())
        sum.run(rows, outputs[r]!, length, lanes === 'int32' ? 'int32' : 'float64');
    },
  };
}
