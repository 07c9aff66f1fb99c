/**
 * Openings of vectors that nobody has: real chunks, random siblings up to a root. A proof about a model of 67 million
 * parameters reads a few of its chunks and one path, so nothing else needs to exist to measure it.
 */

import { modelLeaf } from '../../../protocol/commitment/merkle.ts';
import { merkleSumKind, type SumNode, updateLeaf } from '../../../protocol/commitment/merkleSum.ts';
import { treeLevels } from '../../../protocol/commitment/perfectTree.ts';
import { sha256 } from '../../../protocol/commitment/sha256.node.ts';
import { concatBytes, type Hex, toHex, uintBytes } from '../../../protocol/encoding/bytes.ts';
import type { VectorLayout } from '../../../protocol/encoding/layout.ts';
import { bytesOf } from '../../../protocol/encoding/vectors.ts';
import { modelKind, type Randomness } from './openings.ts';

/** `trained`: bytes as training makes them, small numbers around zero; `dense`: no byte is likelier than another. */
export type Density = 'trained' | 'dense';

/** About normal, by the central limit theorem: twelve uniform numbers. */
function normal(random: Randomness, deviation: number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random.below(2 ** 20) / 2 ** 20;
  return Math.round(sum * deviation);
}

/** K update coordinates; a clipped step of about 0.005 a coordinate at G = 16. */
const updateChunk = (random: Randomness, size: number, density: Density): Uint8Array =>
  density === 'dense' ? random.bytes(2 * size) : bytesOf(Int16Array.from({ length: size }, () => normal(random, 300)));

/** K model coordinates; weights of about 0.05 at F = 24. */
const modelChunk = (random: Randomness, size: number, density: Density): Uint8Array =>
  density === 'dense'
    ? random.bytes(4 * size)
    : bytesOf(Int32Array.from({ length: size }, () => normal(random, 0.05 * 2 ** 24)));

/** An update of which the chunks of the first span are there. */
export class SyntheticUpdate {
  readonly root: Hex;
  readonly normSq: bigint;
  readonly chunks: Uint8Array[];
  private readonly levels: SumNode[][];
  private readonly above: SumNode[] = [];

  /** `lie`: how much more than the truth the sum of chunk 0 says. */
  constructor(random: Randomness, layout: VectorLayout, density: Density, lie = 0n) {
    const height = Math.min(4, layout.depth);
    this.chunks = Array.from({ length: 2 ** height }, () => updateChunk(random, layout.chunkSize, density));
    const leaves = this.chunks.map((chunk, i) => {
      const sum = updateLeaf(chunk).sum + (i === 0 ? lie : 0n);
      return { hash: sha256(leafPreimage(chunk, sum)), sum };
    });
    this.levels = treeLevels(merkleSumKind, height, leaves);
    let node = this.levels[height]![0]!;
    for (let level = height; level < layout.depth; level++) {
      // A sibling over as many coordinates has about the same sum.
      const sibling = { hash: random.bytes(32), sum: node.sum + BigInt(random.below(2 ** 20)) };
      this.above.push(sibling);
      node = merkleSumKind.join(node, sibling);
    }
    this.root = toHex(node.hash);
    this.normSq = node.sum;
  }

  /** u64 sum | 2K bytes | path, of one of the chunks that are there. */
  chunk(index: number): Uint8Array {
    return concatBytes(uintBytes(this.sum(index), 8), this.chunks[index]!, pack(this.path(index)));
  }

  /** The sum that the leaf claims. */
  sum(index: number): bigint {
    return this.levels[0]![index]!.sum;
  }

  /** What the leaf's hash is made of. */
  leaf(index: number): Uint8Array {
    return leafPreimage(this.chunks[index]!, this.sum(index));
  }

  /** The siblings of the leaf at `index`. */
  path(index: number): SumNode[] {
    const path: SumNode[] = [];
    for (let level = 0, p = index; level < this.levels.length - 1; level++, p >>= 1)
      path.push(this.levels[level]![p ^ 1]!);
    return [...path, ...this.above];
  }

  /** The first span's chunks with their sums, and its path. */
  span(): Uint8Array {
    const leaves = this.chunks.flatMap((chunk, i) => [uintBytes(this.sum(i), 8), chunk]);
    return concatBytes(...leaves, pack(this.above));
  }
}

const leafPreimage = (chunk: Uint8Array, sum: bigint): Uint8Array =>
  concatBytes(Uint8Array.of(0), uintBytes(sum, 8), chunk);
const pack = (path: readonly SumNode[]): Uint8Array =>
  concatBytes(...path.flatMap(({ hash, sum }) => [hash, uintBytes(sum, 8)]));

/** A model or state of which chunk `index` is there. */
export class SyntheticModel {
  readonly root: Hex;
  /** 4K bytes | path. */
  readonly opening: Uint8Array;

  constructor(random: Randomness, layout: VectorLayout, density: Density, index: number) {
    const chunk = modelChunk(random, layout.chunkSize, density);
    const path = Array.from({ length: layout.depth }, () => random.bytes(32));
    let node = modelLeaf(chunk);
    path.forEach((sibling, level) => {
      node = (index >> level) % 2 === 0 ? modelKind.join(node, sibling) : modelKind.join(sibling, node);
    });
    this.root = toHex(node);
    this.opening = concatBytes(chunk, ...path);
  }
}

/** A Gram tree of which one node is there, the first or the last of its level: siblings and claims above are random. */
export function climbGram(
  random: Randomness,
  node: { readonly hash: Uint8Array; readonly claimed: Uint8Array },
  levels: number,
  last = false,
): { root: Hex; path: Uint8Array } {
  const steps: Uint8Array[] = [];
  let { hash, claimed } = node;
  for (let level = 0; level < levels; level++) {
    const sibling = random.bytes(64);
    steps.push(sibling, claimed);
    const own = concatBytes(hash, claimed);
    hash = sha256(concatBytes(Uint8Array.of(0x11), ...(last ? [sibling, own] : [own, sibling])));
    claimed = random.bytes(32);
  }
  return { root: toHex(hash), path: concatBytes(...steps) };
}
