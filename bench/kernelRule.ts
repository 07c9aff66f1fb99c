/**
 * A rule by itself: rows that lie in the kernels' memory become the next model, one thread, nothing hashed. What is
 * compared with numpy, which does no more either; a round (`runRound`) does this, and reads, commits and publishes.
 *
 *     first pass    G; sign counts where the rule wants them
 *     W = pre(G)
 *     second pass   tile by tile: mix, combine, divide, add to the model
 */
import { ruleDenominator } from '../protocol/aggregation/combine/combineChunk.ts';
import { bulyanCount, meaMedCount } from '../protocol/aggregation/combine/nearestMedian.ts';
import type { Gram } from '../protocol/aggregation/gram.ts';
import { historyChunk } from '../protocol/aggregation/history.ts';
import type { Mixing } from '../protocol/aggregation/preAggregation/mixing.ts';
import { preAggregate } from '../protocol/aggregation/preAggregation/preAggregate.ts';
import { type Combine, checkRowCount, needsGram, needsSigns, usesHistory } from '../protocol/aggregation/rule.ts';
import { GramKernel } from '../protocol/kernels/gram.ts';
import { createKernelMemory, type Kernels, loadKernels } from '../protocol/kernels/kernelModule.ts';
import { mixingKernel } from '../protocol/kernels/mixing.ts';
import {
  type OrderStatistic,
  type OrderStatisticKernel,
  orderStatisticKernel,
} from '../protocol/kernels/orderStatistics.ts';
import { placeTotals, RowTotals, selectionMover, selectionOf } from '../protocol/kernels/rowTotals.ts';
import { serverStepKernel } from '../protocol/kernels/serverStep.ts';
import { countSigns } from '../protocol/kernels/signs.ts';
import { weightedSum } from '../protocol/kernels/weightedSum.ts';
import { columnSums, selectedRows } from '../protocol/round/engine/secondPass.ts';
import type { LearningParameters } from '../protocol/round/parameters.ts';
import type { RoundContext } from '../protocol/round/roundIo.ts';

/** Coordinates of a tile, as in a round: what one kernel writes is in the cache when the next one reads it. */
const TILE = 4096;
/** Of a block of 20 rows in a round. */
const BLOCK = 65_536;
/** Rows start this much beyond a multiple of their length: equal addresses modulo 4096 would share cache sets. */
const SKEW_BYTES = 192;
const INT16_BOUND = 2 ** 15;

/** n rows and a model of d coordinates (rounded up to whole tiles, zeros) in the memory of the kernels. */
export class RowMemory {
  readonly kernels: Kernels;
  readonly n: number;
  readonly dimension: number;
  /** d and its padding. */
  readonly length: number;
  readonly modelAt: number;
  /** One row more than n: the place of the history row. */
  private readonly rows: readonly number[];
  private readonly tableAt: number;

  constructor(n: number, dimension: number) {
    this.kernels = loadKernels(createKernelMemory());
    this.n = n;
    this.dimension = dimension;
    this.length = Math.ceil(dimension / TILE) * TILE;
    const { arena } = this.kernels;
    this.rows = Array.from({ length: n + 1 }, () => arena.allocate(2 * this.length + SKEW_BYTES));
    this.modelAt = arena.allocate(4 * this.length);
    this.tableAt = arena.allocate(4 * (n + 1));
  }

  row(i: number): Int16Array {
    return this.kernels.arena.int16(this.rows[i]!, this.length);
  }

  model(): Int32Array {
    return this.kernels.arena.int32(this.modelAt, this.length);
  }

  addressOf(row: number): number {
    return this.rows[row]!;
  }

  /** Address of a table of the addresses of the first `count` rows from coordinate `from` on. */
  table(count: number, from: number): number {
    const table = new Uint32Array(this.kernels.memory.buffer, this.tableAt, count);
    for (let i = 0; i < count; i++) table[i] = this.rows[i]! + 2 * from;
    return this.tableAt;
  }

  /** The floor: every byte of the rows read once, tile by tile. */
  readOnce(): void {
    for (let from = 0; from < this.length; from += TILE) {
      this.kernels.exports.readRows(this.table(this.n, from), this.n, 2 * Math.min(TILE, this.length - from));
    }
  }

  /** The Gram matrix of the first `count` rows, and on the way their totals where they are wanted. */
  gram(count: number = this.n, totals: RowTotals | null = null): Gram {
    const mark = this.kernels.arena.mark();
    const kernel = new GramKernel(this.kernels, count);
    kernel.begin();
    for (let from = 0; from < this.length; from += BLOCK) {
      const block = from / BLOCK;
      totals?.begin(block);
      kernel.add(this.table(count, from), 0, Math.min(BLOCK, this.length - from), totals?.of(block, 0));
    }
    const values = kernel.matrix();
    this.kernels.arena.release(mark);
    return { n: count, values };
  }
}

/**
 * Replaces the model in `memory` by the next one. A rule with a history row takes a round without a previous model.
 * @throws AssayError `TOO_FEW_UPDATES`
 */
