import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { payloadRange } from '../../aggregator/payloadRange.ts';
import { StoredStream } from '../../aggregator/storedStream.ts';
import { openPayloadStore, type PayloadStore } from '../../storage/payloadStore.ts';
import { expectError } from '../client/support/expectError.ts';

describe('aggregator: payloads by range, and piece by piece', () => {
  let folder: string;
  let store: PayloadStore;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-range-'));
    store = await openPayloadStore(folder);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const bytes = Uint8Array.from({ length: 2_500_003 }, (_, i) => (i * 37 + (i >> 8)) & 0xff);

  it('gives the same bytes however they are asked for, over the edges of blocks, twice over', async () => {
    const { cid } = await store.put(bytes);
    const property = fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 900_000 }), { minLength: 1, maxLength: 6 }),
      fc.nat({ max: 2_000_000 }),
      async (lengths, from) => {
        const range = payloadRange(store, cid);
        for (const start of [0, from]) {
          let offset = start;
          for (const length of lengths) {
            if (offset + length > bytes.length) break;
            const into = new Uint8Array(length);
            await range.read(offset, into);
            expect(Buffer.compare(into, bytes.subarray(offset, offset + length))).to.equal(0);
            offset += length;
          }
        }
        await range.close();
      },
    );
    await fc.assert(property, { numRuns: 25 });
  });

  it('a payload that ends within a range is an error that says how much was there', async () => {
    const { cid } = await store.put(bytes.subarray(0, 13));
    const range = payloadRange(store, cid);
    await range.read(0, new Uint8Array(8));
    await expectError(
      () => range.read(8, new Uint8Array(8)),
      'PAYLOAD_LENGTH',
      /at least 16 bytes\n {2}Received: 13 b/,
    );
    await range.close();
  });

  it('bytes that changed on the disk are never given', async () => {
    const { cid } = await store.put(bytes.map((byte) => byte ^ 1));
    const path = join(folder, cid);
    const stored = await readFile(path);
    stored[1_200_000] = stored[1_200_000]! ^ 4;
    await writeFile(path, stored);
    const range = payloadRange(store, cid);
    await range.read(0, new Uint8Array(1_000_000));
    await expectError(() => range.read(1_000_000, new Uint8Array(100_000)), 'BLOCK_MISMATCH');
    await range.close();
  });

  it('what is written piece by piece is stored as one payload, though its memory is used again', async () => {
    const stream = new StoredStream(store);
    const memory = new Uint8Array(300_000);
    for (let from = 0; from < bytes.length; from += memory.length) {
      const part = bytes.subarray(from, from + memory.length);
      memory.set(part);
      await stream.write(memory.subarray(0, part.length));
      memory.fill(99);
    }
    expect((await stream.finish()).cid).to.equal((await store.put(bytes)).cid);
    expect((await new StoredStream(store).finish()).bytes).to.equal(0);
  });

  it('a stream that is given up leaves nothing behind', async () => {
    const before = await store.list();
    const stream = new StoredStream(store);
    await stream.write(new Uint8Array(2_000_000).fill(5));
    await stream.abort();
    expect(await store.list()).to.deep.equal(before);
  });
});
