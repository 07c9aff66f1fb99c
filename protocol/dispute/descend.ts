/**
 * What to ask for next. Somebody holds a tree (over bytes that were served under a CID, or over what the numbers have to
 * be) that is not the committed one. Every availability answer verifies the nodes along one path; where a verified node
 * equals the known one, everything below it is known, so only what differs has to be asked for.
 */

import type { GramClaim } from '../commitment/gramTree.ts';
import { gramLeafHash, gramNodeHash, gramSpanCount } from '../commitment/gramTree.ts';
import { merkleKind, modelLeaf } from '../commitment/merkle.ts';
import { merkleSumKind, type SumNode, type UpdateCommitment, updateLeaf } from '../commitment/merkleSum.ts';
import {
  type GramStep,
  hashBytes,
  matrixBytesHash,
  openGramAnswer,
  openModelAnswer,
  openUpdateAnswer,
} from '../commitment/openings.ts';
import { sibling, type WholeTree } from '../commitment/perfectTree.ts';
import type { Hex } from '../encoding/bytes.ts';
import type { VectorLayout } from '../encoding/layout.ts';
import { sameGram } from './badVacancy.ts';
import { sameBytes } from './trees.ts';

/** Answered openings (docs/spec/disputes.md, "Availability") by chunk, or by span. */
export type Answers = ReadonlyMap<number, Uint8Array>;

/** A node under the commitment, and its siblings from its own level up. */
export interface VerifiedNode<Node, Step> {
  readonly level: number;
  readonly position: number;
  readonly node: Node;
  readonly path: readonly Step[];
}

/**
 * - `ask`: challenge this chunk (span), or all of `chunks` at once: each is the first below another node that differs, and
 *   whoever is in a hurry gets to the end in as many steps as the tree is deep.
 * - `lie`: this node can be proven wrong from what is known: it stands beyond the last leaf, or its children are the
 *   known ones and its sum (matrix) is not theirs.
 * - `known`: nothing is left to ask.
 *
 * `differing`: chunks (spans) answered so far whose contents are not the known tree's. The answers have their bytes; all
 * others are the known ones once nothing is left to ask.
 */
export type NextStep<Node, Step> =
  | {
      readonly kind: 'ask';
      readonly chunk: number;
      readonly chunks: readonly number[];
      readonly differing: readonly number[];
    }
  | { readonly kind: 'lie'; readonly at: VerifiedNode<Node, Step>; readonly differing: readonly number[] }
  | { readonly kind: 'known'; readonly differing: readonly number[] };

/**
 * An update. `known` is the tree over the payload's bytes. A `lie` is a bad sum: `badSumAt`.
 * Answers that do not verify are ignored, as the contract does.
 */
export function nextUpdateChunk(
  layout: VectorLayout,
  commitment: UpdateCommitment,
  known: WholeTree<SumNode>,
  answers: Answers,
): NextStep<SumNode, SumNode> {
  const root: SumNode = { hash: hashBytes(commitment.root), sum: commitment.normSq };
  const verified = new VerifiedNodes<SumNode, SumNode>(layout.depth, root, (path) => path);
  for (const [chunk, opening] of answers) {
    const answer = openUpdateAnswer(commitment, layout, chunk, opening);
    if (answer !== null) verified.addPath(chunk, updateLeaf(answer.chunk), answer.path, merkleSumKind.join);
  }
  return descend(verified, known, layout.chunkCount, {
    same: (a, b) => a.sum === b.sum && sameBytes(a.hash, b.hash),
    sameContents: (a, b) => sameBytes(a.hash, b.hash),
  });
}

/**
 * A model or server state. `known` is the tree over the served bytes, or over the model that the round has to have: then
 * the first of `differing` is where a bad coordinate is. A `lie` is a bad vacancy.
 */
export function nextModelChunk(
  layout: VectorLayout,
  root: Hex,
  known: WholeTree<Uint8Array>,
  answers: Answers,
): NextStep<Uint8Array, Uint8Array> {
  const verified = new VerifiedNodes<Uint8Array, Uint8Array>(layout.depth, hashBytes(root), (path) => path);
  for (const [chunk, opening] of answers) {
    const answer = openModelAnswer(root, layout, chunk, opening);
    if (answer !== null) verified.addPath(chunk, modelLeaf(answer.chunk), answer.path, merkleKind.join);
  }
  return descend(verified, known, layout.chunkCount, { same: sameBytes, sameContents: sameBytes });
}

/**
 * The Gram tree of n rows. `known` is the tree that the updates have to have. A `lie` is, beyond the last span, a bad
 * vacancy; on level 0 a bad Gram leaf (another matrix is claimed for a leaf that is right, or the leaf was answered
 * and its matrix is wrong: then it is among `differing`, too); above, a bad Gram node, whose children are the known ones.
 */
