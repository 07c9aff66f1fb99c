/**
 * The blocks of a round computed by the kernels, in whichever thread this runs: every thread of the engine has one of
 * these over the same shared memory, and is told which slot to work on. It works tile by tile, so that what one kernel
 * writes is in the processor's cache when the next one reads it.
 */
import { ruleDenominator } from '../../aggregation/combine/combineChunk.ts';
import { bulyanCount, meaMedCount } from '../../aggregation/combine/nearestMedian.ts';
import type { Mixing } from '../../aggregation/preAggregation/mixing.ts';
import type { Combine } from '../../aggregation/rule.ts';
import { trimSampleStride } from '../../aggregation/trimming.ts';
import { GRAM_SPAN } from '../../commitment/gramTree.ts';
import type { SumNode } from '../../commitment/merkleSum.ts';
import { SubtreeHasher } from '../../commitment/subtreeHasher.ts';
import { MODEL_COORDINATE_BYTES, UPDATE_COORDINATE_BYTES } from '../../encoding/vectors.ts';
import { GramKernel, gramScratchBytes } from '../../kernels/gram.ts';
import { GramTreeKernel, gramTreeBytes } from '../../kernels/gramTree.ts';
import type { Kernels } from '../../kernels/kernelModule.ts';
import { type MixedRows, type MixingKernel, mixingKernel } from '../../kernels/mixing.ts';
import {
  type Lanes,
  type OrderStatistic,
  type OrderStatisticKernel,
  orderStatisticKernel,
  type SumLanes,
} from '../../kernels/orderStatistics.ts';
import { type SelectionMover, selectionMover, type TotalsPlace } from '../../kernels/rowTotals.ts';
import { type ServerStepKernel, serverStepKernel } from '../../kernels/serverStep.ts';
import { countSigns } from '../../kernels/signs.ts';
import { countTrimmedRows } from '../../kernels/trimming.ts';
import { weightedSum } from '../../kernels/weightedSum.ts';
import type {
  BlockAnalysis,
  BlockBuffers,
  BlockWants,
  CombinedBlock,
  CombineWants,
  RoundShape,
} from './roundEngine.ts';
import { columnSums, SecondPass } from './secondPass.ts';

/** Coordinates of a tile, at least a chunk: 20 rows of it and what is made of them stay in the second-level cache. */
const TILE = 4096;
/** Beyond a tile, so that the mixed rows of a tile do not all fall into the same sets of the cache. */
const TILE_SKEW = 24;
const INT16_BOUND = 2 ** 15;

/** Where a slot's vectors are in the shared memory. */
export interface SlotAddresses {
  readonly rows: readonly number[];
  readonly model: number;
  readonly state: number;
}

/** What a thread needs to know of a round. */
export interface MachineSetup {
  readonly shape: RoundShape;
  readonly slots: readonly SlotAddresses[];
  /** Where sums of all rows are kept between the passes; null: nowhere. */
  readonly totals: TotalsPlace | null;
}

/** What a combine does with a tile: numerators at `BlockMachine.numerators`, in the lanes it says. */
type Combiner = (rows: number, length: number) => { readonly lanes: 'int32' | 'float64'; readonly mixed: MixedRows };
/** A mean and the server step at once. */
type Mover = (rows: number, model: number, length: number) => void;

export class BlockMachine {
  private readonly kernels: Kernels;
  private readonly setup: MachineSetup;
  private readonly gram: GramKernel;
  private readonly gramTree: GramTreeKernel;
  private readonly hasher: SubtreeHasher;
  private readonly step: ServerStepKernel;
  /** Chunks of a tile. */
  private readonly tileChunks: number;
  private readonly numerators: number;
  /** Addresses of the rows of a tile, and of a chunk of the combined rows. */
  private readonly rowTable: number;
  private readonly chunkTable: number;
  private readonly counts: number;
  private readonly afterBirth: number;
  private readonly secondPass: SecondPass;
  private mixing: Mixing | null = null;
  private combiner: Combiner | null = null;
  private mover: Mover | null = null;
  private selectionMover: SelectionMover | null = null;

  /** @throws AssayError `KERNEL_MEMORY` when the arena is full. */
  constructor(kernels: Kernels, setup: MachineSetup) {
    const { rows, parameters } = setup.shape;
    const { arena } = kernels;
    this.kernels = kernels;
    this.setup = setup;
    this.secondPass = new SecondPass(kernels, setup.shape, setup.totals);
    this.tileChunks = tileChunks(setup.shape);
    this.gram = new GramKernel(kernels, rows);
    this.gramTree = new GramTreeKernel(kernels, rows, Math.ceil(setup.shape.blocks.chunks / GRAM_SPAN));
    this.hasher = new SubtreeHasher(kernels, hashedLeaves(setup.shape));
    this.step = serverStepKernel(kernels, { ...parameters.serverStep, ...parameters });
    this.numerators = arena.allocate(8 * tileCapacity(setup.shape));
    this.rowTable = arena.allocate(4 * rows);
    this.chunkTable = arena.allocate(4 * (rows + 1));
    this.counts = arena.allocate(4 * (rows + 1));
    this.afterBirth = arena.mark();
  }

