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
import { PerfectTreeBuilder, type TreeKind } from './perfectTree.ts';

/** Chunks whose partial inner products share a leaf. */
export const GRAM_SPAN = 16;

const LEAF_TAG = 0x10;
const NODE_TAG = 0x11;
const MATRIX_TAG = 0x12;
const ROW_TAG = 0x13;

interface GramNode {
  readonly hash: Uint8Array;
  /** Upper triangle, row-major: n(n+1)/2 inner products. */
  readonly matrix: BigInt64Array;
}

/** Hash of an upper triangle of inner products, by rows. */
export function gramMatrixHash(matrix: BigInt64Array, n: number): Uint8Array {
  const rows: Uint8Array[] = [Uint8Array.of(MATRIX_TAG)];
  let offset = 0;
  for (let i = 0; i < n; i++) {
    const row = new DataView(new ArrayBuffer(1 + 8 * (n - i)));
    row.setUint8(0, ROW_TAG);
    for (let j = 0; j < n - i; j++) row.setBigInt64(1 + 8 * j, matrix[offset++]!);
    rows.push(sha256(new Uint8Array(row.buffer)));
  }
  return sha256(concatBytes(...rows));
}

function gramTreeKind(n: number): TreeKind<GramNode> {
  return {
    zero: { hash: new Uint8Array(32), matrix: new BigInt64Array((n * (n + 1)) / 2) },
    join(left, right) {
      const hash = sha256(
        concatBytes(
          Uint8Array.of(NODE_TAG),
          left.hash,
          gramMatrixHash(left.matrix, n),
          right.hash,
          gramMatrixHash(right.matrix, n),
        ),
      );
      return { hash, matrix: left.matrix.map((value, i) => value + right.matrix[i]!) };
    },
  };
}

/** Commits to a Gram matrix from the partial matrices of consecutive spans of GRAM_SPAN chunks. */
export class GramCommitter {
  private readonly n: number;
  private readonly tree: PerfectTreeBuilder<GramNode>;

  constructor(n: number, chunkCount: number) {
    this.n = n;
    this.tree = new PerfectTreeBuilder(gramTreeKind(n), treeDepth(Math.ceil(chunkCount / GRAM_SPAN)));
  }

  /** `partial`: upper triangle of the inner products over the next span. */
  appendSpan(partial: BigInt64Array): void {
    const hash = sha256(concatBytes(Uint8Array.of(LEAF_TAG), gramMatrixHash(partial, this.n)));
    this.tree.append({ hash, matrix: partial.slice() });
  }

  /** The root and the whole matrix, the sum of all spans. */
  finish(): { gramRoot: Hex; matrix: BigInt64Array } {
    const root = this.tree.finish();
    return { gramRoot: toHex(root.hash), matrix: root.matrix };
  }
}
