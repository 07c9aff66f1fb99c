/**
 * Bad vacancy: a published tree has something beyond the vector's last chunk (the Gram tree: beyond its last span). An
 * honest tree has the zero node there. Spec: docs/spec/disputes.md, "Bad vacancy".
 */

import { type GramClaim, gramSpanCount, gramTreeDepth } from '../commitment/gramTree.ts';
import { merkleKind } from '../commitment/merkle.ts';
import {
  foldGramPath,
  foldModelPath,
  GRAM_STEP_BYTES,
  hashBytes,
  isRoot,
  MODEL_STEP_BYTES,
  unpackGramPath,
  unpackModelPath,
} from '../commitment/openings.ts';
import { zeroNodes } from '../commitment/perfectTree.ts';
import type { Hex } from '../encoding/bytes.ts';
import { layoutOf } from '../round/parameters.ts';
import type { Publication } from '../round/publication.ts';
import {
  checkEnforced,
  checkLength,
  checkPublication,
  type DisputedRound,
  malformed,
  type Verdict,
} from './disputedRound.ts';
import { gramZeros, sameBytes } from './trees.ts';

/** In the order of the Solidity enum `PublishedTree`. */
export const PUBLISHED_TREES = ['model', 'state', 'gram'] as const;
export type PublishedTree = (typeof PUBLISHED_TREES)[number];

export interface BadVacancyProof {
  readonly kind: 'badVacancy';
  readonly round: number;
  readonly publication: Publication;
  readonly tree: PublishedTree;
  /** Below the root. */
  readonly level: number;
  readonly position: number;
  /** The node's hash. */
  readonly hash: Hex;
  /** From the node up: depth - level levels, as commitment/openings.ts packs them. */
  readonly path: Uint8Array;
}

/** @throws AssayError `PROOF_MALFORMED` where the contract would revert. */
export function judgeBadVacancy(round: DisputedRound, proof: BadVacancyProof): Verdict {
  const { publication, tree, level, position, path } = proof;
  checkPublication(round, publication);
  const layout = layoutOf(round.parameters);
  const gram = tree === 'gram';
  if (gram) checkEnforced(round);
  const depth = gram ? gramTreeDepth(layout.chunkCount) : layout.depth;
  const leaves = gram ? gramSpanCount(layout.chunkCount) : layout.chunkCount;
  if (!(level >= 0 && level < depth)) throw malformed('no node of that level', `0 to ${depth - 1}`, level);
  if (position * 2 ** level < leaves) throw malformed('the node is not beyond the last leaf', `>= ${leaves}`, position);
  const hash = hashBytes(proof.hash);
  checkLength('the path', path, (depth - level) * (gram ? GRAM_STEP_BYTES : MODEL_STEP_BYTES));
  if (gram) {
    const steps = unpackGramPath(path, depth - level);
    const root = foldGramPath(hash, position, steps);
    if (root === undefined || !isRoot(root, publication.gramRoot)) throw malformed('the node does not stand there');
    const zero = gramZeros(round.validUpdates, level)[level]!;
    return sameGram({ hash, matrixHash: steps[0]!.claimed }, zero) ? 'innocent' : 'guilty';
  }
  const root = foldModelPath(hash, position, unpackModelPath(path, depth - level));
  if (root === undefined || !isRoot(root, tree === 'model' ? publication.modelRoot : publication.stateRoot)) {
    throw malformed('the node does not stand there');
  }
  return sameBytes(hash, zeroNodes(merkleKind, level)[level]!) ? 'innocent' : 'guilty';
}

/** Whether two nodes of a Gram tree have hash and claimed matrix in common. */
export function sameGram(a: GramClaim, b: GramClaim): boolean {
  return sameBytes(a.hash, b.hash) && sameBytes(a.matrixHash, b.matrixHash);
}

/** The proof, or null when the node is what it has to be. */
export function buildBadVacancy(round: DisputedRound, proof: Omit<BadVacancyProof, 'kind'>): BadVacancyProof | null {
  const built: BadVacancyProof = { kind: 'badVacancy', ...proof };
  return judgeBadVacancy(round, built) === 'guilty' ? built : null;
}
