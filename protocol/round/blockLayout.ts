/**
 * How a vector is cut into blocks for its computation: whole Gram spans, a power of two of chunks, so that a block is a
 * subtree of every tree. The results do not depend on it; the memory that is needed does, and on nothing else.
 */
import { GRAM_SPAN } from '../commitment/gramTree.ts';
import { PerfectTreeBuilder, type TreeKind, zeroNodes } from '../commitment/perfectTree.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { UPDATE_COORDINATE_BYTES } from '../encoding/vectors.ts';
import { AssayError } from '../errors.ts';

/** Bytes of all rows of a block, at most: little memory, yet handing it to a thread costs next to nothing (measured). */
const BLOCK_BYTES = 2 ** 22;
/** Of fewer rows a block is no longer than of so many: its part of the model and of the state is memory, too. */
const FEW_ROWS = 8;

export interface BlockLayout {
  readonly layout: VectorLayout;
  /** Chunks of every block but the last one. */
  readonly chunks: number;
  /** Levels of the trees below a block's root. */
  readonly depth: number;
  /** Number of blocks. */
  readonly count: number;
}

/**
 * @param rows rows of a block; with them the memory that it takes grows
 * @throws AssayError `BLOCK_CHUNKS` for a wished block size that is no power of two of at least GRAM_SPAN
 */
export function blockLayout(layout: VectorLayout, rows: number, wished?: number): BlockLayout {
  const { chunkSize, chunkCount, depth: treeDepth } = layout;
  if (wished !== undefined && (2 ** log2Floor(wished) !== wished || wished < GRAM_SPAN)) {
    throw new AssayError('BLOCK_CHUNKS', {
      summary: 'impossible block size',
      expected: `a power of two of at least ${GRAM_SPAN} chunks`,
      received: String(wished),
    });
  }
  const most =
    wished ?? Math.max(GRAM_SPAN, BLOCK_BYTES / (Math.max(rows, FEW_ROWS) * chunkSize * UPDATE_COORDINATE_BYTES));
  const depth = Math.min(treeDepth, log2Floor(most));
  const chunks = 2 ** depth;
  return { layout, chunks, depth, count: Math.ceil(chunkCount / chunks) };
}

/** floor(log2(x)) for 1 <= x < 2^32. */
function log2Floor(x: number): number {
  return 31 - Math.clz32(x);
}

/** Chunks of block `index`. */
export function chunksInBlock({ layout, chunks }: BlockLayout, index: number): number {
  return Math.min(chunks, layout.chunkCount - index * chunks);
}

/** Root of the subtree of `depth` levels over `leaves`, missing ones being zero. */
export function subtreeRoot<Node>(kind: TreeKind<Node>, depth: number, leaves: Iterable<Node>): Node {
  const tree = new PerfectTreeBuilder(kind, depth);
  for (const leaf of leaves) tree.append(leaf);
  return tree.finish();
}

/** Computes a root from the roots of the blocks' subtrees, in order. */
export function treeOfBlocks<Node>(kind: TreeKind<Node>, blocks: BlockLayout): PerfectTreeBuilder<Node> {
  const zero = zeroNodes(kind, blocks.depth)[blocks.depth]!;
  return new PerfectTreeBuilder({ zero, join: kind.join }, blocks.layout.depth - blocks.depth);
}
