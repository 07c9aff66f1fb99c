import { expect } from 'chai';
import fc from 'fast-check';
import { treeDepth, vectorLayout } from '../../../protocol/encoding/layout.ts';
import { runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';

describe('the layout of a vector', () => {
  it('has just enough chunks, and just enough levels above them', () => {
    const size = fc.constantFrom(16, 32, 64, 128, 256, 512, 1024, 2048, 4096);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), size, (dimension, chunkSize) => {
        const layout = vectorLayout(dimension, chunkSize);
        expect(layout.chunkCount * chunkSize).to.be.at.least(dimension);
        expect((layout.chunkCount - 1) * chunkSize).to.be.below(dimension);
        expect(2 ** layout.depth).to.be.at.least(layout.chunkCount);
        expect(2 ** (layout.depth - 1)).to.be.below(layout.chunkCount);
      }),
      runs(200),
    );
    expect([1, 2, 3, 4, 5, 8, 9].map(treeDepth)).to.deep.equal([0, 1, 2, 2, 3, 3, 4]);
    expect(vectorLayout(257)).to.deep.equal({ dimension: 257, chunkSize: 256, chunkCount: 2, depth: 1 });
  });

  for (const dimension of [0, -1, 1.5, Number.NaN, 2 ** 32 + 1]) {
    it(`refuses ${dimension} coordinates`, () => {
      expectAssayError('LAYOUT', () => vectorLayout(dimension));
    });
  }

  for (const chunkSize of [0, 8, 15, 17, 100, 8192, -16, 16.5, Number.NaN, 2 ** 32]) {
    it(`refuses chunks of ${chunkSize}`, () => {
      expectAssayError('LAYOUT', () => vectorLayout(100, chunkSize));
    });
  }
});
