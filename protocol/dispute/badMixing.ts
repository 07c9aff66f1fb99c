/**
 * Bad mixing: the published mixing matrix is not what the rule makes of the published Gram matrix. The prover brings the
 * right one; the contract verifies it by thresholds, in O(n^2). Spec: docs/spec/disputes.md, "Bad mixing".
 */
import { sha256 } from '#sha256';
import type { InnerProducts } from '../aggregation/gram.ts';
import { type Mixing, mixingPreimage } from '../aggregation/preAggregation/mixing.ts';
import { nearestOthers } from '../aggregation/preAggregation/nearestNeighborMixing.ts';
import { preAggregate } from '../aggregation/preAggregation/preAggregate.ts';
import { needsGram, type Rule } from '../aggregation/rule.ts';
import { gramLeafHash, gramMatrixBytes, gramNodeHash, gramTreeDepth } from '../commitment/gramTree.ts';
import { isRoot, matrixBytesHash } from '../commitment/openings.ts';
import { toHex } from '../encoding/bytes.ts';
import { layoutOf } from '../round/parameters.ts';
import type { Publication } from '../round/publication.ts';
import { plainContext } from '../round/roundIo.ts';
import type { RevealedUpdate } from '../round/submission.ts';
import { readChildren } from './badGramNode.ts';
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

/** As the contract's struct `MixingProof`. */
export interface BadMixingProof {
  readonly kind: 'badMixing';
  readonly round: number;
  readonly publication: Publication;
  readonly reveals: readonly RevealedUpdate[];
  /** Of a tree with one leaf: its matrix; else the root's children as in `BadGramNodeProof`. */
  readonly root: Uint8Array;
  /** Preimage of the RIGHT mixing matrix's hash. */
  readonly mixing: Uint8Array;
  /** For the Krum family, for each row: bitmap (by position) of its n - f - 2 nearest others; else empty. */
  readonly nearest: readonly bigint[];
}

/** @throws AssayError `PROOF_MALFORMED` where the contract would revert: also when `mixing` is not the right one. */
export function judgeBadMixing(round: DisputedRound, proof: BadMixingProof): Verdict {
  const { publication } = proof;
  const { rule } = round.parameters;
  if (!needsGram(rule)) throw malformed('this rule has no mixing matrix');
  checkEnforced(round);
  checkPublication(round, publication);
  const n = validRows(round, proof.reveals).length;
  const gram = readGramRoot(round, publication, n, proof.root);
  const right = mixingPreimage(rightMixing(round, gram));
  if (!sameBytes(proof.mixing, right)) throw malformed('this is not the right mixing matrix');
  const nearest = nearestBitmaps(rule, gram);
  if (nearest.length !== proof.nearest.length || nearest.some((bitmap, i) => bitmap !== proof.nearest[i])) {
    throw malformed('these are not the nearest others');
  }
  return toHex(sha256(proof.mixing)) === publication.mixingHash.toLowerCase() ? 'innocent' : 'guilty';
}

/**
 * The Gram matrix under a published root: the sum of what the root claims for its children.
 * @throws AssayError `PROOF_MALFORMED` when the bytes do not open it.
 */
export function readGramRoot(
  round: DisputedRound,
  publication: Publication,
  n: number,
  opening: Uint8Array,
): InnerProducts {
  const depth = gramTreeDepth(layoutOf(round.parameters).chunkCount);
  if (depth > 0) {
    const { left, right, sums } = readChildren(opening, n);
    if (!isRoot(gramNodeHash(left, right), publication.gramRoot)) throw malformed("these are not the root's children");
    return { n, values: sums };
  }
  checkLength('the matrix', opening, gramMatrixBytes(n));
  if (!isRoot(gramLeafHash(matrixBytesHash(opening, n)), publication.gramRoot)) {
    throw malformed("this is not the root's matrix");
  }
  const view = new DataView(opening.buffer, opening.byteOffset, opening.length);
  return { n, values: Array.from({ length: opening.length / 8 }, (_, e) => view.getBigInt64(8 * e)) };
}

/** Rules that the contract judges take nothing but the Gram matrix and the seed. */
function rightMixing({ parameters: { rule, dimension }, seed }: DisputedRound, gram: InnerProducts): Mixing {
  return preAggregate(rule, gram, { ...plainContext(gram.n), seed, signs: null, dimension });
}

/** The contract's hints for Krum's scores; none for another rule. */
export function nearestBitmaps(rule: Rule, gram: InnerProducts): bigint[] {
  if (rule.preAggregations[0] !== 'multiKrum') return [];
  const count = gram.n - rule.byzantine - 2;
  return Array.from({ length: gram.n }, (_, i) =>
    nearestOthers(gram, i)
      .slice(0, count)
      .reduce((bitmap, j) => bitmap | (1n << BigInt(j)), 0n),
  );
}

/** The proof, or null when the published mixing matrix is right. `root` as in the proof. */
export function buildBadMixing(
  round: DisputedRound,
  number: number,
  publication: Publication,
  reveals: readonly RevealedUpdate[],
  root: Uint8Array,
): BadMixingProof | null {
  const { rule } = round.parameters;
  const gram = readGramRoot(round, publication, round.validUpdates, root);
  const proof: BadMixingProof = {
    kind: 'badMixing',
    round: number,
    publication,
    reveals,
    root,
    mixing: mixingPreimage(rightMixing(round, gram)),
    nearest: nearestBitmaps(rule, gram),
  };
  return judgeBadMixing(round, proof) === 'guilty' ? proof : null;
}
