import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { keccak256 as viemKeccak256 } from 'viem';
import { abiUint, abiWord, keccak256 } from '../../../protocol/commitment/keccak.ts';
import { sha256 as nodeSha256 } from '../../../protocol/commitment/sha256.node.ts';
import { sha256 as portableSha256 } from '../../../protocol/commitment/sha256.portable.ts';
import { toHex } from '../../../protocol/encoding/bytes.ts';
import { runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';

describe('hashes', () => {
  it('SHA-256 is FIPS 180-4, in Node and in the portable version alike', () => {
    const abc = new TextEncoder().encode('abc');
    const digest = '0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(toHex(nodeSha256(abc))).to.equal(digest);
    expect(toHex(portableSha256(abc))).to.equal(digest);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const plain = createHash('sha256').update(bytes).digest('hex');
        expect(toHex(nodeSha256(bytes))).to.equal(`0x${plain}`);
        expect(toHex(portableSha256(bytes))).to.equal(`0x${plain}`);
      }),
      runs(100),
    );
  });

  it('Keccak-256 is the one of Ethereum', () => {
    expect(keccak256(new Uint8Array())).to.equal('0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(keccak256(bytes)).to.equal(viemKeccak256(bytes));
      }),
      runs(50),
    );
  });

  it('ABI words are 32 bytes, filled from the left', () => {
    expect(toHex(abiUint(258))).to.equal(`0x${'00'.repeat(30)}0102`);
    expect(toHex(abiWord(`0x${'ab'.repeat(20)}`))).to.equal(`0x${'00'.repeat(12)}${'ab'.repeat(20)}`);
    expectAssayError('UINT_RANGE', () => abiUint(-1));
    expectAssayError('UINT_RANGE', () => abiUint(2n ** 256n));
  });

  it('a root or an address that lost a byte is refused, not padded', () => {
    for (const length of [0, 19, 21, 31, 33]) expectAssayError('ABI_WORD', () => abiWord(`0x${'11'.repeat(length)}`));
  });
});
