/**
 * Packed openings as contracts/libraries read them, made from whole payloads with the tree functions of the protocol:
 * written apart from protocol/dispute, so that the contracts are held to the specification and not to their twin.
 */
import { gramMatrixHash } from '../../../protocol/commitment/gramTree.ts';
import { proveModelChunk } from '../../../protocol/commitment/merkle.ts';
import { merkleSumKind, payloadChunks, proveUpdateChunk, updateLeaf } from '../../../protocol/commitment/merkleSum.ts';
import { openPath, type TreeKind, treeLevels } from '../../../protocol/commitment/perfectTree.ts';
import { sha256 } from '../../../protocol/commitment/sha256.node.ts';
import { concatBytes, type Hex, toHex, uintBytes } from '../../../protocol/encoding/bytes.ts';
import { treeDepth, type VectorLayout } from '../../../protocol/encoding/layout.ts';

/** Numbers that look random and are the same in every run (xorshift32, Marsaglia 2003). */
export class Randomness {
  private state: number;

  constructor(seed: number) {
    this.state = (seed * 2654435761) >>> 0 || 1;
  }

  /** 0 <= x < limit <= 2^32. */
  below(limit: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    this.state >>>= 0;
    return Math.floor((this.state / 2 ** 32) * limit);
  }

  /** min <= x <= max. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }
}

/** u64 sum | 2K bytes | depth * (hash 32 | sum 8). */
export function packUpdateChunk(payload: Uint8Array, layout: VectorLayout, chunk: number): Uint8Array {
  const bytes = payload.subarray(chunk * layout.chunkSize * 2, (chunk + 1) * layout.chunkSize * 2);
  const { path } = proveUpdateChunk(payload, layout, chunk);
  return concatBytes(
    uintBytes(updateLeaf(bytes).sum, 8),
    bytes,
    ...path.flatMap(({ hash, sum }) => [hash, uintBytes(sum, 8)]),
  );
}

/** The chunks of one span of 16: count * (u64 sum | 2K bytes) | (depth - 4) * (hash 32 | sum 8). */
export function packUpdateSpan(payload: Uint8Array, layout: VectorLayout, span: number): Uint8Array {
  const chunks = [...payloadChunks(payload, layout.chunkSize * 2)];
  const levels = treeLevels(merkleSumKind, layout.depth, chunks.map(updateLeaf));
  const height = Math.min(4, layout.depth);
  const path = openPath(merkleSumKind, levels, span * 16).slice(height);
  return concatBytes(
    ...chunks.slice(span * 16, span * 16 + 16).flatMap((chunk) => [uintBytes(updateLeaf(chunk).sum, 8), chunk]),
    ...path.flatMap(({ hash, sum }) => [hash, uintBytes(sum, 8)]),
  );
}

/** 4K bytes | depth * hash 32. */
export function packModelChunk(payload: Uint8Array, layout: VectorLayout, chunk: number): Uint8Array {
  const bytes = payload.subarray(chunk * layout.chunkSize * 4, (chunk + 1) * layout.chunkSize * 4);
  return concatBytes(bytes, ...proveModelChunk(payload, layout, chunk).path);
}

/** Upper triangle as i64 big-endian. */
export function packTriangle(matrix: BigInt64Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * matrix.length));
  matrix.forEach((value, i) => {
    view.setBigInt64(8 * i, value);
  });
  return new Uint8Array(view.buffer);
}

/** 0x12 | n row hashes, and the rows' preimages 0x13 | i64... */
export function matrixPreimages(matrix: BigInt64Array, n: number): { matrix: Uint8Array; rows: Uint8Array[] } {
  const rows: Uint8Array[] = [];
  for (let i = 0, offset = 0; i < n; offset += n - i, i++) {
    rows.push(concatBytes(Uint8Array.of(0x13), packTriangle(matrix.slice(offset, offset + n - i))));
  }
  return { matrix: concatBytes(Uint8Array.of(0x12), ...rows.map(sha256)), rows };
}

