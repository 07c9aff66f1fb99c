/**
 * Perfect binary trees of fixed depth over any kind of node. Proofs are positional: the path has exactly `depth`
 * siblings and the index is fully consumed, so one root opens one position in one way only (lessons of order-blind
 * Merkle proofs). Missing leaves are the kind's `zero` node; the subtrees above them are joined like any others.
 */
import { AssayError } from '../errors.ts';

export interface TreeKind<Node> {
  /** The node that stands for a leaf beyond the last one. */
  readonly zero: Node;
  join(left: Node, right: Node): Node;
}

/** Computes a root from leaves in order, holding one node a level: memory O(depth). */
export class PerfectTreeBuilder<Node> {
  private readonly kind: TreeKind<Node>;
  private readonly depth: number;
  private readonly pending: (Node | undefined)[] = [];
  private leaves = 0;

  constructor(kind: TreeKind<Node>, depth: number) {
    this.kind = kind;
    this.depth = depth;
  }

  /**
   * The next leaf, or the root of the next `2^level` leaves: then as many leaves as are there must be a multiple of that.
   * @throws AssayError `TREE_FULL` for more than 2^depth leaves.
   */
  append(subtree: Node, rootLevel = 0): void {
    if (this.leaves + 2 ** rootLevel > 2 ** this.depth) {
      throw new AssayError('TREE_FULL', {
        summary: 'the vector has more chunks than its layout',
        expected: `at most ${2 ** this.depth} leaves`,
        received: `${this.leaves + 2 ** rootLevel}`,
      });
    }
    this.leaves += 2 ** rootLevel;
    let node = subtree;
    let level = rootLevel;
    for (let left = this.pending[level]; left !== undefined; left = this.pending[level]) {
      node = this.kind.join(left, node);
      this.pending[level++] = undefined;
    }
    this.pending[level] = node;
  }

  /** The root, missing leaves being zero. */
  finish(): Node {
    let zero = this.kind.zero;
    let node: Node | undefined; // the incomplete subtree carried up so far
    for (let level = 0; level < this.depth; level++) {
      const left = this.pending[level];
      if (left !== undefined) node = this.kind.join(left, node ?? zero);
      else if (node !== undefined) node = this.kind.join(node, zero);
      zero = this.kind.join(zero, zero);
    }
    return this.pending[this.depth] ?? node ?? zero;
  }
}

/** All levels of the tree, leaves first, each without its zero tail. */
export function treeLevels<Node>(kind: TreeKind<Node>, depth: number, leaves: readonly Node[]): Node[][] {
  const levels: Node[][] = [[...leaves]];
  let zero = kind.zero;
  for (let level = 0; level < depth; level++) {
    const below = levels[level]!;
    const above: Node[] = [];
    for (let i = 0; i < below.length; i += 2) above.push(kind.join(below[i]!, below[i + 1] ?? zero));
    levels.push(above);
    zero = kind.join(zero, zero);
  }
  return levels;
}

/**
 * The siblings from leaf `index` up to the root.
 * @throws AssayError `LEAF_INDEX` when there is no such leaf.
 */
export function openPath<Node>(kind: TreeKind<Node>, levels: readonly (readonly Node[])[], index: number): Node[] {
  const leaves = levels[0]!.length;
  if (!Number.isInteger(index) || index < 0 || index >= leaves) {
    throw new AssayError('LEAF_INDEX', {
      summary: 'there is no such chunk to open',
      expected: `an index from 0 to ${leaves - 1}`,
      received: String(index),
    });
  }
  const path: Node[] = [];
  let position = index;
  let zero = kind.zero;
  for (let level = 0; level < levels.length - 1; level++) {
    path.push(levels[level]![position ^ 1] ?? zero);
    position = Math.floor(position / 2);
    zero = kind.join(zero, zero);
  }
  return path;
}

/**
 * The root that `leaf` at `index` leads to along `path`, or undefined when the path's length or the index does not fit
 * the depth.
 */
export function foldPath<Node>(
  kind: TreeKind<Node>,
  depth: number,
  leaf: Node,
  index: number,
  path: readonly Node[],
): Node | undefined {
  if (path.length !== depth || !Number.isInteger(index) || index < 0 || index >= 2 ** depth) return undefined;
  let node = leaf;
  let position = index;
  for (const sibling of path) {
    node = position % 2 === 0 ? kind.join(node, sibling) : kind.join(sibling, node);
    position = Math.floor(position / 2);
  }
  return node;
}

/**
 * A tree with all its nodes at hand, those above missing leaves included. Memory: twice the leaves' nodes, not their
 * bytes.
 */
export class WholeTree<Node> {
  readonly depth: number;
  readonly leafCount: number;
  private readonly levels: readonly (readonly Node[])[];
  private readonly zeros: readonly Node[];

  /** `levels` without their zero tails, leaves first; `zeros` one for each level: see `wholeTree`. */
  constructor(levels: readonly (readonly Node[])[], zeros: readonly Node[]) {
    this.depth = levels.length - 1;
    this.leafCount = levels[0]!.length;
    this.levels = levels;
    this.zeros = zeros;
  }

  /** The node at `position` of `level`; level 0 holds the leaves. */
  node(level: number, position: number): Node {
    return this.levels[level]![position] ?? this.zeros[level]!;
  }

  get root(): Node {
    return this.node(this.depth, 0);
  }

  /** The siblings from a node up to the root, lowest first. */
  path(level: number, position: number): Node[] {
    const path: Node[] = [];
    for (let l = level, p = position; l < this.depth; l++, p = Math.floor(p / 2)) path.push(this.node(l, sibling(p)));
    return path;
  }
}

/** The tree over `leaves`, missing ones being zero. */
export function wholeTree<Node>(kind: TreeKind<Node>, depth: number, leaves: readonly Node[]): WholeTree<Node> {
  return new WholeTree(treeLevels(kind, depth, leaves), zeroNodes(kind, depth));
}

/** The other child of the same parent. */
export function sibling(position: number): number {
  return position % 2 === 0 ? position + 1 : position - 1;
}

/** The node above nothing but missing leaves, for every level from 0 to `depth`. */
export function zeroNodes<Node>(kind: TreeKind<Node>, depth: number): Node[] {
  const zeros = [kind.zero];
  for (let level = 0; level < depth; level++) zeros.push(kind.join(zeros[level]!, zeros[level]!));
  return zeros;
}
