import { expect } from 'chai';
import fc from 'fast-check';
import { encodeAbiParameters, parseAbiParameters, keccak256 as viemKeccak256 } from 'viem';
import { fromHex, type Hex, toHex, ZERO_HASH } from '../../../protocol/encoding/bytes.ts';
import { type Publication, publicationHash } from '../../../protocol/round/publication.ts';
import {
  accumulate,
  accumulateAll,
  rowOrder,
  type Submission,
  voidedIndices,
} from '../../../protocol/round/submission.ts';
import { runs } from '../support/arbitraries.ts';
import { loadVectors } from '../support/vectors.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const submission: fc.Arbitrary<Submission> = fc.record({
  index: fc.nat({ max: 99 }),
  participant: bytes(20).map(toHex),
  root: bytes(32).map(toHex),
  normSq: fc.bigInt(0n, 2n ** 64n - 1n),
  cid: bytes(36),
});

describe('the accumulator of reveals', () => {
  type Reveal = Omit<Submission, 'normSq' | 'cid'> & { normSq: string; cid: Hex; accumulator: Hex };
  const { cases } = loadVectors<{ name: string; reveals: Reveal[]; accumulator: Hex }>('accumulator.json');

  for (const { name, reveals, accumulator } of cases) {
    it(`vector: ${name}`, () => {
      const submissions = reveals.map((r) => ({ ...r, normSq: BigInt(r.normSq), cid: fromHex(r.cid) }));
      let running = ZERO_HASH;
      for (const [i, one] of submissions.entries()) {
        running = accumulate(running, one);
        expect(running).to.equal(reveals[i]!.accumulator);
      }
      expect(running).to.equal(accumulator);
      expect(accumulateAll(submissions)).to.equal(accumulator);
    });
  }

  it('is what an independent ABI encoder makes of the same fields', () => {
    const layout = parseAbiParameters('bytes32, uint16, address, bytes32, uint64, bytes32');
    fc.assert(
      fc.property(bytes(32).map(toHex), submission, (acc, s) => {
        const encoded = encodeAbiParameters(layout, [
          acc,
          s.index,
          s.participant,
          s.root,
          s.normSq,
          viemKeccak256(s.cid),
        ]);
        expect(accumulate(acc, s)).to.equal(viemKeccak256(encoded));
      }),
      runs(40),
    );
  });
});

describe('the rows of a round', () => {
  it('stand by participant index whatever the order of reveals, without the void ones', () => {
    const several = fc.uniqueArray(submission, { selector: ({ index }) => index, maxLength: 12 });
    fc.assert(
      fc.property(several, fc.bigInt(0n, 2n ** 100n - 1n), (reveals, bitmap) => {
        const voided = voidedIndices(bitmap);
        const rows = rowOrder(reveals, voided);
        expect(rows).to.deep.equal(rowOrder([...reveals].reverse(), voided));
        const indices = rows.map(({ index }) => index);
        expect(indices).to.deep.equal([...indices].sort((a, b) => a - b));
        const bits = bitmap.toString(2).split('').reverse();
        const valid = reveals.map(({ index }) => index).filter((index) => bits[index] !== '1');
        expect(new Set(indices)).to.deep.equal(new Set(valid));
      }),
      runs(60),
    );
    expect([...voidedIndices(0b1000000001010n)]).to.deep.equal([1, 3, 12]);
    expect([...voidedIndices(1n << 255n)]).to.deep.equal([255]);
  });

  it('do not reorder the list they are taken from', () => {
    const one: Submission = { index: 5, participant: '0x', root: '0x', normSq: 0n, cid: new Uint8Array() };
    const list = [one, { ...one, index: 2 }];
    expect(rowOrder(list).map(({ index }) => index)).to.deep.equal([2, 5]);
    expect(list.map(({ index }) => index)).to.deep.equal([5, 2]);
  });
});

describe('the hash of a publication', () => {
  type Case = Omit<Publication, 'modelCid' | 'evidenceCid'> & {
    name: string;
    modelCid: Hex;
    evidenceCid: Hex;
    publicationHash: Hex;
  };
  const { cases } = loadVectors<Case>('publicationHash.json');

  for (const { name, publicationHash: expected, modelCid, evidenceCid, ...roots } of cases) {
    it(`vector: ${name}`, () => {
      const publication = { ...roots, modelCid: fromHex(modelCid), evidenceCid: fromHex(evidenceCid) };
      expect(publicationHash(publication)).to.equal(expected);
    });
  }

  it('is what an independent ABI encoder makes of the struct', () => {
    const layout = parseAbiParameters([
      'Publication publication',
      'struct Publication { bytes32 modelRoot; bytes32 stateRoot; bytes32 gramRoot; bytes32 mixingHash; bytes32 submissionSet; bytes modelCid; bytes evidenceCid; }',
    ]);
    const hex32 = bytes(32).map(toHex);
    const publication = fc.record({
      modelRoot: hex32,
      stateRoot: hex32,
      gramRoot: hex32,
      mixingHash: hex32,
      submissionSet: hex32,
      modelCid: fc.uint8Array({ maxLength: 70 }),
      evidenceCid: fc.uint8Array({ maxLength: 70 }),
    });
    fc.assert(
      fc.property(publication, (p) => {
        const encoded = encodeAbiParameters(layout, [
          { ...p, modelCid: toHex(p.modelCid), evidenceCid: toHex(p.evidenceCid) },
        ]);
        expect(publicationHash(p)).to.equal(viemKeccak256(encoded));
      }),
      runs(40),
    );
  });
});
