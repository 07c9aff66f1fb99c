/** The judges of LibraryHarness, asked about proofs of protocol/dispute. */
import { fromRule } from '../../chain/convert.ts';
import type { Rule } from '../../protocol/aggregation/rule.ts';
import type { UpdateCommitment } from '../../protocol/commitment/merkleSum.ts';
import type { BadGramLeafProof } from '../../protocol/dispute/badGramLeaf.ts';
import type { BadGramNodeProof } from '../../protocol/dispute/badGramNode.ts';
import type { BadMixingProof } from '../../protocol/dispute/badMixing.ts';
import type { SumOpening } from '../../protocol/dispute/badSum.ts';
import type { BadVacancyProof } from '../../protocol/dispute/badVacancy.ts';
import { type Hex, toHex } from '../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import type { Publication } from '../../protocol/round/publication.ts';
import type { RevealedUpdate } from '../../protocol/round/submission.ts';
import type { Question } from './harness.ts';

/** The Solidity struct of this name. */
export interface GramShape {
  readonly gramRoot: Hex;
  readonly n: bigint;
  readonly chunkSize: bigint;
  readonly chunks: bigint;
}

export function shapeOf(layout: VectorLayout, { gramRoot }: Publication, n: number): GramShape {
  return { gramRoot, n: BigInt(n), chunkSize: BigInt(layout.chunkSize), chunks: BigInt(layout.chunkCount) };
}

const guilt = (guilty: boolean) => (guilty ? 'guilty' : 'innocent');

export function sumQuestion(layout: VectorLayout, { root, normSq }: UpdateCommitment, opening: SumOpening): Question {
  const node = { ...opening, preimage: toHex(opening.preimage) };
  return {
    call: ['judgeSum', [node, root, normSq, BigInt(layout.dimension), BigInt(layout.chunkSize)]],
    read: ([opens, guilty]: [boolean, boolean]) => (opens ? guilt(guilty) : 'malformed'),
  };
}

export function gramLeafQuestion(
  proof: BadGramLeafProof,
  shape: GramShape,
  first: RevealedUpdate,
  second: RevealedUpdate,
): Question {
  const abi = {
    ...about(proof),
    span: proof.span,
    first: proof.first,
    second: proof.second,
    matrix: toHex(proof.matrix),
    row: toHex(proof.row),
    path: toHex(proof.path),
    firstChunks: toHex(proof.firstChunks),
    secondChunks: toHex(proof.secondChunks),
  };
  return { call: ['judgeGramLeaf', [abi, shape, first, second]], read: guilt };
}

export function gramNodeQuestion(proof: BadGramNodeProof, shape: GramShape): Question {
  const { level, position } = proof;
  const abi = { ...about(proof), level, position, children: toHex(proof.children), path: toHex(proof.path) };
  return { call: ['judgeGramNode', [abi, shape]], read: guilt };
}

export function gramVacancyQuestion(proof: BadVacancyProof, shape: GramShape): Question {
  const { level, position, hash, path } = proof;
  return { call: ['judgeGramVacancy', [shape, BigInt(level), BigInt(position), hash, toHex(path)]], read: guilt };
}

export function mixingQuestion(proof: BadMixingProof, shape: GramShape, rule: Rule, seed: Hex): Question {
  const { root, mixing, nearest } = proof;
  const abi = { ...about(proof), root: toHex(root), mixing: toHex(mixing), nearest };
  return { call: ['judgeMixing', [abi, shape, fromRule(rule), seed, proof.publication.mixingHash]], read: guilt };
}

/** What the libraries do not look at: the modules hold it against the chain. */
function about({ round, publication }: { readonly round: number; readonly publication: Publication }) {
  const { modelCid, evidenceCid, ...roots } = publication;
  return {
    round: BigInt(round),
    publication: { ...roots, modelCid: toHex(modelCid), evidenceCid: toHex(evidenceCid) },
    reveals: [],
  };
}
