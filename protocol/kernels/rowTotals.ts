/**
 * The mean of most of the rows without reading them again: from the sum of all rows, which the Gram matrix's pass leaves
 * on the way (`gramSpan`), and the few rows that are left out.
 *
 *     first pass    G; per coordinate the sum of all rows modulo 2^16; per block and row a bound of its coordinates
 *     W: takes n - f rows, each once
 *     second pass   the sum without the other f rows, over n - f, added to the model (`fedAvgOfRest`)
 *
 * Modulo 2^16 nothing is lost where the sum of the rows that are taken fits int16, whatever the others hold; the bounds
 * of these rows prove it, block by block. Where they do not, the rows that are taken are read and summed up as ever.
 */
import type { Kernels } from './kernelModule.ts';
import type { Int16Quotient } from './serverStep.ts';

/** The same for all who use it: where the totals of a round's first blocks lie. */
export interface TotalsPlace {
  readonly sums: number;
  readonly bounds: number;
  /** Coordinates of a block. */
  readonly blockLength: number;
  /** Blocks from the first on that have totals. */
  readonly blocks: number;
}

/** Where `gramSpan` leaves them for some coordinates; `largest` is of their whole block. */
export interface SpanTotals {
  readonly sums: number;
  readonly largest: number;
}

export function placeTotals({ arena }: Kernels, rows: number, blockLength: number, blocks: number): TotalsPlace {
  return {
    sums: arena.allocate(2 * blockLength * blocks),
    bounds: arena.allocate(4 * rows * blocks),
    blockLength,
    blocks,
  };
}

/** Totals of n rows over the blocks of a round. */
export class RowTotals {
  private readonly kernels: Kernels;
  private readonly rows: number;
  private readonly place: TotalsPlace;

  constructor(kernels: Kernels, rows: number, place: TotalsPlace) {
    this.kernels = kernels;
    this.rows = rows;
    this.place = place;
  }

  has(block: number): boolean {
    return block < this.place.blocks;
  }

  /** Before the first pass over a block: nothing is known of its rows. */
  begin(block: number): void {
    this.kernels.arena.bytes(this.of(block, 0).largest, 4 * this.rows).fill(0);
  }

  /** Those of a block from its coordinate `from` on. */
  of(block: number, from: number): SpanTotals {
    const { sums, bounds, blockLength } = this.place;
    return { sums: sums + 2 * (block * blockLength + from), largest: bounds + 4 * this.rows * block };
  }

  /** Whether the sum of the rows at `kept` fits int16 at every coordinate of a block, after the first pass over it. */
  holds(block: number, kept: readonly number[]): boolean {
    if (!this.has(block)) return false;
    const squares = new Uint32Array(this.kernels.memory.buffer, this.of(block, 0).largest, this.rows);
    return kept.reduce((sum, row) => sum + Math.floor(Math.sqrt(squares[row]!)), 0) < 2 ** 15;
  }
}

/** The rows that a sum takes, each once, and the others. */
export interface Selection {
  readonly kept: readonly number[];
  readonly left: readonly number[];
}

/**
 * The rows of a sum with these weights, where it is worth being computed from the sum of all; else null: for other
 * weights than 0 and 1, and where those that are left out are not fewer than those that are taken.
 */
export function selectionOf(weights: readonly number[]): Selection | null {
  if (weights.some((weight) => weight !== 0 && weight !== 1)) return null;
  const rowsOf = (wanted: number) => weights.flatMap((weight, row) => (weight === wanted ? [row] : []));
  const [kept, left] = [rowsOf(1), rowsOf(0)];
  return left.length + 1 < kept.length ? { kept, left } : null;
}

/**
 * Moves the model at `model` by the mean of the selected rows. `totals`: of the coordinates that start at `model` and at
 * the rows of the table at `rows`, where they hold; `length`: a multiple of 16. Rows that are taken are not read.
 */
export type SelectionMover = (totals: SpanTotals, rows: number, model: number, length: number) => void;

export function selectionMover({ arena, exports }: Kernels, { left }: Selection, by: Int16Quotient): SelectionMover {
  const table = arena.pointers(left.map((row) => 4 * row));
  return ({ sums }, rows, model, length) => {
    exports.fedAvgOfRest(sums, rows, table, left.length, model, length, by.back, by.factor);
  };
}
