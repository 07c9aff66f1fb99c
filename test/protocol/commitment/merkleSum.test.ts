import { expect } from 'chai';
import fc from 'fast-check';
import {
  commitUpdate,
  proveUpdateChunk,
  type SumProof,
  type UpdateCommitment,
  UpdateCommitter,
  updateLeaf,
  verifyUpdateChunk,
} from '../../../protocol/commitment/merkleSum.ts';
import { fromHex, type Hex, toHex, ZERO_HASH } from '../../../protocol/encoding/bytes.ts';
import { type VectorLayout, vectorLayout } from '../../../protocol/encoding/layout.ts';
import { decodeUpdate, encodeUpdate } from '../../../protocol/encoding/vectors.ts';
import { chunkSize, coordinate, runs } from '../support/arbitraries.ts';
import { loadVectors, type SumProofVector, sumPath } from '../support/vectors.ts';

interface Case extends VectorLayout {
  readonly name: string;
  readonly payload: Hex;
  readonly root: Hex;
  readonly normSq: string;
  readonly proofs: SumProofVector[];
}
interface Refused extends SumProofVector, Omit<VectorLayout, 'dimension'> {
  readonly name: string;
  readonly reason: string;
  readonly root: Hex;
  readonly normSq: string;
}
const { cases, refused, refusedByLayout } = loadVectors<Case, Refused>('merkleSum.json');

function chunkOf(payload: Uint8Array, layout: VectorLayout, index: number): Uint8Array {
  return payload.slice(index * layout.chunkSize * 2, (index + 1) * layout.chunkSize * 2);
}

/** An update of a few chunks with the proof of one of them. */
const opened = fc
  .tuple(fc.array(coordinate, { minLength: 1, maxLength: 200 }), chunkSize, fc.nat())
  .map(([values, size, pick]) => {
    const layout = vectorLayout(values.length, size);
    const payload = encodeUpdate(Int16Array.from(values), layout);
    const index = pick % layout.chunkCount;
    const proof = proveUpdateChunk(payload, layout, index);
    return {
      values,
      layout,
      payload,
      index,
      proof,
      commitment: commitUpdate(payload, layout),
      chunk: chunkOf(payload, layout, index),
    };
  });