export function applyRule(memory: RowMemory, parameters: LearningParameters, context: RoundContext): Mixing | null {
  const { rule } = parameters;
  checkRowCount(rule, memory.n);
  const mark = memory.kernels.arena.mark();
  try {
    const totals = totalsOf(memory, parameters);
    const mixing = needsGram(rule) ? mixingOf(memory, parameters, context, totals) : null;
    combine(memory, parameters, mixing, totals);
    return mixing;
  } finally {
    memory.kernels.arena.release(mark);
  }
}

/** Room for the sums of all rows, where the rule will have a use for them. */
function totalsOf({ kernels, n, length }: RowMemory, { rule, serverStep, ...parameters }: LearningParameters) {
  const kept = selectedRows(rule, n);
  const by = serverStepKernel(kernels, { ...serverStep, ...parameters }).plainMoveOfInt16(kept);
  if (2 * kept <= n + 1 || by === null) return null;
  return new RowTotals(kernels, n, placeTotals(kernels, n, BLOCK, Math.ceil(length / BLOCK)));
}

function mixingOf(
  memory: RowMemory,
  parameters: LearningParameters,
  context: RoundContext,
  totals: RowTotals | null,
): Mixing {
  const { rule, dimension } = parameters;
  const { kernels, n, length } = memory;
  if (usesHistory(rule)) memory.row(n).set(historyChunk(memory.model(), null, parameters));
  const counts = kernels.arena.allocate(12);
  const signs = Array.from({ length: needsSigns(rule) ? n : 0 }, (_, i) => {
    const { positive, negative } = countSigns(kernels, memory.addressOf(i), length, counts);
    return { positive, negative, zero: dimension - positive - negative };
  });
  const gram = memory.gram(usesHistory(rule) ? n + 1 : n, totals);
  return preAggregate(rule, gram, { ...context, signs: needsSigns(rule) ? signs : null, dimension });
}

function combine(
  memory: RowMemory,
  parameters: LearningParameters,
  mixing: Mixing | null,
  totals: RowTotals | null,
): void {
  const { kernels, length, modelAt } = memory;
  const { rule, serverStep } = parameters;
  const columns = mixing?.columns ?? memory.n;
  const denominator = ruleDenominator(rule, columns, mixing);
  const step = serverStepKernel(kernels, { ...serverStep, ...parameters });
  const move = rule.combine === 'mean' ? step.plainMove(denominator) : null;
  if (move !== null) {
    const weights = columnSums(mixing, columns);
    const sum = weightedSum(kernels, weights, TILE);
    if (sum.lanesFor(INT16_BOUND) === 'int32') {
      const selection = totals && selectionOf(weights);
      const by = step.plainMoveOfInt16(denominator);
      const mover = selection && by && selectionMover(kernels, selection, by);
      for (let from = 0; from < length; from += BLOCK) {
        const [block, size] = [from / BLOCK, Math.min(BLOCK, length - from)];
        const [rows, model] = [memory.table(columns, from), modelAt + 4 * from];
        if (mover && totals!.holds(block, selection!.kept)) mover(totals!.of(block, 0), rows, model, size);
        else sum.move(rows, model, size, move);
      }
      return;
    }
  }
  const numerators = kernels.arena.allocate(8 * TILE);
  const tile = tileCombiner(kernels, rule.combine, rule.byzantine, mixing, columns, numerators);
  for (let from = 0; from < length; from += TILE) {
    const size = Math.min(TILE, length - from);
    const lanes = tile(memory.table(columns, from), size);
    step.run(numerators, lanes, denominator, modelAt + 4 * from, 0, size);
  }
}

/** Writes a tile's numerators and says in which lanes. */
function tileCombiner(
  kernels: Kernels,
  how: Combine,
  f: number,
  mixing: Mixing | null,
  columns: number,
  numerators: number,
): (rows: number, length: number) => 'int32' | 'float64' {
  if (how === 'mean') {
    const sum = weightedSum(kernels, columnSums(mixing, columns), TILE);
    const lanes = sum.lanesFor(INT16_BOUND);
    return (rows, length) => {
      sum.run(rows, numerators, length, lanes);
      return lanes;
    };
  }
  const m = mixing?.rows ?? columns;
  const statistic = statisticOf(how, m, f);
  if (mixing === null) {
    const kernel = orderStatisticKernel(kernels, statistic, m, 'int16');
    return (rows, length) => {
      kernel(rows, numerators, length);
      return 'int32';
    };
  }
  const mix = mixingKernel(kernels, mixing, TILE);
  const ordered = new Map<string, OrderStatisticKernel>();
  return (rows, length) => {
    const { lanes, sums, rows: mixed } = mix.mix(rows, length);
    const key = `${lanes} ${sums}`;
    const kernel = ordered.get(key) ?? orderStatisticKernel(kernels, statistic, m, lanes, sums);
    ordered.set(key, kernel);
    kernel(mixed, numerators, length);
    return sums;
  };
}

function statisticOf(how: Exclude<Combine, 'mean'>, m: number, f: number): OrderStatistic {
  if (how === 'median') return { kind: 'median' };
  if (how === 'trimmedMean') return { kind: 'trimmedMean', drop: f };
  return { kind: 'nearestMedian', keep: how === 'meaMed' ? meaMedCount(m, f) : bulyanCount(m, f) };
}
