/**
 * Openings as contracts read them: bytes without lengths or offsets, since calldata is what a proof pays for (EIP-7623:
 * up to 40 gas a byte). Every path runs from the node's own level up. Spec: docs/spec/disputes.md, "Openings".
 *
 *     path of an update        siblings * (hash 32 | u64 sum)
 *     path of a model, state   siblings * hash 32
 *     path of a Gram tree      levels * (sibling's hash 32 | sibling's matrix 32 | own matrix, as the parent claims it 32)
 */
import { sha256 } from '#sha256';
import { concatBytes, fromHex, type Hex, toHex, uintBytes, ZERO_HASH } from '../encoding/bytes.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { isZeroPadded, viewInt16 } from '../encoding/vectors.ts';
import { AssayError } from '../errors.ts';
import {
  type GramClaim,
  gramLeafHash,
  gramMatrixBytes,
  gramNodeHash,
  gramSpanCount,
  gramTreeDepth,
} from './gramTree.ts';
import { merkleKind, modelLeaf } from './merkle.ts';
import { MAX_SUM, merkleSumKind, type SumNode, type UpdateCommitment, updateLeaf } from './merkleSum.ts';
import type { WholeTree } from './perfectTree.ts';
import { sibling } from './perfectTree.ts';

export const SUM_STEP_BYTES = 40;
export const MODEL_STEP_BYTES = 32;
export const GRAM_STEP_BYTES = 96;

/** One level of a path in the Gram tree. */
export interface GramStep {
  readonly sibling: GramClaim;
  /** The own node's matrix hash, as its parent claims it. */
  readonly claimed: Uint8Array;
}

export function packSumPath(path: readonly SumNode[]): Uint8Array {
  return concatBytes(...path.flatMap(({ hash, sum }) => [hash, uintBytes(sum, 8)]));
}

export function packGramPath(path: readonly GramStep[]): Uint8Array {
  return concatBytes(...path.flatMap((step) => [step.sibling.hash, step.sibling.matrixHash, step.claimed]));
}

/** @throws AssayError `OPENING_LENGTH` unless the bytes hold exactly `steps` siblings; so for the two below. */
export function unpackSumPath(bytes: Uint8Array, steps: number): SumNode[] {
  return cut(bytes, steps, SUM_STEP_BYTES).map((step) => ({ hash: step.subarray(0, 32), sum: readU64(step, 32) }));
}

export function unpackModelPath(bytes: Uint8Array, steps: number): Uint8Array[] {
  return cut(bytes, steps, MODEL_STEP_BYTES);
}

export function unpackGramPath(bytes: Uint8Array, steps: number): GramStep[] {
  return cut(bytes, steps, GRAM_STEP_BYTES).map((step) => ({
    sibling: { hash: step.subarray(0, 32), matrixHash: step.subarray(32, 64) },
    claimed: step.subarray(64, 96),
  }));
}

/** The path of a node of a Gram tree that is at hand. */
export function gramPath(tree: WholeTree<GramClaim>, level: number, position: number): GramStep[] {
  const path: GramStep[] = [];
  for (let l = level, p = position; l < tree.depth; l++, p = Math.floor(p / 2)) {
    path.push({ sibling: tree.node(l, sibling(p)), claimed: tree.node(l, p).matrixHash });
  }
  return path;
}

/**
 * The root that a node leads to. Sums add up along the path; undefined when one leaves 64 bits. The position's bits say
 * on which side the siblings stand, and all are consumed (`position < 2^path.length`).
 */
export function foldSumPath(node: SumNode, position: number, path: readonly SumNode[]): SumNode | undefined {
  if (!isPosition(position, path.length)) return undefined;
  let own = node;
  for (let level = 0, p = position; level < path.length; level++, p = Math.floor(p / 2)) {
    const other = path[level]!;
    if (own.sum + other.sum > MAX_SUM) return undefined;
    own = p % 2 === 0 ? merkleSumKind.join(own, other) : merkleSumKind.join(other, own);
  }
  return own;
}

/** The same for trees without sums. */
export function foldModelPath(node: Uint8Array, position: number, path: readonly Uint8Array[]): Uint8Array | undefined {
  if (!isPosition(position, path.length)) return undefined;
  let own = node;
  for (let level = 0, p = position; level < path.length; level++, p = Math.floor(p / 2)) {
    own = p % 2 === 0 ? merkleKind.join(own, path[level]!) : merkleKind.join(path[level]!, own);
  }
  return own;
}