/** A node of a Gram tree: `claimed` is what its parent says of its matrix. */
export interface GramNode {
  readonly hash: Uint8Array;
  readonly claimed: Uint8Array;
}

/**
 * A whole Gram tree over the matrices of all spans. `lie` may replace any node's claimed matrix after it is made,
 * `oddLeaves` whole leaves. Matrices of inner nodes are the sums of their children's, whatever is claimed.
 */
export class GramLevels {
  readonly matrices: BigInt64Array[][];
  readonly nodes: GramNode[][];
  readonly n: number;
  readonly depth: number;

  constructor(
    spans: readonly BigInt64Array[],
    n: number,
    lie: (level: number, position: number, claimed: Uint8Array) => Uint8Array = (_level, _position, claimed) => claimed,
    oddLeaves: ReadonlyMap<number, GramNode> = new Map(),
  ) {
    this.n = n;
    this.depth = treeDepth(spans.length);
    const zero = new BigInt64Array((n * (n + 1)) / 2);
    const width = 2 ** this.depth;
    const leaves = Array.from({ length: width }, (_, i) => spans[i] ?? zero);
    this.matrices = [leaves];
    this.nodes = [
      leaves.map((matrix, i) => {
        const odd = oddLeaves.get(i);
        if (odd !== undefined) return odd;
        const claimed = gramMatrixHash(matrix, n);
        const hash = i < spans.length ? sha256(concatBytes(Uint8Array.of(0x10), claimed)) : new Uint8Array(32);
        return { hash, claimed: lie(0, i, claimed) };
      }),
    ];
    for (let level = 1; level <= this.depth; level++) {
      const below = this.nodes[level - 1]!;
      const matricesBelow = this.matrices[level - 1]!;
      const matrices: BigInt64Array[] = [];
      const nodes: GramNode[] = [];
      for (let i = 0; i < below.length; i += 2) {
        const [left, right] = [below[i]!, below[i + 1]!];
        const matrix = matricesBelow[i]!.map((value, k) => value + matricesBelow[i + 1]![k]!);
        const hash = sha256(concatBytes(Uint8Array.of(0x11), left.hash, left.claimed, right.hash, right.claimed));
        matrices.push(matrix);
        nodes.push({ hash, claimed: lie(level, i / 2, gramMatrixHash(matrix, n)) });
      }
      this.matrices.push(matrices);
      this.nodes.push(nodes);
    }
  }

  get root(): Hex {
    return toHex(this.nodes[this.depth]![0]!.hash);
  }

  /** For each level from the node's up: sibling's hash | sibling's matrix | own matrix. */
  path(level: number, position: number): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let l = level, p = position; l < this.depth; l++, p >>= 1) {
      const sibling = this.nodes[l]![p ^ 1]!;
      parts.push(sibling.hash, sibling.claimed, this.nodes[l]![p]!.claimed);
    }
    return concatBytes(...parts);
  }

  /** Left's hash | right's hash | left's matrix | right's matrix. */
  children(level: number, position: number): Uint8Array {
    const [left, right] = [2 * position, 2 * position + 1];
    return concatBytes(
      this.nodes[level - 1]![left]!.hash,
      this.nodes[level - 1]![right]!.hash,
      packTriangle(this.matrices[level - 1]![left]!),
      packTriangle(this.matrices[level - 1]![right]!),
    );
  }
}

/** All levels of a tree, its zero leaves included. */
export function fullLevels<Node>(kind: TreeKind<Node>, depth: number, leaves: readonly Node[]): Node[][] {
  const padded = Array.from({ length: 2 ** depth }, (_, i) => leaves[i] ?? kind.zero);
  return treeLevels(kind, depth, padded);
}

/** How nodes of a model's tree join. */
export const modelKind: TreeKind<Uint8Array> = {
  zero: new Uint8Array(32),
  join: (left, right) => sha256(concatBytes(Uint8Array.of(3), left, right)),
};
