/** Updates whose commitment lies. */
import { merkleSumKind, sumLeafPreimage, updateLeaf } from '../../../protocol/commitment/merkleSum.ts';
import { wholeTree } from '../../../protocol/commitment/perfectTree.ts';
import { sha256 } from '../../../protocol/commitment/sha256.node.ts';
import { toHex } from '../../../protocol/encoding/bytes.ts';
import { layoutOf } from '../../../protocol/round/parameters.ts';
import { type CraftedUpdate, craftUpdate } from '../../scenarios/support/inProcess.ts';
import type { TestFederation } from '../../scenarios/support/world.ts';

/** The first leaf says a smaller sum of squares than its coordinates have; everything above adds up. */
export function understated(fed: TestFederation, pick: (i: number) => number): CraftedUpdate {
  const layout = layoutOf(fed.federation.parameters);
  const { payload } = craftUpdate(fed, pick);
  const bytes = 2 * layout.chunkSize;
  const leaves = Array.from({ length: layout.chunkCount }, (_, c) => {
    const chunk = payload.slice(c * bytes, (c + 1) * bytes);
    if (c > 0) return updateLeaf(chunk);
    return { hash: sha256(sumLeafPreimage(1n, chunk)), sum: 1n };
  });
  const { hash, sum } = wholeTree(merkleSumKind, layout.depth, leaves).root;
  return { payload, root: toHex(hash), normSq: sum };
}
