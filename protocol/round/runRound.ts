/**
 * One round's numbers, block by block: what the aggregator that publishes and the auditor that replays both drive, each
 * with its own reading and writing. Memory is a few blocks of n rows, whatever the model's size; the next block is read
 * while others are computed; the results are the same for every engine, number of threads and size of blocks.
 *
 *     first pass, for a rule with a Gram matrix:  G (and its tree), sign statistics, the updates' commitments if asked
 *     W = pre(G)
 *     second pass, or the only one:               mix, combine, server step, the next model and state and their trees
 */
import { combineDenominator } from '../aggregation/combine/combineChunk.ts';
import { historyChunk } from '../aggregation/history.ts';
import { MAX_ROW_WEIGHT, type Mixing, mixingHash } from '../aggregation/preAggregation/mixing.ts';
import { preAggregate } from '../aggregation/preAggregation/preAggregate.ts';
import { checkRowCount, needsGram, needsSigns, type Rule, usesHistory } from '../aggregation/rule.ts';
import { hasServerState, stateVectors } from '../aggregation/serverStep.ts';
import { GramCommitter } from '../commitment/gramTree.ts';
import { merkleKind } from '../commitment/merkle.ts';
import { merkleSumKind, type SumNode } from '../commitment/merkleSum.ts';
import type { PerfectTreeBuilder } from '../commitment/perfectTree.ts';
import { toHex, ZERO_HASH } from '../encoding/bytes.ts';
import { bytesOf, isZeroPadded, MODEL_COORDINATE_BYTES, UPDATE_COORDINATE_BYTES } from '../encoding/vectors.ts';
import { AssayError } from '../errors.ts';
import { type BlockLayout, blockLayout, chunksInBlock, treeOfBlocks } from './blockLayout.ts';
import type { BlockBuffers, BlockComputer, RoundEngine } from './engine/roundEngine.ts';
import { type LearningParameters, layoutOf } from './parameters.ts';
import type { RoundContext, RoundIo, RoundOptions, RoundResult, UpdateFacts } from './roundIo.ts';

/**
 * @throws AssayError `TOO_FEW_UPDATES` when the rule is not defined for this number of rows, `ROUND_INPUT` when what
 * `io` and `context` bring is not what the rule needs; and whatever reading and writing throw.
 */
export async function runRound(
  engine: RoundEngine,
  parameters: LearningParameters,
  context: RoundContext,
  io: RoundIo,
  options: RoundOptions = {},
): Promise<RoundResult> {
  const { rule, serverStep } = parameters;
  const n = io.rows.length;
  checkRowCount(rule, n);
  checkRoundInput(context, io);
  const statePlanes = stateVectors(serverStep);
  const rows = usesHistory(rule) ? n + 1 : n;
  const blocks = blockLayout(layoutOf(parameters), rows, options.blockChunks);
  const rowFiles = io.rowFiles ?? io.rows.map(() => null);
  const isAnalysed = needsGram(rule) && options.mixing === undefined;
  const computer = await engine.open({ parameters, blocks, updates: n, rows, statePlanes, rowFiles, isAnalysed });
  try {
    const run = new Run(parameters, context, io, blocks, computer, options.commitUpdates ?? false);
    let mixing = options.mixing ?? null;
    if (mixing !== null) checkMixing(rule, mixing, rows);
    if (needsGram(rule) && mixing === null) mixing = await run.analyse(engine.hasher);
    return await run.combine(mixing);
  } finally {
    computer.release();
  }
}

/** The two passes over the data, and the trees that they grow. */
class Run {
  private readonly parameters: LearningParameters;
  private readonly context: RoundContext;
  private readonly io: RoundIo;
  private readonly blocks: BlockLayout;
  private readonly computer: BlockComputer;
  private readonly n: number;
  /** The model before the base model, for the history row of a block; null for a rule without one. */
  private readonly previous: Int32Array | null;
  /** Trees of the updates, as long as they have not been grown. */
  private uncommitted: PerfectTreeBuilder<SumNode>[] | null;
  private readonly zeroPadded: boolean[] = [];
  private gram: Pick<RoundResult, 'gram'> & { readonly gramRoot: RoundResult['roots']['gramRoot'] } = {
    gram: null,
    gramRoot: ZERO_HASH,
  };
  private updates: UpdateFacts[] | null = null;