  /** Prepares `combine`: writes the kernels that this W and this rule need. */
  mixBy(mixing: Mixing | null): void {
    this.kernels.arena.release(this.afterBirth);
    this.mixing = mixing;
    const moved = this.secondPass.mixBy(mixing);
    this.selectionMover = moved && selectionMover(this.kernels, moved.selection, moved.by);
    this.mover = this.moverOf(mixing);
    this.combiner = this.combinerOf(mixing);
  }

  /** See `BlockComputer.rowsOf`. */
  rowsOf(block: number): readonly boolean[] | null {
    return this.secondPass.rowsOf(block);
  }

  analyse(slot: number, chunks: number, wants: BlockWants): BlockAnalysis {
    const { shape } = this.setup;
    const { chunkSize } = shape.blocks.layout;
    const commitments = wants.commitments ? this.commit(slot, chunks) : []; // first: it brings the rows into the cache
    const spans: BigInt64Array[] = [];
    const block = wants.firstChunk / shape.blocks.chunks;
    const totals = this.secondPass.totals?.has(block) === true ? this.secondPass.totals : null;
    totals?.begin(block);
    const signs = wants.signs ? Array.from({ length: shape.updates }, () => ({ positive: 0, negative: 0 })) : [];
    for (let first = 0; first < chunks; first += GRAM_SPAN) {
      const count = Math.min(GRAM_SPAN, chunks - first);
      const rows = this.placeRows(slot, first);
      if (wants.gram) spans.push(this.gram.span(rows, 0, count * chunkSize, totals?.of(block, first * chunkSize)));
      signs.forEach((sign, i) => {
        const at = this.setup.slots[slot]!.rows[i]! + first * chunkSize * UPDATE_COORDINATE_BYTES;
        const counted = countSigns(this.kernels, at, count * chunkSize, this.counts);
        sign.positive += counted.positive;
        sign.negative += counted.negative;
      });
    }
    return { gram: wants.gram ? this.gramTree.grow(spans) : null, commitments, signs };
  }

  combine(slot: number, chunks: number, wants: CombineWants): CombinedBlock {
    const commitments = wants.commitments ? this.commit(slot, chunks) : [];
    const { shape, slots } = this.setup;
    const { parameters, blocks, statePlanes } = shape;
    const { rule } = parameters;
    const { chunkSize, chunkCount } = blocks.layout;
    const { model, state } = slots[slot]!;
    const m = this.mixing?.rows ?? shape.rows;
    const denominator = this.denominatorOf(this.mixing);
    const stride = rule.combine === 'trimmedMean' ? trimSampleStride(chunkCount) : Number.POSITIVE_INFINITY;
    const counts = this.kernels.arena.int32(this.counts, m).fill(0);
    const block = wants.firstChunk / blocks.chunks;
    const usesTotals = this.secondPass.usesTotals(block);
    const modelChunk = MODEL_COORDINATE_BYTES * chunkSize;
    const stateChunk = modelChunk * statePlanes;
    for (let first = 0; first < chunks; first += this.tileChunks) {
      const count = Math.min(this.tileChunks, chunks - first);
      const length = count * chunkSize;
      const rows = this.placeRows(slot, first);
      if (usesTotals) {
        const totals = this.secondPass.totals!.of(block, first * chunkSize);
        this.selectionMover!(totals, rows, model + first * modelChunk, length);
        continue;
      }
      if (this.mover !== null) {
        this.mover(rows, model + first * modelChunk, length);
        continue;
      }
      const { lanes, mixed } = this.combiner!(rows, length);
      for (let c = (stride - ((wants.firstChunk + first) % stride)) % stride; c < count; c += stride) {
        const table = this.placeChunk(mixed, m, c * chunkSize);
        countTrimmedRows(this.kernels, mixed.lanes, table, m, rule.byzantine, chunkSize, this.counts);
      }
      const [modelAt, stateAt] = [model + first * modelChunk, state + first * stateChunk];
      this.step.run(this.numerators, lanes, denominator, modelAt, statePlanes === 0 ? 0 : stateAt, length);
    }
    return {
      model: this.hasher.modelRoot(model, modelChunk, chunks, blocks.depth),
      state: statePlanes > 0 ? this.hasher.modelRoot(state, stateChunk, chunks, blocks.depth) : null,
      commitments,
      trimmed: [...counts],
    };
  }

  private denominatorOf(mixing: Mixing | null): number {
    const { parameters, rows } = this.setup.shape;
    return ruleDenominator(parameters.rule, rows, mixing);
  }

  /** For a mean that int32 holds and a step that is no more than its quotient: the usual FedAvg. */
  private moverOf(mixing: Mixing | null): Mover | null {
    const { shape } = this.setup;
    const by = this.step.plainMove(this.denominatorOf(mixing));
    if (shape.parameters.rule.combine !== 'mean' || by === null) return null;
    const sum = weightedSum(this.kernels, columnSums(mixing, shape.rows), tileCapacity(shape));
    if (sum.lanesFor(INT16_BOUND) !== 'int32') return null;
    return (rows, model, length) => sum.move(rows, model, length, by);
  }