/** The same for the Gram tree. */
export function foldGramPath(hash: Uint8Array, position: number, path: readonly GramStep[]): Uint8Array | undefined {
  if (!isPosition(position, path.length)) return undefined;
  let own = hash;
  for (let level = 0, p = position; level < path.length; level++, p = Math.floor(p / 2)) {
    const step = path[level]!;
    const claim = { hash: own, matrixHash: step.claimed };
    own = p % 2 === 0 ? gramNodeHash(claim, step.sibling) : gramNodeHash(step.sibling, claim);
  }
  return own;
}

/** Chunk `index` of an update, opened: 2K bytes | path. Null when it is not that update's chunk in every respect. */
export function openUpdateAnswer(
  commitment: UpdateCommitment,
  layout: VectorLayout,
  index: number,
  opening: Uint8Array,
): { readonly chunk: Uint8Array; readonly path: SumNode[] } | null {
  const leafBytes = 2 * layout.chunkSize;
  if (index >= layout.chunkCount || opening.length !== leafBytes + layout.depth * SUM_STEP_BYTES) return null;
  const chunk = opening.slice(0, leafBytes); // aligned, and the caller's to keep
  if (index === layout.chunkCount - 1 && !isZeroPadded(viewInt16(chunk), layout)) return null;
  const path = unpackSumPath(opening.subarray(leafBytes), layout.depth);
  const root = foldSumPath(updateLeaf(chunk), index, path);
  return root !== undefined && root.sum === commitment.normSq && isRoot(root.hash, commitment.root)
    ? { chunk, path }
    : null;
}

/** Chunk `index` of a model or server state, opened: 4K bytes | path. Null when it is not. */
export function openModelAnswer(
  root: Hex,
  layout: VectorLayout,
  index: number,
  opening: Uint8Array,
): { readonly chunk: Uint8Array; readonly path: Uint8Array[] } | null {
  const leafBytes = 4 * layout.chunkSize;
  if (index >= layout.chunkCount || opening.length !== leafBytes + layout.depth * MODEL_STEP_BYTES) return null;
  const chunk = opening.slice(0, leafBytes);
  const path = unpackModelPath(opening.subarray(leafBytes), layout.depth);
  const folded = foldModelPath(modelLeaf(chunk), index, path);
  return folded !== undefined && isRoot(folded, root) ? { chunk, path } : null;
}

/** Leaf `span` of a Gram tree of n rows, opened: the matrix (i64 big-endian) | path. Null when it is not. */
export function openGramAnswer(
  root: Hex,
  n: number,
  layout: VectorLayout,
  span: number,
  opening: Uint8Array,
): { readonly matrix: Uint8Array; readonly path: GramStep[] } | null {
  const spans = gramSpanCount(layout.chunkCount);
  const depth = gramTreeDepth(layout.chunkCount);
  if (span >= spans || opening.length !== gramMatrixBytes(n) + depth * GRAM_STEP_BYTES) return null;
  const matrix = opening.slice(0, gramMatrixBytes(n));
  const path = unpackGramPath(opening.subarray(gramMatrixBytes(n)), depth);
  const folded = foldGramPath(gramLeafHash(matrixBytesHash(matrix, n)), span, path);
  return folded !== undefined && isRoot(folded, root) ? { matrix, path } : null;
}

/** Hash of a matrix from its bytes (i64 big-endian, upper triangle). */
export function matrixBytesHash(matrix: Uint8Array, n: number): Uint8Array {
  return sha256(matrixBytesPreimage(matrix, n));
}

/** What that hash is the hash of: 0x12 and the hashes of the rows. */
export function matrixBytesPreimage(matrix: Uint8Array, n: number): Uint8Array {
  let offset = 0;
  const rows = Array.from({ length: n }, (_, i) => {
    const row = matrix.subarray(offset, offset + 8 * (n - i));
    offset += row.length;
    return sha256(concatBytes(Uint8Array.of(0x13), row));
  });
  return concatBytes(Uint8Array.of(0x12), ...rows);
}

/** Whether a hash is that root; 32 zero bytes are nobody's. */
export function isRoot(hash: Uint8Array, root: Hex): boolean {
  return root !== ZERO_HASH && toHex(hash) === root.toLowerCase();
}

/** A hash in hexadecimal as bytes. */
export function hashBytes(hash: Hex): Uint8Array {
  return fromHex(hash);
}

function isPosition(position: number, levels: number): boolean {
  return Number.isInteger(position) && position >= 0 && position < 2 ** levels;
}

function cut(bytes: Uint8Array, count: number, size: number): Uint8Array[] {
  if (bytes.length !== count * size) {
    throw new AssayError('OPENING_LENGTH', {
      summary: 'a path has the wrong length',
      expected: `${count} siblings of ${size} bytes`,
      received: `${bytes.length} bytes`,
    });
  }
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

function readU64(bytes: Uint8Array, offset: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(offset);
}
