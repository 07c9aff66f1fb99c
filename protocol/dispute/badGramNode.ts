/**
 * Bad Gram node: an inner node of the Gram tree whose matrix, as its parent claims it, is not the sum of its children's.
 * Nobody claims a matrix for the root: what the rule starts from is by definition the sum of the root's children.
 * Spec: docs/spec/disputes.md, "Bad Gram node".
 */
import {
  type GramClaim,
  gramMatrixBytes,
  gramMatrixHash,
  gramNodeHash,
  gramTreeDepth,
} from '../commitment/gramTree.ts';
import {
  foldGramPath,
  GRAM_STEP_BYTES,
  gramPath,
  isRoot,
  matrixBytesHash,
  packGramPath,
  unpackGramPath,
} from '../commitment/openings.ts';
import type { WholeTree } from '../commitment/perfectTree.ts';
import { concatBytes } from '../encoding/bytes.ts';
import { layoutOf } from '../round/parameters.ts';
import type { Publication } from '../round/publication.ts';
import type { RevealedUpdate } from '../round/submission.ts';
import {
  checkEnforced,
  checkLength,
  checkPublication,
  type DisputedRound,
  malformed,
  type Verdict,
  validRows,
} from './disputedRound.ts';
import { sameBytes } from './trees.ts';

/** As the contract's struct `GramNodeProof`. */
export interface BadGramNodeProof {
  readonly kind: 'badGramNode';
  readonly round: number;
  /** Above the leaves and below the root. */
  readonly level: number;
  readonly position: number;
  readonly publication: Publication;
  readonly reveals: readonly RevealedUpdate[];
  /** Left's hash 32 | right's hash 32 | left's matrix | right's matrix (upper triangles, i64 big-endian). */
  readonly children: Uint8Array;
  /** From the node up. */
  readonly path: Uint8Array;
}

const MAX_I64 = 2n ** 63n - 1n;

/** @throws AssayError `PROOF_MALFORMED` where the contract would revert. */
export function judgeBadGramNode(round: DisputedRound, proof: BadGramNodeProof): Verdict {
  const { publication, level, position } = proof;
  checkEnforced(round);
  checkPublication(round, publication);
  const n = validRows(round, proof.reveals).length;
  const depth = gramTreeDepth(layoutOf(round.parameters).chunkCount);
  if (!(level > 0 && level < depth)) throw malformed('no node of that level', `1 to ${depth - 1}`, level);
  checkLength('the path', proof.path, (depth - level) * GRAM_STEP_BYTES);
  const { left, right, sums } = readChildren(proof.children, n);
  const steps = unpackGramPath(proof.path, depth - level);
  const root = foldGramPath(gramNodeHash(left, right), position, steps);
  if (root === undefined || !isRoot(root, publication.gramRoot)) throw malformed('the node does not stand there');
  if (sums.some((sum) => sum > MAX_I64 || sum < -MAX_I64 - 1n)) return 'guilty';
  const matrixHash = gramMatrixHash(BigInt64Array.from(sums), n);
  return sameBytes(steps[0]!.claimed, matrixHash) ? 'innocent' : 'guilty';
}

/**
 * Two children in full, and their exact sums.
 * @throws AssayError `PROOF_MALFORMED` for another length.
 */
export function readChildren(
  children: Uint8Array,
  n: number,
): { readonly left: GramClaim; readonly right: GramClaim; readonly sums: bigint[] } {
  const size = gramMatrixBytes(n);
  checkLength('the children', children, 64 + 2 * size);
  const view = new DataView(children.buffer, children.byteOffset, children.length);
  const matrices = [children.subarray(64, 64 + size), children.subarray(64 + size)];
  const sums = Array.from(
    { length: size / 8 },
    (_, e) => view.getBigInt64(64 + 8 * e) + view.getBigInt64(64 + size + 8 * e),
  );
  return {
    left: { hash: children.subarray(0, 32), matrixHash: matrixBytesHash(matrices[0]!, n) },
    right: { hash: children.subarray(32, 64), matrixHash: matrixBytesHash(matrices[1]!, n) },
    sums,
  };
}

/** Two children of a node as such bytes. */
export function packChildren(left: Uint8Array, right: Uint8Array, leftMatrix: Uint8Array, rightMatrix: Uint8Array) {
  return concatBytes(left, right, leftMatrix, rightMatrix);
}

/**
 * The proof against a node of the published tree, or null when it adds up. `children` as `packChildren` gives them;
 * `path` packed, from the node up.
 */
export function buildBadGramNode(
  round: DisputedRound,
  number: number,
  publication: Publication,
  reveals: readonly RevealedUpdate[],
  place: { readonly level: number; readonly position: number },
  children: Uint8Array,
  path: Uint8Array,
): BadGramNodeProof | null {
  const proof: BadGramNodeProof = {
    kind: 'badGramNode',
    round: number,
    ...place,
    publication,
    reveals,
    children,
    path,
  };
  return judgeBadGramNode(round, proof) === 'guilty' ? proof : null;
}

/** The path of a node in a tree that is at hand. */
export function packedGramPath(tree: WholeTree<GramClaim>, level: number, position: number): Uint8Array {
  return packGramPath(gramPath(tree, level, position));
}
