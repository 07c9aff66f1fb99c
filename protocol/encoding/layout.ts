/**
 * How a vector of d coordinates is cut: whole chunks of K coordinates, the last one zero-padded; the chunks are the
 * leaves of a perfect binary tree. Spec: docs/spec/encoding.md.
 */
import { AssayError } from '../errors.ts';

/**
 * Coordinates per chunk unless a federation says otherwise: 512 payload bytes, the middle of the measured good region.
 */
export const DEFAULT_CHUNK_SIZE = 256;

/** Where each coordinate lies, and the shape of the tree over them. */
export interface VectorLayout {
  /** d: coordinates of the model. */
  readonly dimension: number;
  /** K: coordinates per chunk, a power of two. */
  readonly chunkSize: number;
  /** ceil(d / K). */
  readonly chunkCount: number;
  /** Levels of the tree above its leaves: ceil(log2(chunkCount)). */
  readonly depth: number;
}

/**
 * The layout of vectors of `dimension` coordinates.
 * @throws AssayError `LAYOUT` for a dimension below 1 or above 2^32, or a chunk size that is no power of two in
 * 16..4096.
 */
export function vectorLayout(dimension: number, chunkSize: number = DEFAULT_CHUNK_SIZE): VectorLayout {
  if (!Number.isInteger(dimension) || dimension < 1 || dimension > 2 ** 32) {
    throw new AssayError('LAYOUT', {
      summary: 'the number of coordinates is out of range',
      expected: 'an integer from 1 to 2^32',
      received: String(dimension),
    });
  }
  if (!Number.isInteger(chunkSize) || chunkSize < 16 || chunkSize > 4096 || (chunkSize & (chunkSize - 1)) !== 0) {
    throw new AssayError('LAYOUT', {
      summary: 'the chunk size is not usable',
      expected: 'a power of two from 16 to 4096',
      received: String(chunkSize),
    });
  }
  const chunkCount = Math.ceil(dimension / chunkSize);
  return { dimension, chunkSize, chunkCount, depth: treeDepth(chunkCount) };
}

/**
 * The layout of a server state of so many vectors (`stateVectors`): each chunk has K coordinates of the first, then K of
 * the second, and so on, so its tree is as high as the model's.
 */
export function stateLayout(layout: VectorLayout, vectors: number): VectorLayout {
  const chunkSize = vectors * layout.chunkSize;
  return { ...layout, dimension: layout.chunkCount * chunkSize, chunkSize };
}

/** Levels above the leaves of the smallest perfect binary tree that holds `leaves` leaves. */
export function treeDepth(leaves: number): number {
  let depth = 0;
  while (2 ** depth < leaves) depth++;
  return depth;
}
