import { expect } from 'chai';
import fc from 'fast-check';
import { ChunkReader } from '../../aggregator/chunkReader.ts';
import { expectError } from '../client/support/expectError.ts';

async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const cut of cuts) {
    const to = Math.min(bytes.length, from + cut);
    yield bytes.subarray(from, to);
    from = to;
  }
  yield bytes.subarray(from);
}

describe('aggregator: ChunkReader', () => {
  it('gives the same chunks however the stream is cut', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 0, max: 12 }),
      fc.array(fc.integer({ min: 0, max: 90 }), { maxLength: 12 }),
      async (chunkBytes, count, cuts) => {
        const bytes = Uint8Array.from({ length: chunkBytes * count }, (_, i) => (i * 37) % 251);
        const reader = new ChunkReader(pieces(bytes, cuts), chunkBytes);
        for (let chunk = 0; chunk < count; chunk++) {
          const next = await reader.next();
          expect(next).to.deep.equal(bytes.slice(chunk * chunkBytes, (chunk + 1) * chunkBytes));
          expect(next.byteOffset, 'aligned for any typed array').to.equal(0);
        }
        await expectError(() => reader.next(), 'PAYLOAD_LENGTH');
      },
    );
    await fc.assert(property, { numRuns: 150 });
  });

  it('a stream that ends within a chunk is an error that says how much was there', async () => {
    const reader = new ChunkReader(pieces(new Uint8Array(13), [5]), 8);
    await reader.next();
    await expectError(() => reader.next(), 'PAYLOAD_LENGTH', /Expected: 8 bytes\n {2}Received: 5 bytes/);
  });

  it('close ends the stream, so that it frees what it holds', async () => {
    let freed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(4);
      } finally {
        freed = true;
      }
    }
    const reader = new ChunkReader(endless(), 8);
    await reader.next();
    await reader.close();
    expect(freed).to.equal(true);
  });
});
