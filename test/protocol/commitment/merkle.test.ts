import { expect } from 'chai';
import fc from 'fast-check';
import {
  commitModel,
  ModelCommitter,
  modelLeaf,
  proveModelChunk,
  verifyModelChunk,
} from '../../../protocol/commitment/merkle.ts';
import { commitUpdate } from '../../../protocol/commitment/merkleSum.ts';
import { fromHex, type Hex, toHex } from '../../../protocol/encoding/bytes.ts';
import { type VectorLayout, vectorLayout } from '../../../protocol/encoding/layout.ts';
import { decodeModel, encodeModel, viewInt32 } from '../../../protocol/encoding/vectors.ts';
import { chunkSize, int32, runs } from '../support/arbitraries.ts';
import { loadVectors } from '../support/vectors.ts';

interface Proof {
  readonly index: number;
  readonly chunk: Hex;
  readonly pathHashes: Hex[];
}
interface Case extends VectorLayout {
  readonly name: string;
  readonly payload: Hex;
  readonly root: Hex;
  readonly proofs: Proof[];
}
interface Refused extends Proof, Omit<VectorLayout, 'dimension'> {
  readonly name: string;
  readonly reason: string;
  readonly root: Hex;
}
const { cases, refused, refusedByLayout } = loadVectors<Case, Refused>('merkle.json');

function chunkOf(payload: Uint8Array, layout: VectorLayout, index: number): Uint8Array {
  return payload.slice(index * layout.chunkSize * 4, (index + 1) * layout.chunkSize * 4);
}

describe('Merkle commitments of models', () => {
  for (const vector of cases) {
    it(`vector: ${vector.name}`, () => {
      const layout = vectorLayout(vector.dimension, vector.chunkSize);
      const payload = fromHex(vector.payload);
      expect(commitModel(decodeModel(payload, layout), layout)).to.equal(vector.root);
      for (const { index, chunk, pathHashes } of vector.proofs) {
        const made = proveModelChunk(payload, layout, index);
        expect(made.path.map(toHex)).to.deep.equal(pathHashes);
        const read = { index, path: pathHashes.map(fromHex) };
        expect(verifyModelChunk(vector.root, layout, fromHex(chunk), read)).to.equal(true);
      }
    });
  }

  for (const vector of [...refused, ...refusedByLayout]) {
    it(`refused: ${vector.name} (${vector.reason})`, () => {
      const layout = { dimension: vector.chunkCount * vector.chunkSize, ...vector };
      const proof = { index: vector.index, path: vector.pathHashes.map(fromHex) };
      expect(verifyModelChunk(vector.root, layout, fromHex(vector.chunk), proof)).to.equal(false);
    });
  }

  it('do not depend on how the model arrives, and refuse a proof with any bit changed', () => {
    const models = fc.array(int32, { minLength: 1, maxLength: 150 });
    fc.assert(
      fc.property(models, chunkSize, fc.nat(), fc.nat(), (values, size, pick, bit) => {
        const layout = vectorLayout(values.length, size);
        const model = Int32Array.from(values);
        const payload = encodeModel(model, layout);
        const root = commitModel(model, layout);
        const committer = new ModelCommitter(layout);
        for (let c = 0; c < layout.chunkCount; c++) committer.append(viewInt32(chunkOf(payload, layout, c)));
        expect(committer.finish()).to.equal(root);

        const index = pick % layout.chunkCount;
        const chunk = chunkOf(payload, layout, index);
        const proof = proveModelChunk(payload, layout, index);
        expect(verifyModelChunk(root, layout, chunk, proof)).to.equal(true);
        const flip = (bytes: Uint8Array) =>
          bytes.map((byte, i) => (i === (bit >> 3) % bytes.length ? byte ^ (1 << (bit & 7)) : byte));
        expect(verifyModelChunk(toHex(flip(fromHex(root))), layout, chunk, proof)).to.equal(false);
        expect(verifyModelChunk(root, layout, flip(chunk), proof)).to.equal(false);
        for (let level = 0; level < layout.depth; level++) {
          const path = proof.path.map((hash, i) => (i === level ? flip(hash) : hash));
          expect(verifyModelChunk(root, layout, chunk, { index, path })).to.equal(false);
          expect(verifyModelChunk(root, layout, chunk, { index: index ^ (1 << level), path: proof.path })).to.equal(
            false,
          );
        }
      }),
      runs(40),
    );
  });

  it('have one spelling: a sibling is 32 bytes', () => {
    const layout = vectorLayout(32, 16);
    const opened = (k: number) => {
      const payload = encodeModel(
        Int32Array.from({ length: 32 }, (_, i) => (i === 16 ? k : 1)),
        layout,
      );
      return { payload, path: proveModelChunk(payload, layout, 0).path };
    };
    let k = 0;
    while (opened(k).path[0]![31] !== 0) k++; // a sibling that ends in a zero byte: one byte short hashes the same
    const { payload, path } = opened(k);
    const root = commitModel(decodeModel(payload, layout), layout);
    const verify = (sibling: Uint8Array) =>
      verifyModelChunk(root, layout, chunkOf(payload, layout, 0), { index: 0, path: [sibling] });
    expect(verify(path[0]!)).to.equal(true);
    expect(verify(path[0]!.slice(0, 31))).to.equal(false);
    expect(verify(Uint8Array.of(...path[0]!, 0))).to.equal(false);
  });

  it('never throw on what an attacker sends', () => {
    const layout = vectorLayout(70, 16);
    const index = fc.oneof(fc.integer({ min: -1, max: 9 }), fc.double());
    const path = fc.array(fc.uint8Array({ maxLength: 33 }), { maxLength: 5 });
    const root = toHex(modelLeaf(new Uint8Array(64)));
    fc.assert(
      fc.property(index, path, fc.uint8Array({ maxLength: 70 }), (at, hashes, chunk) => {
        expect(verifyModelChunk(root, layout, chunk, { index: at, path: hashes })).to.equal(false);
      }),
      runs(200),
    );
  });

  it('are never the commitment of an update, whatever the bytes', () => {
    const layout = vectorLayout(32, 16);
    expect(commitModel(new Int32Array(32), layout)).to.not.equal(commitUpdate(new Uint8Array(64), layout).root);
  });
});