  constructor(
    parameters: LearningParameters,
    context: RoundContext,
    io: RoundIo,
    blocks: BlockLayout,
    computer: BlockComputer,
    commitUpdates: boolean,
  ) {
    this.parameters = parameters;
    this.context = context;
    this.io = io;
    this.blocks = blocks;
    this.computer = computer;
    this.n = io.rows.length;
    this.previous = usesHistory(parameters.rule) ? new Int32Array(blocks.chunks * blocks.layout.chunkSize) : null;
    this.uncommitted = commitUpdates ? io.rows.map(() => treeOfBlocks(merkleSumKind, blocks)) : null;
  }

  /** First pass. Gives W. `hasher`: what hashes the Gram tree. */
  async analyse(hasher: RoundEngine['hasher']): Promise<Mixing> {
    const { n, computer } = this;
    const { rule, dimension } = this.parameters;
    const rows = this.previous === null ? n : n + 1;
    const committer = new GramCommitter(rows, this.blocks.layout.chunkCount, hasher);
    const wants = { commitments: this.uncommitted !== null, gram: true, signs: needsSigns(rule) };
    const signs = Array.from({ length: n }, () => ({ positive: 0, negative: 0 }));
    await this.eachBlock(
      async (block, slot) => {
        await all([this.readRows(block, slot), this.previous === null ? undefined : this.readModel(block, slot)]);
        await this.readHistory(block, slot);
      },
      (block, slot) =>
        computer.analyse(slot, chunksInBlock(this.blocks, block), { ...wants, firstChunk: block * this.blocks.chunks }),
      async ({ gram: grown, commitments, signs: counted }, block, slot) => {
        this.judgePadding(block, slot);
        const { payload, roots, level } = grown!; // as it was asked for
        for (const root of roots) committer.appendSubtree(root, level);
        counted.forEach(({ positive, negative }, i) => {
          signs[i]!.positive += positive;
          signs[i]!.negative += negative;
        });
        this.growUpdates(commitments);
        await this.io.writeGram?.(payload);
      },
    );
    const { gramRoot, matrix } = committer.finish();
    const gram = { n: rows, values: matrix };
    this.gram = { gram, gramRoot };
    this.finishUpdates();
    // Padding is zero and no coordinate.
    const counts = signs.map((sign) => ({ ...sign, zero: dimension - sign.positive - sign.negative }));
    return preAggregate(rule, gram, { ...this.context, signs: wants.signs ? counts : null, dimension });
  }

  /** Second pass, or the only one. */
  async combine(mixing: Mixing | null): Promise<RoundResult> {
    const { io, computer, blocks } = this;
    const { rule, serverStep } = this.parameters;
    const model = treeOfBlocks(merkleKind, blocks);
    const state = hasServerState(serverStep) ? treeOfBlocks(merkleKind, blocks) : null;
    const trimmed = rule.combine === 'trimmedMean' ? Array.from({ length: mixing?.rows ?? this.n }, () => 0) : null;
    const wants = { commitments: this.uncommitted !== null };
    computer.mixBy(mixing);
    await this.eachBlock(
      async (block, slot) => {
        const rowsOf = wants.commitments ? null : computer.rowsOf(block);
        await all([this.readRows(block, slot, rowsOf), this.readModel(block, slot)]);
        await this.readHistory(block, slot);
      },
      (block, slot) =>
        computer.combine(slot, chunksInBlock(blocks, block), { ...wants, firstChunk: block * blocks.chunks }),
      async (combined, block, slot) => {
        this.judgePadding(block, slot);
        model.append(combined.model);
        if (combined.state !== null) state?.append(combined.state);
        this.growUpdates(combined.commitments);
        trimmed?.forEach((count, row) => {
          trimmed[row] = count + combined.trimmed[row]!;
        });
        const buffers = this.vectorsOf(block, slot);
        await io.writeModel?.(buffers.model);
        if (state !== null) await io.writeState?.(buffers.state);
      },
    );
    this.finishUpdates();
    return {
      roots: {
        modelRoot: toHex(model.finish()),
        stateRoot: state === null ? ZERO_HASH : toHex(state.finish()),
        gramRoot: this.gram.gramRoot,
        mixingHash: mixing === null ? ZERO_HASH : mixingHash(mixing),
      },
      gram: this.gram.gram,
      mixing,
      trimmed,
      updates: this.updates,
    };
  }

