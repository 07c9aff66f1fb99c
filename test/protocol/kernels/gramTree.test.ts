import { expect } from 'chai';
import fc from 'fast-check';
import { encodeGramMatrix, GRAM_SPAN, GramCommitter } from '../../../protocol/commitment/gramTree.ts';
import { concatBytes } from '../../../protocol/encoding/bytes.ts';
import { GramTreeKernel, gramTreeBytes } from '../../../protocol/kernels/gramTree.ts';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';

const kernels = loadKernels();

describe('kernels of the Gram tree', () => {
  it('grow the tree of the plain reference from any number of spans of any number of rows', () => {
    const entry = fc.oneof(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), fc.bigInt({ min: -5n, max: 5n }));
    const cases = fc.tuple(
      fc.oneof(fc.integer({ min: 1, max: 24 }), fc.constantFrom(50, 101)),
      fc.integer({ min: 1, max: 9 }),
      entry,
    );
    fc.assert(
      fc.property(cases, fc.nat(), ([n, count, first], seed) => {
        const { arena } = kernels;
        const mark = arena.mark();
        let value = first / 16n;
        const spans = Array.from({ length: count }, () =>
          BigInt64Array.from({ length: (n * (n + 1)) / 2 }, () => {
            value = BigInt.asIntN(60, value * 6_364_136_223_846_793_005n + BigInt(seed));
            return value;
          }),
        );
        const kernel = new GramTreeKernel(kernels, n, 9);
        expect(arena.mark() - mark).to.be.at.most(gramTreeBytes(n, 9));
        arena.bytes(arena.allocate(64), 64).fill(0x5a);
        const { payload, roots, level } = kernel.grow(spans);
        expect(payload).to.deep.equal(concatBytes(...spans.map(encodeGramMatrix)));
        expect(roots.length * 2 ** level).to.equal(count);
        const plain = new GramCommitter(n, count * GRAM_SPAN);
        const fast = new GramCommitter(n, count * GRAM_SPAN);
        for (const span of spans) plain.appendSpan(span);
        for (const root of roots) fast.appendSubtree(root, level);
        expect(fast.finish()).to.deep.equal(plain.finish());
        arena.release(mark);
      }),
      { numRuns: 60 },
    );
  });

  it('leave one root where spans fill a tree', () => {
    const spans = [1n, 2n, 3n, 4n].map((value) => BigInt64Array.of(value));
    const { roots, level } = new GramTreeKernel(kernels, 1, 4).grow(spans);
    expect([roots.length, level, roots[0]!.matrix[0]]).to.deep.equal([1, 2, 10n]);
    expect(new GramTreeKernel(kernels, 1, 3).grow(spans.slice(1)).roots).to.have.lengthOf(3);
  });
});
