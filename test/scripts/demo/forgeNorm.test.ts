import { expect } from 'chai';
import { commitUpdate } from '../../../protocol/commitment/merkleSum.ts';
import { judgeSumOpening } from '../../../protocol/dispute/badSum.ts';
import { locateBadSum } from '../../../protocol/dispute/locateBadSum.ts';
import { chunksOf, updateTree } from '../../../protocol/dispute/trees.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { encodeUpdate } from '../../../protocol/encoding/vectors.ts';
import { forgeNorm } from '../../../scripts/demo/rogues/forgeNorm.ts';

describe("the demonstration's lying client", () => {
  for (const dimension of [256, 450, 5000]) {
    it(`d = ${dimension}: passes with the norm it had before, and its own bytes convict it`, async () => {
      const layout = vectorLayout(dimension);
      const honest = encodeUpdate(
        Int16Array.from({ length: dimension }, (_, i) => (i % 7) - 3),
        layout,
      );
      const forged = forgeNorm(honest, layout, 'test');
      expect(forged.normSq).to.equal(commitUpdate(honest, layout).normSq);
      const { root, normSq } = commitUpdate(forged.payload, layout);
      expect(root).to.not.equal(forged.root);
      expect(Number(normSq)).to.be.greaterThan((3 * 65_536) ** 2);
      const read = chunksOf(forged.payload, 2 * layout.chunkSize);
      const opening = await locateBadSum(layout, await updateTree(read, layout), read, forged);
      expect(opening?.level).to.equal(0);
      expect(judgeSumOpening(layout, forged, opening!)).to.equal('guilty');
    });
  }
});
