/**
 * The commitment of the Gram matrix: a tree whose leaves hold the partial matrix of GRAM_SPAN chunks and whose nodes
 * hold sums, so that one wrong inner product can be traced to one pair over one short range of coordinates.
 *
 *     row i   = H(0x13 | i64 G[i][i], ..., G[i][n-1])      the upper triangle, one row; partial products are signed
 *     matrix  = H(0x12 | row 0 | ... | row n-1)
 *     leaf    = H(0x10 | matrix)
 *     node    = H(0x11 | hash L | matrix L | hash R | matrix R)
 *
 * A matrix is hashed by rows, so opening one entry of one node costs one row, not n^2 numbers.
 */
import { sha256 } from '#sha256';
import { concatBytes, type Hex, toHex } from '../encoding/bytes.ts';
import { treeDepth } from '../encoding/layout.ts';
import { AssayError } from '../errors.ts';
import type { BulkHasher } from './bulkHasher.ts';
import { PerfectTreeBuilder, type TreeKind } from './perfectTree.ts';

/** Chunks whose partial inner products share a leaf. */
export const GRAM_SPAN = 16;

const LEAF_TAG = 0x10;
const NODE_TAG = 0x11;
const MATRIX_TAG = 0x12;
const ROW_TAG = 0x13;

/** A node with its matrix, which is hashed once: the leaf's own name needs it, or the parent's. */
export interface GramNode extends GramClaim {
  /** Upper triangle, row-major: n(n+1)/2 inner products. */
  readonly matrix: BigInt64Array;
}

/** Hash of an upper triangle of inner products, by rows. */
export function gramMatrixHash(matrix: BigInt64Array, n: number): Uint8Array {
  return hashEncodedMatrix(encodeGramMatrix(matrix), n);
}

/**
 * The same from the matrix's bytes, which hold each row's preimage but for its tag. `hasher`: the kernels that hash the
 * rows; null: plain TypeScript, the reference.
 */
function hashEncodedMatrix(bytes: Uint8Array, n: number, hasher: BulkHasher | null = null): Uint8Array {
  if (hasher !== null) return sha256(concatBytes(Uint8Array.of(MATRIX_TAG), hasher.gramRows(bytes, n)));
  const preimage = new Uint8Array(1 + 32 * n);
  const row = new Uint8Array(1 + 8 * n);
  preimage[0] = MATRIX_TAG;
  row[0] = ROW_TAG;
  for (let i = 0, start = 0; i < n; i++) {
    const end = start + 8 * (n - i);
    row.set(bytes.subarray(start, end), 1);
    preimage.set(sha256(row.subarray(0, 1 + end - start)), 1 + 32 * i);
    start = end;
  }
  return sha256(preimage);
}

/** What a matrix's hash is the hash of: 0x12 and the hashes of its rows. */
export function gramMatrixPreimage(matrix: BigInt64Array, n: number): Uint8Array {
  const rows = Array.from({ length: n }, (_, i) => sha256(gramRowPreimage(matrix, n, i)));
  return concatBytes(Uint8Array.of(MATRIX_TAG), ...rows);
}

/** What the hash of row i is the hash of: 0x13 and G[i][i] ... G[i][n-1]. */
export function gramRowPreimage(matrix: BigInt64Array, n: number, i: number): Uint8Array {
  const row = new DataView(new ArrayBuffer(1 + 8 * (n - i)));
  row.setUint8(0, ROW_TAG);
  const start = i * n - (i * (i - 1)) / 2; // of row i in the packed upper triangle
  for (let j = 0; j < n - i; j++) row.setBigInt64(1 + 8 * j, matrix[start + j]!);
  return new Uint8Array(row.buffer);
}

/** The leaf of a span whose matrix has this hash. */
export function gramLeafHash(matrixHash: Uint8Array): Uint8Array {
  return sha256(concatBytes(Uint8Array.of(LEAF_TAG), matrixHash));
}

/** A node's hash from its children and the matrices that it claims for them. */
export function gramNodeHash(left: GramClaim, right: GramClaim): Uint8Array {
  return sha256(concatBytes(Uint8Array.of(NODE_TAG), left.hash, left.matrixHash, right.hash, right.matrixHash));
}

/** A node of the Gram tree as its parent names it. */
export interface GramClaim {
  readonly hash: Uint8Array;
  readonly matrixHash: Uint8Array;
}

/** Leaves of the Gram tree: ceil(chunkCount / GRAM_SPAN). */
export function gramSpanCount(chunkCount: number): number {
  return Math.ceil(chunkCount / GRAM_SPAN);
}