  /**
   * Reads one block after the other while earlier ones are computed, as many side by side as there are slots; `take`
   * is given the results in order.
   */
  private async eachBlock<Result>(
    read: (block: number, slot: number) => Promise<void>,
    compute: (block: number, slot: number) => Result | Promise<Result>,
    take: (result: Result, block: number, slot: number) => Promise<void>,
  ): Promise<void> {
    const slots = this.computer.slots.length;
    /** Of every block: settled when its slot is free again. */
    const done: Promise<void>[] = [];
    let reading: Promise<void> | undefined;
    let failed = false;
    try {
      for (let block = 0; block < this.blocks.count; block++) {
        const slot = block % slots;
        reading ??= read(block, slot);
        await reading;
        reading = undefined;
        const next = block + 1;
        const readNext = async () => {
          if (next >= this.blocks.count || slots === 1) return;
          if (next >= slots) await done[next - slots];
          reading = read(next, next % slots);
          reading.catch(() => undefined); // awaited above, or settled below
        };
        // In this very thread a block is computed while the next one, whose reading has begun, arrives.
        if (!this.computer.hasThreads) await readNext();
        const computed = Promise.resolve(compute(block, slot));
        const before = done[block - 1];
        const taken = (async () => {
          const result = await computed; // before all else: whatever happens, it uses the memory until then
          await before;
          if (!failed) await take(result, block, slot);
        })();
        taken.catch(() => undefined);
        done[block] = taken;
        if (block >= slots) delete done[block - slots];
        if (slots === 1) await taken;
        if (this.computer.hasThreads) await readNext();
      }
      await done[this.blocks.count - 1];
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      await Promise.allSettled([reading, ...done.slice(-slots - 1)]); // nothing may use the memory any more
    }
  }

  /** `wanted`: only these rows; null: all. */
  private async readRows(block: number, slot: number, wanted: readonly boolean[] | null = null): Promise<void> {
    const { layout, chunks } = this.blocks;
    const { rows } = this.computer.slots[slot]!;
    const coordinates = chunksInBlock(this.blocks, block) * layout.chunkSize;
    const offset = block * chunks * layout.chunkSize * UPDATE_COORDINATE_BYTES;
    const isElsewhere = (i: number) => this.computer.hasThreads && this.io.rowFiles?.[i] != null;
    const isLeft = (i: number) => wanted?.[i] === false || isElsewhere(i);
    await all(
      this.io.rows.map((row, i) => (isLeft(i) ? undefined : row(offset, bytesOf(rows[i]!.subarray(0, coordinates))))),
    );
  }

  /** Once the rows of the last block have been read, whoever read them. */
  private judgePadding(block: number, slot: number): void {
    if (block < this.blocks.count - 1 || this.uncommitted === null) return;
    const { layout } = this.blocks;
    const end = chunksInBlock(this.blocks, block) * layout.chunkSize;
    const { rows } = this.computer.slots[slot]!;
    for (let i = 0; i < this.n; i++) {
      this.zeroPadded[i] = isZeroPadded(rows[i]!.subarray(end - layout.chunkSize, end), layout);
    }
  }

  private async readModel(block: number, slot: number): Promise<void> {
    const { io } = this;
    const { layout, chunks } = this.blocks;
    const offset = block * chunks * layout.chunkSize * MODEL_COORDINATE_BYTES;
    const { model, state } = this.vectorsOf(block, slot);
    const planes = this.planes(slot);
    if (io.state === null) state.fill(0);
    await all([io.model(offset, model), planes > 0 ? io.state?.(offset * planes, state) : undefined]);
  }