describe('Merkle-sum commitments', () => {
  for (const vector of cases) {
    it(`vector: ${vector.name}`, () => {
      const layout = vectorLayout(vector.dimension, vector.chunkSize);
      const { chunkCount, depth } = vector;
      expect(layout).to.deep.include({ chunkCount, depth });
      const payload = fromHex(vector.payload);
      const commitment = commitUpdate(payload, layout);
      expect(commitment).to.deep.equal({ root: vector.root, normSq: BigInt(vector.normSq) });
      expect(decodeUpdate(payload, layout)).to.have.length(vector.dimension);
      for (const proof of vector.proofs) {
        const made = proveUpdateChunk(payload, layout, proof.index);
        expect(made.path.map(({ hash }) => toHex(hash))).to.deep.equal(proof.pathHashes);
        expect(made.path.map(({ sum }) => String(sum))).to.deep.equal(proof.pathSums);
        expect(toHex(chunkOf(payload, layout, proof.index))).to.equal(proof.chunk);
        const read = { index: proof.index, path: sumPath(proof) };
        expect(verifyUpdateChunk(commitment, layout, fromHex(proof.chunk), read)).to.equal(true);
      }
    });
  }

  for (const vector of [...refused, ...refusedByLayout]) {
    it(`refused: ${vector.name} (${vector.reason})`, () => {
      const layout = { dimension: vector.chunkCount * vector.chunkSize, ...vector };
      const commitment = { root: vector.root, normSq: BigInt(vector.normSq) };
      const proof = { index: vector.index, path: sumPath(vector) };
      expect(verifyUpdateChunk(commitment, layout, fromHex(vector.chunk), proof)).to.equal(false);
    });
  }

  it('bind the squared norm, open every chunk, and do not depend on how the payload arrives', () => {
    fc.assert(
      fc.property(opened, ({ values, layout, payload, commitment, proof, chunk }) => {
        expect(commitment.normSq).to.equal(values.reduce((sum, value) => sum + BigInt(value) ** 2n, 0n));
        expect(verifyUpdateChunk(commitment, layout, chunk, proof)).to.equal(true);
        const committer = new UpdateCommitter(layout);
        for (let c = 0; c < layout.chunkCount; c++) committer.append(chunkOf(payload, layout, c));
        expect(committer.finish()).to.deep.equal(commitment);
      }),
      runs(50),
    );
  });

  it('refuse a proof with any bit changed, anywhere', () => {
    fc.assert(
      fc.property(opened, fc.nat(), fc.nat(), ({ layout, commitment, proof, chunk }, where, bit) => {
        // The proof as one string of bits: chunk, root, normSq, then per sibling its hash and its sum.
        const flip = (bytes: Uint8Array, at: number) =>
          bytes.map((byte, i) => (i === at >> 3 ? byte ^ (1 << (at & 7)) : byte));
        const altered: { commitment: UpdateCommitment; chunk: Uint8Array; proof: SumProof }[] = [
          { commitment, proof, chunk: flip(chunk, bit % (8 * chunk.length)) },
          { commitment: { ...commitment, root: toHex(flip(fromHex(commitment.root), bit % 256)) }, proof, chunk },
          { commitment: { ...commitment, normSq: commitment.normSq ^ (1n << BigInt(bit % 64)) }, proof, chunk },
          { commitment, chunk, proof: { ...proof, index: proof.index ^ (1 << (bit % 31)) } },
        ];
        if (proof.path.length > 0) {
          const level = where % proof.path.length;
          const { hash, sum } = proof.path[level]!;
          const replace = (sibling: { hash: Uint8Array; sum: bigint }) => ({
            ...proof,
            path: proof.path.map((old, i) => (i === level ? sibling : old)),
          });
          altered.push({ commitment, chunk, proof: replace({ hash: flip(hash, bit % 256), sum }) });
          altered.push({ commitment, chunk, proof: replace({ hash, sum: sum ^ (1n << BigInt(bit % 64)) }) });
          // The same, with the claimed norm following the altered sum.
          const moved = sum ^ (1n << BigInt(bit % 64));
          altered.push({
            commitment: { ...commitment, normSq: commitment.normSq - sum + moved },
            chunk,
            proof: replace({ hash, sum: moved }),
          });
        }
        for (const [kind, { commitment: c, chunk: bytes, proof: p }] of altered.entries()) {
          expect(verifyUpdateChunk(c, layout, bytes, p), `alteration ${kind}`).to.equal(false);
        }
      }),
      runs(60),
    );
  });

  it('open a chunk at its own position and nowhere else, for every pair of positions', () => {
    // An order-blind verifier (OpenZeppelin's MerkleProof sorts each pair) accepts all of these at any index.
    const layout = vectorLayout(16 * 7, 16);
    const payload = encodeUpdate(
      Int16Array.from({ length: 112 }, (_, i) => i),
      layout,
    );
    const commitment = commitUpdate(payload, layout);
    for (let at = 0; at < 7; at++) {
      const { path } = proveUpdateChunk(payload, layout, at);
      for (let claimed = 0; claimed < 16; claimed++) {
        for (let content = 0; content < 7; content++) {
          const ok = verifyUpdateChunk(commitment, layout, chunkOf(payload, layout, content), { index: claimed, path });
          expect(ok, `path of ${at}, index ${claimed}, chunk ${content}`).to.equal(at === claimed && at === content);
        }
      }
    }
  });

  it('have one spelling: a sibling is 32 bytes, a sum is never negative', () => {
    const layout = vectorLayout(32, 16);
    // A sibling whose hash ends in a zero byte, so that a field one byte short would hash the same.
    let payload: Uint8Array = new Uint8Array();
    let proof: SumProof = { index: 0, path: [] };
    for (let k = 0; proof.path[0]?.hash[31] !== 0; k++) {
      payload = encodeUpdate(
        Int16Array.from({ length: 32 }, (_, i) => (i === 16 ? k : 1)),
        layout,
      );
      proof = proveUpdateChunk(payload, layout, 0);
    }
    const commitment = commitUpdate(payload, layout);
    const [sibling] = proof.path as [{ hash: Uint8Array; sum: bigint }];
    const verify = (path: SumProof['path'], normSq = commitment.normSq) =>
      verifyUpdateChunk({ ...commitment, normSq }, layout, chunkOf(payload, layout, 0), { index: 0, path });
    expect(verify([sibling])).to.equal(true);
    expect(verify([{ ...sibling, hash: sibling.hash.slice(0, 31) }])).to.equal(false);
    expect(verify([{ ...sibling, hash: Uint8Array.of(...sibling.hash, 9) }])).to.equal(false);
    expect(verify([{ ...sibling, sum: -1n }], 15n)).to.equal(false);
  });

  it('never throw on what an attacker sends', () => {
    const number = fc.oneof(fc.integer({ min: -1, max: 9 }), fc.double(), fc.constantFrom(2 ** 32, 2 ** 53));
    const sibling = fc.record({ hash: fc.uint8Array({ maxLength: 33 }), sum: fc.bigInt(-1n, 2n ** 65n) });
    const layout = vectorLayout(70, 16);
    fc.assert(
      fc.property(
        number,
        fc.array(sibling, { maxLength: 5 }),
        fc.uint8Array({ maxLength: 40 }),
        (index, path, chunk) => {
          const commitment = { root: toHex(updateLeaf(new Uint8Array(32)).hash), normSq: 0n };
          expect(verifyUpdateChunk(commitment, layout, chunk, { index, path })).to.equal(false);
        },
      ),
      runs(200),
    );
    const full = new Uint8Array(32);
    const leaf = updateLeaf(full);
    const path = [3, 2, 1].map(() => ({ hash: leaf.hash, sum: 2n ** 64n - 1n }));
    expect(verifyUpdateChunk({ root: ZERO_HASH, normSq: 0n }, layout, full, { index: 0, path })).to.equal(false);
    const root = toHex(leaf.hash);
    expect(verifyUpdateChunk({ root, normSq: 3n * (2n ** 64n - 1n) }, layout, full, { index: 0, path })).to.equal(
      false,
    );
  });

  it('accept a root in capital letters, as the same bytes', () => {
    const layout = vectorLayout(16, 16);
    const payload = encodeUpdate(new Int16Array(16).fill(-5), layout);
    const { root, normSq } = commitUpdate(payload, layout);
    const shouted = `0x${root.slice(2).toUpperCase()}` as Hex;
    expect(verifyUpdateChunk({ root: shouted, normSq }, layout, payload, { index: 0, path: [] })).to.equal(true);
  });
});