/** Levels of the Gram tree above its leaves. */
export function gramTreeDepth(chunkCount: number): number {
  return treeDepth(gramSpanCount(chunkCount));
}

/** Bytes of an upper triangle of n rows, i64 big-endian, row-major. */
export function gramMatrixBytes(n: number): number {
  return 4 * n * (n + 1);
}

/** Length of the Gram payload (`gramCid` of the evidence): the leaves' matrices, span after span. */
export function gramPayloadLength(n: number, chunkCount: number): number {
  return gramSpanCount(chunkCount) * gramMatrixBytes(n);
}

/** A matrix as it stands in the Gram payload. */
export function encodeGramMatrix(matrix: BigInt64Array): Uint8Array {
  const words = new Uint32Array(matrix.buffer, matrix.byteOffset, 2 * matrix.length); // low half first (vectors.ts)
  const bytes = new DataView(new ArrayBuffer(8 * matrix.length));
  for (let i = 0; i < matrix.length; i++) {
    bytes.setUint32(8 * i, words[2 * i + 1]!);
    bytes.setUint32(8 * i + 4, words[2 * i]!);
  }
  return new Uint8Array(bytes.buffer);
}

/** The matrix in such bytes. @throws AssayError `GRAM_LENGTH` for any other length. */
export function decodeGramMatrix(bytes: Uint8Array, n: number): BigInt64Array {
  if (bytes.length !== gramMatrixBytes(n)) {
    throw new AssayError('GRAM_LENGTH', {
      summary: 'the bytes are not a Gram matrix',
      expected: `${gramMatrixBytes(n)} bytes, the upper triangle of ${n} rows`,
      received: `${bytes.length} bytes`,
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return BigInt64Array.from({ length: bytes.length / 8 }, (_, i) => view.getBigInt64(8 * i));
}

function gramTreeKind(n: number, hasher: BulkHasher | null): TreeKind<GramNode> {
  return {
    zero: gramNode(new Uint8Array(32), new BigInt64Array((n * (n + 1)) / 2), n, hasher),
    join(left, right) {
      const matrix = left.matrix.slice();
      for (let i = 0; i < matrix.length; i++) matrix[i]! += right.matrix[i]!;
      return gramNode(gramNodeHash(left, right), matrix, n, hasher);
    },
  };
}

function gramNode(hash: Uint8Array, matrix: BigInt64Array, n: number, hasher: BulkHasher | null): GramNode {
  return { hash, matrixHash: hashEncodedMatrix(encodeGramMatrix(matrix), n, hasher), matrix };
}

/** The leaf of one span's matrix, and the matrix as it stands in the Gram payload. */
export function gramSpan(
  partial: BigInt64Array,
  n: number,
  hasher: BulkHasher | null = null,
): { readonly node: GramNode; readonly bytes: Uint8Array } {
  const bytes = encodeGramMatrix(partial);
  const matrixHash = hashEncodedMatrix(bytes, n, hasher);
  return { node: { hash: gramLeafHash(matrixHash), matrixHash, matrix: partial.slice() }, bytes };
}

/** Commits to a Gram matrix from the partial matrices of consecutive spans of GRAM_SPAN chunks. */
export class GramCommitter {
  private readonly n: number;
  private readonly hasher: BulkHasher | null;
  private readonly tree: PerfectTreeBuilder<GramNode>;

  /** `hasher`: the kernels that hash; null: plain TypeScript, the reference. */
  constructor(n: number, chunkCount: number, hasher: BulkHasher | null = null) {
    this.n = n;
    this.hasher = hasher;
    this.tree = new PerfectTreeBuilder(gramTreeKind(n, hasher), gramTreeDepth(chunkCount));
  }

  /** `partial`: upper triangle of the inner products over the next span. Returns it as it stands in the Gram payload. */
  appendSpan(partial: BigInt64Array): Uint8Array {
    const { node, bytes } = gramSpan(partial, this.n, this.hasher);
    this.tree.append(node);
    return bytes;
  }

  /** The next 2^level spans, whose subtree is grown. As many spans as are there must be a multiple of that. */
  appendSubtree(root: GramNode, level: number): void {
    this.tree.append(root, level);
  }

  /** The root and the whole matrix, the sum of all spans. */
  finish(): { gramRoot: Hex; matrix: BigInt64Array } {
    const root = this.tree.finish();
    return { gramRoot: toHex(root.hash), matrix: root.matrix };
  }
}