export function nextGramSpan(
  layout: VectorLayout,
  n: number,
  root: Hex,
  known: WholeTree<GramClaim>,
  answers: Answers,
): NextStep<GramClaim, GramStep> {
  // Nobody claims a matrix for the root: the known one stands for it.
  const top: GramClaim = { hash: hashBytes(root), matrixHash: known.root.matrixHash };
  const verified = new VerifiedNodes<GramClaim, GramStep>(known.depth, top, (path, own) =>
    path.map((other, i) => ({ sibling: other, claimed: own[i]!.matrixHash })),
  );
  for (const [span, opening] of answers) {
    const answer = openGramAnswer(root, n, layout, span, opening);
    if (answer === null) continue;
    const claims = answer.path.map(({ claimed }) => claimed);
    const hash = gramLeafHash(matrixBytesHash(answer.matrix, n));
    const leaf: GramClaim = { hash, matrixHash: claims[0] ?? known.root.matrixHash };
    let level = 0;
    verified.addPath(
      span,
      leaf,
      answer.path.map((step) => step.sibling),
      (left, right) => {
        level++;
        return { hash: gramNodeHash(left, right), matrixHash: claims[level] ?? known.root.matrixHash };
      },
    );
  }
  return descend(verified, known, gramSpanCount(layout.chunkCount), {
    same: sameGram,
    sameContents: (a, b) => sameBytes(a.hash, b.hash),
    leafIsProof: true,
  });
}

/** The nodes that answers have shown to stand under the commitment. */
class VerifiedNodes<Node, Step> {
  readonly depth: number;
  private readonly nodes = new Map<string, Node>();
  private readonly answered = new Set<number>();
  private readonly pathOf: (siblings: Node[], own: Node[]) => Step[];

  constructor(depth: number, root: Node, pathOf: (siblings: Node[], own: Node[]) => Step[]) {
    this.depth = depth;
    this.pathOf = pathOf;
    this.nodes.set(key(depth, 0), root);
  }

  addPath(leafIndex: number, leaf: Node, path: readonly Node[], join: (left: Node, right: Node) => Node): void {
    this.answered.add(leafIndex);
    let own = leaf;
    let position = leafIndex;
    this.nodes.set(key(0, position), own);
    for (let level = 0; level < path.length; level++) {
      const other = path[level]!;
      this.nodes.set(key(level, sibling(position)), other);
      own = position % 2 === 0 ? join(own, other) : join(other, own);
      position = Math.floor(position / 2);
      if (level + 1 < this.depth) this.nodes.set(key(level + 1, position), own);
    }
  }

  isAnswered(leafIndex: number): boolean {
    return this.answered.has(leafIndex);
  }

  get(level: number, position: number): Node | undefined {
    return this.nodes.get(key(level, position));
  }

  at(level: number, position: number): VerifiedNode<Node, Step> {
    const siblings: Node[] = [];
    const own: Node[] = [];
    for (let l = level, p = position; l < this.depth; l++, p = Math.floor(p / 2)) {
      siblings.push(this.get(l, sibling(p))!);
      own.push(this.get(l, p)!);
    }
    return { level, position, node: this.get(level, position)!, path: this.pathOf(siblings, own) };
  }
}

interface Comparison<Node> {
  same(a: Node, b: Node): boolean;
  /** Equal below, whatever is claimed for the node itself. */
  sameContents(a: Node, b: Node): boolean;
  /** Whether an answered leaf that differs is itself a lie, and not only other bytes. */
  readonly leafIsProof?: boolean;
}

function descend<Node, Step>(
  verified: VerifiedNodes<Node, Step>,
  known: WholeTree<Node>,
  leaves: number,
  { same, sameContents, leafIsProof = false }: Comparison<Node>,
): NextStep<Node, Step> {
  const differing: number[] = [];
  const asks: number[] = [];
  let lie: readonly [number, number] | undefined;
  const visit = (level: number, position: number): void => {
    const node = verified.get(level, position)!;
    if (lie !== undefined || same(node, known.node(level, position))) return;
    const first = position * 2 ** level;
    if (first >= leaves || sameContents(node, known.node(level, position))) {
      lie = [level, position];
    } else if (level === 0 && verified.isAnswered(first)) {
      differing.push(first);
      if (leafIsProof) lie = [level, position];
    } else if (level > 0 && verified.get(level - 1, 2 * position) !== undefined) {
      visit(level - 1, 2 * position);
      visit(level - 1, 2 * position + 1);
    } else {
      asks.push(first);
    }
  };
  visit(known.depth, 0);
  if (lie !== undefined) return { kind: 'lie', at: verified.at(...lie), differing };
  const [chunk] = asks;
  return chunk === undefined ? { kind: 'known', differing } : { kind: 'ask', chunk, chunks: asks, differing };
}

function key(level: number, position: number): string {
  return `${level}/${position}`;
}
