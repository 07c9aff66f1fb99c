/**
 * A rule over whole rows that stay in the memory of the kernels: what an attack that tries the rule twenty times a round
 * needs. The numbers are those of `computeRound` and of every aggregator to the bit; the trees are left out, since a
 * simulation publishes no roots.
 */
import { ruleDenominator } from '../../protocol/aggregation/combine/combineChunk.ts';
import type { InnerProducts } from '../../protocol/aggregation/gram.ts';
import type { Mixing } from '../../protocol/aggregation/preAggregation/mixing.ts';
import { type MixingContext, preAggregate } from '../../protocol/aggregation/preAggregation/preAggregate.ts';
import { checkRowCount, needsGram, needsSigns, type Rule } from '../../protocol/aggregation/rule.ts';
import { GramKernel } from '../../protocol/kernels/gram.ts';
import { type Kernels, loadKernels } from '../../protocol/kernels/kernelModule.ts';
import { mixingKernel } from '../../protocol/kernels/mixing.ts';
import {
  type Lanes,
  type OrderStatistic,
  type OrderStatisticKernel,
  orderStatisticKernel,
  type SumLanes,
} from '../../protocol/kernels/orderStatistics.ts';

/** Coordinates that are mixed and combined at a time: a tile of 20 rows fits a cache. */
const TILE = 4096;
/** Kernels take multiples of 16 coordinates. */
const LANES = 16;

/** Who sent the rows, and the round's seed. */
export interface RowsContext {
  readonly indices: readonly number[];
  readonly seed: MixingContext['seed'];
}

export interface Aggregate {
  /** `[d]` exact integers. */
  readonly numerators: Float64Array;
  readonly denominator: number;
  /** Null when the rows are the updates. */
  readonly mixing: Mixing | null;
}

export class RuleMemory {
  private readonly rule: Rule;
  private readonly dimension: number;
  private readonly kernels: Kernels;
  /** Bytes of a row with its padding. */
  private readonly stride: number;
  private readonly base: number;
  private readonly out: number;
  /** Where tables and scratch of one computation begin. */
  private readonly scratch: number;
  private readonly rows: Int16Array[] = [];
  private readonly selections = new Map<string, OrderStatisticKernel>();

  /** @param slots most rows at a time */
  constructor(rule: Rule, slots: number, dimension: number) {
    this.rule = rule;
    this.dimension = dimension;
    this.kernels = loadKernels();
    this.stride = 2 * Math.ceil(dimension / LANES) * LANES;
    const { arena } = this.kernels;
    this.base = arena.allocate(slots * this.stride);
    this.out = arena.allocate(8 * TILE);
    this.scratch = arena.mark();
  }

  /** Puts a row, `[d]`, into a slot. */
  write(slot: number, row: Int16Array): void {
    const { memory } = this.kernels;
    const address = this.base + slot * this.stride;
    new Int16Array(memory.buffer, address, this.dimension).set(row);
    this.rows[slot] = row;
  }

  /**
   * The rule on the rows in `slots`, which are in participant order (attackers that send the same may share one).
   * @param history slot of the history row; null for rules that use none
   * @throws AssayError `TOO_FEW_UPDATES` when the rule is not defined for that many rows.
   */
  apply(slots: readonly number[], history: number | null, { indices, seed }: RowsContext): Aggregate {
    const { rule, dimension } = this;
    checkRowCount(rule, slots.length);
    if (!needsGram(rule)) return this.combine(slots, null);
    const all = history === null ? slots : [...slots, history];
    const signs = needsSigns(rule) ? slots.map((slot) => this.countSigns(slot)) : null;
    const mixing = preAggregate(rule, this.gram(all), { indices, seed, signs, dimension });
    return this.combine(all, mixing);
  }

  private gram(slots: readonly number[]): InnerProducts {
    this.kernels.arena.release(this.scratch);
    const table = this.table(slots);
    const kernel = new GramKernel(this.kernels, slots.length);
    return { n: slots.length, values: kernel.span(table, 0, this.stride / 2) };
  }

  private combine(slots: readonly number[], mixing: Mixing | null): Aggregate {
    const { rule, dimension } = this;
    const m = mixing?.rows ?? slots.length;
    const denominator = ruleDenominator(rule, slots.length, mixing);
    const numerators = new Float64Array(dimension);
    if (rule.combine === 'mean') this.sum(slots, mixing, numerators);
    else this.select(orderStatistic(rule, m), slots, mixing, numerators);
    return { numerators, denominator, mixing };
  }

  /** A mean of mixed rows is one weighted sum: at most 100 rows of weights that are together 2^29 at most. */
  private sum(slots: readonly number[], mixing: Mixing | null, numerators: Float64Array): void {
    slots.forEach((slot, i) => {
      let weight = mixing === null ? 1 : 0;
      for (let r = 0; r < (mixing?.rows ?? 0); r++) weight += mixing!.weights[r * mixing!.columns + i]!;
      if (weight === 0) return;
      const row = this.rows[slot]!;
      for (let k = 0; k < row.length; k++) numerators[k]! += weight * row[k]!;
    });
  }

  private select(
    statistic: OrderStatistic,
    slots: readonly number[],
    mixing: Mixing | null,
    numerators: Float64Array,
  ): void {
    const { kernels, dimension, stride, scratch, out } = this;
    const { arena } = kernels;
    arena.release(scratch);
    const kernel = mixing === null ? null : mixingKernel(kernels, mixing, TILE);
    const m = mixing?.rows ?? slots.length;
    const mark = arena.mark();
    for (let start = 0; start < stride / 2; start += TILE) {
      arena.release(mark);
      const length = Math.min(TILE, stride / 2 - start);
      const table = this.table(slots, 2 * start);
      const mixed = kernel?.mix(table, length);
      const { lanes, sums, rows } = mixed ?? { lanes: 'int16' as const, sums: 'int32' as const, rows: table };
      this.selection(statistic, m, lanes, sums)(rows, out, length);
      const { buffer } = kernels.memory;
      const tile = sums === 'float64' ? new Float64Array(buffer, out, length) : new Int32Array(buffer, out, length);
      numerators.set(tile.subarray(0, Math.min(length, dimension - start)), start);
    }
  }

  private selection(statistic: OrderStatistic, m: number, lanes: Lanes, sums: SumLanes): OrderStatisticKernel {
    const key = `${m} ${lanes} ${sums}`;
    const kernel = this.selections.get(key) ?? orderStatisticKernel(this.kernels, statistic, m, lanes, sums);
    this.selections.set(key, kernel);
    return kernel;
  }

  private table(slots: readonly number[], offset = 0): number {
    return this.kernels.arena.pointers(slots.map((slot) => this.base + slot * this.stride + offset));
  }

  private countSigns(slot: number) {
    let positive = 0;
    let negative = 0;
    for (const value of this.rows[slot]!) {
      if (value > 0) positive++;
      else if (value < 0) negative++;
    }
    return { positive, zero: this.dimension - positive - negative, negative };
  }
}

function orderStatistic({ combine, byzantine: f }: Rule, m: number): OrderStatistic {
  if (combine === 'median') return { kind: 'median' };
  if (combine === 'trimmedMean') return { kind: 'trimmedMean', drop: f };
  return { kind: 'nearestMedian', keep: combine === 'meaMed' ? m - f : m - 2 * f };
}
