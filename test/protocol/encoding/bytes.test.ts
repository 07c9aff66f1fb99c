import { expect } from 'chai';
import fc from 'fast-check';
import { concatBytes, fromHex, toHex, uintBytes } from '../../../protocol/encoding/bytes.ts';
import { runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';

describe('bytes', () => {
  it('go to hexadecimal and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(toHex(bytes)).to.equal(`0x${Buffer.from(bytes).toString('hex')}`);
        expect(fromHex(toHex(bytes))).to.deep.equal(bytes);
        expect(fromHex(toHex(bytes).toUpperCase().replace('0X', '0x'))).to.deep.equal(bytes);
      }),
      runs(100),
    );
  });

  for (const text of ['', '00', '0x0', '0xzz', '0x00 ', ' 0x00', '0X00', '0x00\n', `0x${'g'.repeat(200)}`]) {
    it(`refuse ${JSON.stringify(text.slice(0, 12))} as hexadecimal`, () => {
      expect(expectAssayError('HEX', () => fromHex(text)).message.length).to.be.below(300);
    });
  }

  it('write unsigned integers big-endian, in exactly their field', () => {
    expect(uintBytes(0x0102n, 4)).to.deep.equal(Uint8Array.of(0, 0, 1, 2));
    expect(uintBytes(2n ** 64n - 1n, 8)).to.deep.equal(new Uint8Array(8).fill(255));
    expectAssayError('UINT_RANGE', () => uintBytes(2n ** 64n, 8));
    expectAssayError('UINT_RANGE', () => uintBytes(-1n, 8));
  });

  it('are joined in order', () => {
    const joined = concatBytes(Uint8Array.of(1), new Uint8Array(), Uint8Array.of(2, 3));
    expect(joined).to.deep.equal(Uint8Array.of(1, 2, 3));
  });
});
