import { expect } from 'chai';
import fc from 'fast-check';
import { merkleKind, modelLeaf } from '../../../protocol/commitment/merkle.ts';
import { merkleSumKind, payloadChunks, type SumNode, updateLeaf } from '../../../protocol/commitment/merkleSum.ts';
import { PerfectTreeBuilder } from '../../../protocol/commitment/perfectTree.ts';
import { SubtreeHasher } from '../../../protocol/commitment/subtreeHasher.ts';
import { toHex } from '../../../protocol/encoding/bytes.ts';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import { runs } from '../support/arbitraries.ts';

const kernels = loadKernels();
const { arena } = kernels;

describe('subtree hashing', () => {
  it('gives the roots of blocks as the plain reference does, with missing leaves zero', () => {
    const block = fc.record({
      rows: fc.integer({ min: 1, max: 6 }),
      depth: fc.integer({ min: 0, max: 5 }),
      missing: fc.nat(31),
      leafBytes: fc.constantFrom(64, 512, 2048),
      room: fc.integer({ min: 0, max: 3 }),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(block, ({ rows, depth, missing, leafBytes, room, seed }) => {
        const mark = arena.mark();
        const leaves = Math.max(1, 2 ** depth - missing);
        const addresses = Array.from({ length: rows }, () => arena.allocate(leaves * leafBytes));
        const subtrees = new SubtreeHasher(kernels, 2 ** depth * (1 + room));
        const bytes = addresses.map((address, i) => {
          const view = arena.bytes(address, leaves * leafBytes);
          for (let k = 0; k < view.length; k++) view[k] = (k * (seed | 1) + i * 77) >>> 7;
          return view.slice();
        });
        const sumRoot = (payload: Uint8Array): SumNode => {
          const tree = new PerfectTreeBuilder(merkleSumKind, depth);
          for (const chunk of payloadChunks(payload, leafBytes)) tree.append(updateLeaf(chunk));
          return tree.finish();
        };
        const spelled = ({ hash, sum }: SumNode) => `${toHex(hash)} ${sum}`;
        expect(subtrees.updateRoots(addresses, leafBytes, leaves, depth).map(spelled)).to.deep.equal(
          bytes.map(sumRoot).map(spelled),
        );
        const tree = new PerfectTreeBuilder(merkleKind, depth);
        for (const chunk of payloadChunks(bytes[0]!, leafBytes)) tree.append(modelLeaf(chunk));
        expect(toHex(subtrees.modelRoot(addresses[0]!, leafBytes, leaves, depth))).to.equal(toHex(tree.finish()));
        arena.release(mark);
      }),
      runs(60),
    );
  });

  it('knows how much memory it takes', () => {
    const mark = arena.mark();
    new SubtreeHasher(kernels, 1000);
    expect(arena.mark() - mark).to.be.at.most(SubtreeHasher.byteLength(1000));
    arena.release(mark);
  });
});
