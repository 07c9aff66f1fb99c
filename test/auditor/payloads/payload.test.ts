import { expect } from 'chai';
import fc from 'fast-check';
import {
  chunksOfPayload,
  memoryPayload,
  type Payload,
  patchedPayload,
  windows,
  zeroPayload,
} from '../../../auditor/payloads/payload.ts';

/** As a file would give it: later, and at most so much at a time. */
function slowPayload(bytes: Uint8Array): Payload {
  const inner = memoryPayload(bytes);
  return {
    ...inner,
    async read(offset, into) {
      await new Promise((resolve) => setImmediate(resolve));
      await inner.read(offset, into);
    },
  };
}

const bytesAt = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 9)) & 0xff);

describe('a payload read in ranges', () => {
  it('comes in windows that hold whole pieces, one after the other to its end', async () => {
    const bytes = bytesAt(700_000);
    for (const piece of [64, 1000, 300_000]) {
      let next = 0;
      for await (const window of windows(slowPayload(bytes), piece)) {
        expect(window.offset).to.equal(next);
        next += window.bytes.length;
        if (next < bytes.length) expect(window.bytes.length % piece).to.equal(0);
        expect(Buffer.compare(window.bytes, bytes.subarray(window.offset, next))).to.equal(0);
      }
      expect(next).to.equal(bytes.length);
    }
  });

  it('gives any chunk, and chunks stay as they are when others are read', async () => {
    const bytes = bytesAt(900_000);
    const read = chunksOfPayload(slowPayload(bytes), 512);
    const asked = [0, 1, 511, 512, 3, 1757, 513, 0];
    const chunks = [];
    for (const index of asked) chunks.push(await read(index));
    for (const [i, index] of asked.entries()) {
      expect(Buffer.compare(chunks[i]!, bytes.subarray(index * 512, (index + 1) * 512))).to.equal(0);
    }
    expect((await read(1757)).length).to.equal(900_000 - 1757 * 512); // the last one, as far as it goes
  });

  it('shows patches wherever a range meets them', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(9), { maxLength: 4 }),
        fc.nat(99),
        fc.nat(100),
        async (chunks, start, length) => {
          const bytes = bytesAt(100);
          const patches = new Map(chunks.map((chunk) => [chunk, new Uint8Array(10).fill(200 + chunk)]));
          const expected = bytes.slice();
          for (const [chunk, patch] of patches) expected.set(patch, chunk * 10);
          const into = new Uint8Array(Math.min(length, 100 - start));
          await patchedPayload(slowPayload(bytes), 10, patches).read(start, into);
          expect([...into]).to.deep.equal([...expected.subarray(start, start + into.length)]);
        },
      ),
    ));

  it('of zeros is zeros', async () => {
    const into = new Uint8Array(5).fill(9);
    await zeroPayload(100).read(3, into);
    expect([...into]).to.deep.equal([0, 0, 0, 0, 0]);
  });
});
