/**
 * How the numbers of a block of chunks are computed. Every engine gives the same bits (test/protocol/round); they
 * differ in speed only, and nobody is given another one than was asked for:
 *
 *     reference    plain TypeScript, what the others are held to
 *     wasm         SIMD kernels, in this thread or in worker threads over one shared memory
 */
import type { Mixing } from '../../aggregation/preAggregation/mixing.ts';
import type { BulkHasher } from '../../commitment/bulkHasher.ts';
import type { GramNode } from '../../commitment/gramTree.ts';
import type { SumNode } from '../../commitment/merkleSum.ts';
import type { BlockLayout } from '../blockLayout.ts';
import type { LearningParameters } from '../parameters.ts';
import type { FileRange } from '../roundIo.ts';

export const ENGINES = ['wasm', 'reference'] as const;
export type EngineName = (typeof ENGINES)[number];

export interface RoundEngine {
  readonly name: EngineName;
  /** What hashes vectors outside of rounds; null: plain TypeScript. */
  readonly hasher: BulkHasher | null;
  /** Threads that compute; 1: the caller's own. */
  readonly threads: number;
  /** Takes what one round needs: memory for blocks, threads. */
  open(shape: RoundShape): BlockComputer | Promise<BlockComputer>;
  /** Ends its threads. */
  close(): Promise<void>;
}

/** What all blocks of a round have in common. */
export interface RoundShape {
  readonly parameters: LearningParameters;
  readonly blocks: BlockLayout;
  readonly updates: number;
  /** Whether there is a first pass, or W comes from somewhere else. */
  readonly isAnalysed: boolean;
  /** Rows of a block: the updates, and the history row where the rule has one. */
  readonly rows: number;
  /** Int32 planes of the server state. */
  readonly statePlanes: number;
  /** Where updates lie in files, null for those that do not; of those that a computer may read itself. */
  readonly rowFiles: readonly (FileRange | null)[];
}

/** The memory of one block, for as many chunks as a block has. */
export interface BlockBuffers {
  /** One for each row of the shape. */
  readonly rows: readonly Int16Array[];
  readonly model: Int32Array;
  /** K coordinates of every plane, chunk after chunk; empty for a stateless step. */
  readonly state: Int32Array;
}

/** Computes blocks in its `slots`, several side by side where it has threads. */
export interface BlockComputer {
  readonly slots: readonly BlockBuffers[];
  /** Whether blocks are computed by others than the caller's thread; these read `rowFiles` themselves. */
  readonly hasThreads: boolean;
  /** First pass: what the rows of the first `chunks` chunks of the slot are worth. */
  analyse(slot: number, chunks: number, wants: BlockWants): BlockAnalysis | Promise<BlockAnalysis>;
  /** Before the first `combine`: the mixing matrix, null for a rule without one. */
  mixBy(mixing: Mixing | null): void;
  /** After `mixBy`: which rows of block `block` a `combine` reads that commits to none; null: all. */
  rowsOf(block: number): readonly boolean[] | null;
  /** Replaces model and state in the slot by their next values. `firstChunk`: the block's first, for statistics. */
  combine(slot: number, chunks: number, wants: CombineWants): CombinedBlock | Promise<CombinedBlock>;
  /** Gives the memory back; nothing may be under way. */
  release(): void;
}

export interface BlockWants {
  /** The block's first chunk in the vector. */
  readonly firstChunk: number;
  /** Commitments of the updates' parts in this block. */
  readonly commitments: boolean;
  readonly gram: boolean;
  readonly signs: boolean;
}

export interface BlockAnalysis {
  /** The Gram tree over the block's spans; null unless asked for. */
  readonly gram: BlockGram | null;
  /** Root of the subtree over each update's chunks here, missing ones being zero. Empty unless asked for. */
  readonly commitments: readonly SumNode[];
  /** Per update, its coordinates above and below zero. Empty unless asked for. */
  readonly signs: readonly { readonly positive: number; readonly negative: number }[];
}

export interface BlockGram {
  /** The spans' matrices as they stand in the Gram payload. */
  readonly payload: Uint8Array;
  /** The root of each 2^level spans, in order. */
  readonly roots: readonly GramNode[];
  readonly level: number;
}

export interface CombineWants {
  readonly commitments: boolean;
  /** The block's first chunk in the vector: which of its chunks are counted depends on it. */
  readonly firstChunk: number;
}

export interface CombinedBlock {
  /** Roots of the subtrees over this block's chunks of the next model and the next state (null: no state). */
  readonly model: Uint8Array;
  readonly state: Uint8Array | null;
  readonly commitments: readonly SumNode[];
  /** Counts of this block; empty where the rule trims nothing. */
  readonly trimmed: readonly number[];
}