  private combinerOf(mixing: Mixing | null): Combiner {
    const { kernels, numerators } = this;
    const { shape } = this.setup;
    const { combine, byzantine } = shape.parameters.rule;
    const capacity = tileCapacity(shape);
    const untouched = (rows: number): MixedRows => ({ lanes: 'int16', sums: 'int32', rows });
    if (combine === 'mean') {
      const sum = weightedSum(kernels, columnSums(mixing, shape.rows), capacity);
      const lanes = sum.lanesFor(INT16_BOUND);
      return (rows, length) => {
        sum.run(rows, numerators, length, lanes);
        return { lanes, mixed: untouched(rows) };
      };
    }
    const m = mixing?.rows ?? shape.rows;
    const statistic = statisticOf(combine, m, byzantine);
    const ordered: Partial<Record<`${Lanes} ${SumLanes}`, OrderStatisticKernel>> = {};
    const run = (mixed: MixedRows, length: number) => {
      const { lanes, sums, rows } = mixed;
      ordered[`${lanes} ${sums}`] ??= orderStatisticKernel(kernels, statistic, m, lanes, sums);
      ordered[`${lanes} ${sums}`]!(rows, numerators, length);
      return { lanes: sums, mixed };
    };
    if (mixing === null) return (rows, length) => run(untouched(rows), length);
    const mix: MixingKernel = mixingKernel(kernels, mixing, capacity);
    return (rows, length) => run(mix.mix(rows, length), length);
  }

  /** Address of a table of the rows' addresses from chunk `first` on. */
  private placeRows(slot: number, first: number): number {
    const { shape, slots } = this.setup;
    const table = new Uint32Array(this.kernels.memory.buffer, this.rowTable, shape.rows);
    const offset = first * shape.blocks.layout.chunkSize * 2;
    slots[slot]!.rows.forEach((address, i) => {
      table[i] = address + offset;
    });
    return this.rowTable;
  }

  /** Address of a table of the m combined rows' addresses from coordinate `from` of their tile on. */
  private placeChunk({ lanes, rows }: MixedRows, m: number, from: number): number {
    const { buffer } = this.kernels.memory;
    const bytes = lanes === 'int16' ? 2 : lanes === 'int32' ? 4 : 8;
    const table = new Uint32Array(buffer, this.chunkTable, m);
    new Uint32Array(buffer, rows, m).forEach((address, r) => {
      table[r] = address + from * bytes;
    });
    return this.chunkTable;
  }

  /** Roots of the subtrees over the block's chunks of every update. */
  private commit(slot: number, chunks: number): SumNode[] {
    const { shape, slots } = this.setup;
    const { blocks, updates } = shape;
    const leafBytes = UPDATE_COORDINATE_BYTES * blocks.layout.chunkSize;
    return this.hasher.updateRoots(slots[slot]!.rows.slice(0, updates), leafBytes, chunks, blocks.depth);
  }
}

/** The vectors of a slot, as typed arrays over the shared memory. */
export function viewSlot({ arena }: Kernels, shape: RoundShape, slot: SlotAddresses): BlockBuffers {
  const coordinates = shape.blocks.chunks * shape.blocks.layout.chunkSize;
  return {
    rows: slot.rows.map((address) => arena.int16(address, coordinates)),
    model: arena.int32(slot.model, coordinates),
    state: arena.int32(slot.state, coordinates * shape.statePlanes),
  };
}

/**
 * Memory that a thread needs for itself while a round lasts, at most: numerators, mixed rows and the digits of their
 * sums in float64, W as tables of the kernels, hashes of a block's leaves.
 */
export function machineBytes(shape: RoundShape): number {
  const { rows } = shape;
  const mixed = (16 * rows + 48) * tileCapacity(shape);
  const tables = 64 * rows * rows + 1024 * rows;
  const hashes = SubtreeHasher.byteLength(hashedLeaves(shape));
  return (
    mixed +
    tables +
    hashes +
    gramScratchBytes(rows) +
    gramTreeBytes(rows, Math.ceil(shape.blocks.chunks / GRAM_SPAN)) +
    8 * rows * rows +
    2 ** 16
  );
}

/** Leaves that are hashed together: of a few rows, so that no lane of the kernel is idle when they are joined. */
function hashedLeaves({ rows, blocks }: RoundShape): number {
  return blocks.chunks * Math.min(rows, 4);
}

function statisticOf(combine: Exclude<Combine, 'mean'>, m: number, f: number): OrderStatistic {
  if (combine === 'median') return { kind: 'median' };
  if (combine === 'trimmedMean') return { kind: 'trimmedMean', drop: f };
  return { kind: 'nearestMedian', keep: combine === 'meaMed' ? meaMedCount(m, f) : bulyanCount(m, f) };
}

function tileChunks({ blocks }: RoundShape): number {
  return Math.min(blocks.chunks, Math.max(1, TILE / blocks.layout.chunkSize));
}

function tileCapacity(shape: RoundShape): number {
  return tileChunks(shape) * shape.blocks.layout.chunkSize + TILE_SKEW;
}
