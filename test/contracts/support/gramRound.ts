/** A Gram matrix made up span by span, its tree, and the opening of its root that the contract is shown. */
import { createHash } from 'node:crypto';
import type { Hex } from 'viem';
import type { InnerProducts } from '../../../protocol/aggregation/gram.ts';
import { encodeGramMatrix, gramMatrixBytes, gramTreeDepth } from '../../../protocol/commitment/gramTree.ts';
import { packChildren } from '../../../protocol/dispute/badGramNode.ts';
import { gramNodeMatrix, gramTree } from '../../../protocol/dispute/trees.ts';
import { toHex } from '../../../protocol/encoding/bytes.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';

export interface GramRound {
  readonly gramRoot: Hex;
  readonly opening: Hex;
  readonly gram: InnerProducts;
}

/** @param entry the partial product at this place of the upper triangle, in this span */
export async function gramRound(
  n: number,
  entry: (span: number, index: number) => bigint,
  dimension = 50_890,
  chunkSize = 256,
): Promise<GramRound> {
  const layout = vectorLayout(dimension, chunkSize);
  const read = (span: number) =>
    encodeGramMatrix(BigInt64Array.from({ length: gramMatrixBytes(n) / 8 }, (_, index) => entry(span, index)));
  const tree = await gramTree(read, n, layout);
  const depth = gramTreeDepth(layout.chunkCount);
  const whole = await gramNodeMatrix(read, n, layout, depth, 0);
  const half = (position: number) =>
    gramNodeMatrix(read, n, layout, depth - 1, position).then((matrix) => encodeGramMatrix(matrix));
  const opening =
    depth === 0
      ? encodeGramMatrix(whole)
      : packChildren(tree.node(depth - 1, 0).hash, tree.node(depth - 1, 1).hash, await half(0), await half(1));
  return { gramRoot: toHex(tree.node(depth, 0).hash), opening: toHex(opening), gram: { n, values: [...whole] } };
}

/** Entries that look random, of either sign, the same in every run. */
export function scattered(seed: string, bits = 40): (span: number, index: number) => bigint {
  return (span, index) => {
    const digest = createHash('sha256').update(`${seed}/${span}/${index}`).digest();
    return BigInt.asIntN(bits, digest.readBigInt64BE());
  };
}