  /** Where the rule has one, from the block's model, which has been read, and the model before it. */
  private async readHistory(block: number, slot: number): Promise<void> {
    if (this.previous === null) return;
    const { rows, model } = this.computer.slots[slot]!;
    const { layout, chunks } = this.blocks;
    const coordinates = chunksInBlock(this.blocks, block) * layout.chunkSize;
    const previous = this.previous.subarray(0, coordinates);
    await this.io.previousModel?.(block * chunks * layout.chunkSize * MODEL_COORDINATE_BYTES, bytesOf(previous));
    const before = this.io.previousModel === null ? null : previous;
    rows[this.n]!.set(historyChunk(model.subarray(0, coordinates), before, this.parameters));
  }

  /** The bytes of the block's model and state. */
  private vectorsOf(block: number, slot: number): { readonly model: Uint8Array; readonly state: Uint8Array } {
    const { model, state } = this.computer.slots[slot]!;
    const coordinates = chunksInBlock(this.blocks, block) * this.blocks.layout.chunkSize;
    return {
      model: bytesOf(model.subarray(0, coordinates)),
      state: bytesOf(state.subarray(0, coordinates * this.planes(slot))),
    };
  }

  private planes(slot: number): number {
    const { model, state }: BlockBuffers = this.computer.slots[slot]!;
    return state.length / model.length;
  }

  private growUpdates(commitments: readonly SumNode[]): void {
    this.uncommitted?.forEach((tree, i) => {
      tree.append(commitments[i]!);
    });
  }

  private finishUpdates(): void {
    if (this.uncommitted === null) return;
    this.updates = this.uncommitted.map((tree, i) => {
      const { hash, sum } = tree.finish();
      return { root: toHex(hash), normSq: sum, zeroPadded: this.zeroPadded[i]! };
    });
    this.uncommitted = null;
  }
}

/** Waits only where there is something to wait for. Every one has settled when it throws. */
async function all(pending: readonly (void | Promise<void>)[]): Promise<void> {
  const promises = pending.filter((promise) => promise !== undefined);
  if (promises.length === 0) return;
  for (const outcome of await Promise.allSettled(promises)) if (outcome.status === 'rejected') throw outcome.reason;
}

/**
 * Whether a matrix that somebody published can be followed at all: the shape and the bounds of any rule's own, so that
 * every number that it leads to is exact (preAggregation/mixing.ts).
 * @param columns rows that are mixed: the updates, and the history row where the rule has one
 */
export function isMixingOf(
  rule: Rule,
  { rows, columns: width, weights, denominator }: Mixing,
  columns: number,
): boolean {
  if (width !== columns || rows < 1 || rows > columns || weights.length !== rows * columns) return false;
  if (!Number.isInteger(denominator) || denominator < 1 || denominator > MAX_ROW_WEIGHT) return false;
  for (let r = 0; r < rows; r++) {
    let magnitude = 0;
    for (const weight of weights.subarray(r * columns, (r + 1) * columns)) magnitude += Math.abs(weight);
    if (magnitude > MAX_ROW_WEIGHT) return false;
  }
  return combineDenominator(rule.combine, rows, rule.byzantine) > 0;
}

function checkMixing(rule: Rule, mixing: Mixing, columns: number): void {
  if (isMixingOf(rule, mixing, columns)) return;
  throw new AssayError('ROUND_INPUT', {
    summary: 'no rows can be mixed by this matrix',
    expected: `up to ${columns} rows of ${columns} weights within ${MAX_ROW_WEIGHT}, enough of them for ${rule.combine}`,
    received: `${mixing.rows} rows of ${mixing.columns}, over ${mixing.denominator}`,
  });
}

/** @throws AssayError `ROUND_INPUT` when rows and context do not belong together. */
export function checkRoundInput(context: RoundContext, io: RoundIo): void {
  if (context.indices.length === io.rows.length) return;
  throw new AssayError('ROUND_INPUT', {
    summary: 'every row of a round has a participant index',
    expected: `${io.rows.length} indices, one for each row`,
    received: `${context.indices.length}`,
  });
}
