import { expect } from 'chai';
import fc from 'fast-check';
import { merkleKind, modelLeaf } from '../../../protocol/commitment/merkle.ts';
import { merkleSumKind, type SumNode, updateLeaf } from '../../../protocol/commitment/merkleSum.ts';
import { treeDepth } from '../../../protocol/encoding/layout.ts';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import { HASH_BYTES, HashKernel } from '../../../protocol/kernels/sha256.ts';

const kernels = loadKernels();
const { arena } = kernels;
const kernel = new HashKernel(kernels, Number.POSITIVE_INFINITY);
/** Every leaf is long for this one. */
const oneByOne = new HashKernel(kernels, 0);

/** Runs `use` with the address of `bytes` and room for `count` hashes and sums; what it finds there afterwards. */
function hashed(
  bytes: Uint8Array,
  count: number,
  use: (data: number, hashes: number, sums: number) => void,
): { hashes: Uint8Array[]; sums: bigint[] } {
  const mark = arena.mark();
  const data = arena.allocate(bytes.length);
  const hashes = arena.allocate(HASH_BYTES * (count + 1));
  const sums = arena.allocate(8 * (count + 1));
  arena.bytes(data, bytes.length).set(bytes);
  arena.bytes(hashes, HASH_BYTES * (count + 1)).fill(0x5a);
  use(data, hashes, sums);
  const result = {
    hashes: Array.from({ length: count }, (_, i) => arena.bytes(hashes + HASH_BYTES * i, HASH_BYTES).slice()),
    sums: [...new BigUint64Array(kernels.memory.buffer, sums, count)],
  };
  expect(arena.bytes(hashes + HASH_BYTES * count, HASH_BYTES).every((byte) => byte === 0x5a)).to.equal(true);
  arena.release(mark);
  return result;
}

/** Chunk sizes of the protocol as bytes of a leaf; counts that leave lanes without a message of their own. */
const leaves = (sizes: readonly number[]) =>
  fc
    .record({ leafBytes: fc.constantFrom(...sizes), count: fc.integer({ min: 1, max: 11 }) })
    .chain(({ leafBytes, count }) =>
      fc
        .oneof(
          fc.uint8Array({ minLength: leafBytes * count, maxLength: leafBytes * count }),
          fc.constantFrom(0x00, 0x80, 0xff).map((byte) => new Uint8Array(leafBytes * count).fill(byte)),
        )
        .map((bytes) => ({ leafBytes, count, bytes })),
    );

const chunksOf = (bytes: Uint8Array, size: number) =>
  Array.from({ length: bytes.length / size }, (_, i) => bytes.slice(i * size, (i + 1) * size));

describe('kernels of sha256', () => {
  it('hash update leaves and add their squares as the plain reference does', () => {
    fc.assert(
      fc.property(leaves([32, 64, 128, 512, 1024, 8192]), ({ leafBytes, count, bytes }) => {
        const expected = chunksOf(bytes, leafBytes).map(updateLeaf);
        for (const either of [kernel, oneByOne]) {
          const got = hashed(bytes, count, (data, hashes, sums) =>
            either.updateLeaves(data, leafBytes, count, hashes, sums),
          );
          expect(got.hashes).to.deep.equal(expected.map(({ hash }) => new Uint8Array(hash)));
          expect(got.sums).to.deep.equal(expected.map(({ sum }) => sum));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('know the square of -32768, whose pair is 2^31', () => {
    const bytes = new Uint8Array(new Int16Array(4096).fill(-32768).buffer);
    const { sums } = hashed(bytes, 1, (data, hashes, at) => kernel.updateLeaves(data, 8192, 1, hashes, at));
    expect(sums).to.deep.equal([2n ** 42n]);
  });

  it('hash model leaves as the plain reference does', () => {
    fc.assert(
      fc.property(leaves([64, 128, 1024, 3072, 16384]), ({ leafBytes, count, bytes }) => {
        const expected = chunksOf(bytes, leafBytes).map((chunk) => new Uint8Array(modelLeaf(chunk)));
        for (const either of [kernel, oneByOne]) {
          const got = hashed(bytes, count, (data, hashes) => either.modelLeaves(data, leafBytes, count, hashes));
          expect(got.hashes).to.deep.equal(expected);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('join nodes, as many trees as there are, as the plain reference does', () => {
    const node = fc.record({
      hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      sum: fc.bigInt({ min: 0n, max: 2n ** 64n / 33n }),
    });
    fc.assert(
      fc.property(fc.array(node, { minLength: 1, maxLength: 33 }), fc.integer({ min: 0, max: 5 }), (nodes, asked) => {
        const levels = Math.min(asked, treeDepth(nodes.length));
        const count = nodes.length - (nodes.length % 2 ** levels);
        if (count === 0) return;
        const used = nodes.slice(0, count);
        const bytes = new Uint8Array(count * 40);
        used.forEach(({ hash, sum }, i) => {
          bytes.set(hash, 32 * i);
          new DataView(bytes.buffer).setBigUint64(32 * count + 8 * i, sum, true);
        });
        let sumNodes: SumNode[] = used;
        let hashes: Uint8Array[] = used.map(({ hash }) => hash);
        for (let level = 0; level < levels; level++) {
          sumNodes = pairs(sumNodes).map(([left, right]) => merkleSumKind.join(left, right));
          hashes = pairs(hashes).map(([left, right]) => merkleKind.join(left, right));
        }
        const update = hashed(bytes, sumNodes.length, (data, into, sums) => {
          kernel.joinUpdateNodes(data, data + 32 * count, count, levels);
          arena.bytes(into, 32 * sumNodes.length).set(arena.bytes(data, 32 * sumNodes.length));
          arena.bytes(sums, 8 * sumNodes.length).set(arena.bytes(data + 32 * count, 8 * sumNodes.length));
        });
        expect(update.hashes).to.deep.equal(sumNodes.map(({ hash }) => new Uint8Array(hash)));
        expect(update.sums).to.deep.equal(sumNodes.map(({ sum }) => sum));
        const model = hashed(bytes, hashes.length, (data, into) => {
          kernel.joinModelNodes(data, count, levels);
          arena.bytes(into, 32 * hashes.length).set(arena.bytes(data, 32 * hashes.length));
        });
        expect(model.hashes).to.deep.equal(hashes.map((hash) => new Uint8Array(hash)));
      }),
      { numRuns: 80 },
    );
  });
});

function pairs<T>(items: readonly T[]): [T, T][] {
  return Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i]!, items[2 * i + 1]!]);
}
