import { expect } from 'chai';
import fc from 'fast-check';
import { BulkHasher } from '../../../protocol/commitment/bulkHasher.ts';
import { commitModel, ModelCommitter } from '../../../protocol/commitment/merkle.ts';
import { commitUpdate, UpdateCommitter } from '../../../protocol/commitment/merkleSum.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { encodeUpdate } from '../../../protocol/encoding/vectors.ts';
import { loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import { coordinate, int32, runs } from '../support/arbitraries.ts';

const kernels = loadKernels();
const hasher = new BulkHasher(kernels);

/** Vectors whose values repeat with a period of their own: long ones cost nothing to make. */
const vector = (value: fc.Arbitrary<number>) =>
  fc
    .tuple(fc.array(value, { minLength: 1, maxLength: 37 }), fc.integer({ min: 1, max: 9000 }))
    .map(([values, d]) => Array.from({ length: d }, (_, k) => values[k % values.length]!));

/** Cuts `count` items into portions of the sizes that `sizes` repeats. */
function portions(count: number, sizes: readonly number[]): [number, number][] {
  const cuts: [number, number][] = [];
  for (let at = 0, i = 0; at < count; i++) {
    const next = Math.min(count, at + sizes[i % sizes.length]!);
    cuts.push([at, next]);
    at = next;
  }
  return cuts;
}

const sizes = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 5 });
const chunkSize = fc.constantFrom(16, 32, 256, 1024, 4096);

describe('bulk hashing', () => {
  it('commits to an update as the plain reference does, in whatever portions it arrives', () => {
    fc.assert(
      fc.property(vector(coordinate), chunkSize, sizes, (values, size, cuts) => {
        const layout = vectorLayout(values.length, size);
        const payload = encodeUpdate(Int16Array.from(values), layout);
        const plain = commitUpdate(payload, layout);
        expect(commitUpdate(payload, layout, hasher)).to.deep.equal(plain);
        const committer = new UpdateCommitter(layout, hasher);
        for (const [from, to] of portions(layout.chunkCount, cuts)) {
          committer.appendChunks(payload.subarray(from * size * 2, to * size * 2));
        }
        expect(committer.finish()).to.deep.equal(plain);
      }),
      runs(40),
    );
  });

  it('commits to a model and to a state of several planes as the plain reference does', () => {
    fc.assert(
      fc.property(vector(int32), chunkSize, sizes, fc.constantFrom(1, 3), (values, size, cuts, planes) => {
        const layout = vectorLayout(values.length, size);
        const model = Int32Array.from(values);
        if (planes === 1) expect(commitModel(model, layout, hasher)).to.equal(commitModel(model, layout));
        const leaf = size * planes;
        const state = Int32Array.from({ length: layout.chunkCount * leaf }, (_, k) => values[k % values.length]!);
        const plain = new ModelCommitter(layout);
        for (let c = 0; c < layout.chunkCount; c++) plain.append(state.subarray(c * leaf, (c + 1) * leaf));
        for (const committer of [new ModelCommitter(layout, hasher), new ModelCommitter(layout)]) {
          for (const [from, to] of portions(layout.chunkCount, cuts)) {
            committer.appendChunks(state.subarray(from * leaf, to * leaf), planes);
          }
          expect(committer.finish()).to.equal(plain.finish());
        }
      }),
      runs(40),
    );
  });

  it('takes single chunks between portions', () => {
    const layout = vectorLayout(16 * 41, 16);
    const payload = encodeUpdate(new Int16Array(16 * 41).fill(-7), layout);
    const committer = new UpdateCommitter(layout, hasher);
    committer.append(payload.subarray(0, 32));
    committer.appendChunks(payload.subarray(32, 32 * 40));
    committer.append(payload.subarray(32 * 40));
    expect(committer.finish()).to.deep.equal(commitUpdate(payload, layout));
  });

  it('refuses more chunks than the layout has', () => {
    const layout = vectorLayout(16 * 4, 16);
    const committer = new UpdateCommitter(layout, hasher);
    expect(() => committer.appendChunks(new Uint8Array(32 * 5))).to.throw(/more chunks than its layout/);
  });
});
