import { mkdir, open, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { LEAF_BYTES } from '../../protocol/encoding/unixfsFile.ts';
import { diskFileSystem } from '../../storage/atomicFile.ts';
import { openPayloadStore, type PayloadStore } from '../../storage/payloadStore.ts';
import { collect, errorOf, inPieces, MIB, sameBytes, testBytes, useTemporaryFolder } from './helpers.ts';

/** Flips one bit of a file, as a failing disk would. */
async function flipBit(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, offset);
    byte[0] = (byte[0] ?? 0) ^ 0x10;
    await file.write(byte, 0, 1, offset);
  } finally {
    await file.close();
  }
}

describe('payload store', () => {
  const folder = useTemporaryFolder();
  let store: PayloadStore;
  beforeEach(async () => {
    store = await openPayloadStore(join(folder(), 'payloads'));
  });
  const files = (): Promise<string[]> => readdir(store.folder).then((names) => names.sort());

  for (const length of [0, 1, 1000, LEAF_BYTES - 1, LEAF_BYTES, LEAF_BYTES + 1, 3 * LEAF_BYTES, 3 * LEAF_BYTES + 7]) {
    it(`gives back ${length} bytes under the CID of IPFS, put whole or in pieces`, async () => {
      const bytes = testBytes(length);
      const stored = await store.put(bytes);
      expect(stored).to.deep.equal({ cid: payloadCid(bytes), bytes: length });
      expect(await store.put(inPieces(bytes, 70_001))).to.deep.equal(stored);
      expect(sameBytes(await store.readAll(stored.cid), bytes)).to.equal(true);
      expect(await store.stat(stored.cid)).to.deep.equal(stored);
      expect((await files()).length).to.equal(length > LEAF_BYTES ? 3 : 2); // payload, pin, and nodes if there are any
      expect(sameBytes(await readFile(join(store.folder, stored.cid)), bytes)).to.equal(true);
    });
  }

  it('yields pieces of at most one leaf, so that memory stays bounded', async () => {
    const { cid } = await store.put(testBytes(2 * LEAF_BYTES + 5));
    const lengths: number[] = [];
    for await (const piece of store.read(cid)) lengths.push(piece.length);
    expect(lengths).to.deep.equal([LEAF_BYTES, LEAF_BYTES, 5]);
  });

  it('reads any range, verified, through the blocks that cover it only', async () => {
    const bytes = testBytes(3 * LEAF_BYTES + 100);
    const { cid } = await store.put(bytes);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length), fc.nat(3000), async (offset, length) => {
        const wanted = Math.min(length, bytes.length - offset);
        const range = await store.readRange(cid, offset, wanted);
        expect(sameBytes(range, bytes.subarray(offset, offset + wanted))).to.equal(true);
      }),
      { numRuns: 30 },
    );
    const across = await store.readRange(cid, LEAF_BYTES - 10, 20);
    expect(sameBytes(across, bytes.subarray(LEAF_BYTES - 10, LEAF_BYTES + 10))).to.equal(true);
    // Damage elsewhere does not matter to the range, damage inside it does.
    await flipBit(join(store.folder, cid), 2 * LEAF_BYTES + 1);
    await store.readRange(cid, 5, 100);
    await errorOf(store.readRange(cid, 2 * LEAF_BYTES + 500, 10), 'BLOCK_MISMATCH');
    await errorOf(store.readRange(cid, bytes.length - 5, 6), 'PAYLOAD_RANGE');
  });

  for (const [what, offset] of [
    ['the first byte', 0],
    ['a byte of the second leaf', LEAF_BYTES + 17],
    ['the last byte', 2 * LEAF_BYTES + 4],
  ] as const) {
    it(`a bit that flips on the disk in ${what} is an error and never bad bytes`, async () => {
      const bytes = testBytes(2 * LEAF_BYTES + 5);
      const { cid } = await store.put(bytes);
      await flipBit(join(store.folder, cid), offset);
      let seen = 0;
      const error = await errorOf(
        (async () => {
          for await (const piece of store.read(cid)) {
            expect(sameBytes(piece, bytes.subarray(seen, seen + piece.length))).to.equal(true);
            seen += piece.length;
          }
        })(),
        'BLOCK_MISMATCH',
      );
      expect(seen).to.equal(Math.floor(offset / LEAF_BYTES) * LEAF_BYTES);
      expect(error.message).to.contain(store.folder).and.to.contain('To do:');
      await store.put(bytes); // storing it again repairs the damage
      expect(sameBytes(await store.readAll(cid), bytes)).to.equal(true);
    });
  }

  it('damage to the nodes, their loss, a shortened and a lengthened payload are errors too', async () => {
    const bytes = testBytes(2 * LEAF_BYTES + 5);
    const { cid } = await store.put(bytes);
    const path = join(store.folder, cid);
    const nodes = `${path}.nodes.car`;
    const nodesLength = (await readFile(nodes)).length;
    for (const offset of [0, 70, 100, nodesLength - 1]) {
      await flipBit(nodes, offset);
      await errorOf(store.readAll(cid));
      await flipBit(nodes, offset);
    }
    await store.readAll(cid);
    await rm(nodes);
    await errorOf(store.readAll(cid));
    await store.put(bytes);
    await truncate(path, 2 * LEAF_BYTES + 4);
    await errorOf(store.readAll(cid), 'BLOCK_MISMATCH');
    const small = await store.put(testBytes(100));
    await writeFile(join(store.folder, small.cid), testBytes(101));
    await errorOf(store.readAll(small.cid), 'BLOCK_MISMATCH');
    await writeFile(join(store.folder, small.cid), testBytes(LEAF_BYTES + 1));
    await errorOf(store.readAll(small.cid), 'BLOCK_MISMATCH');
  });

  it('refuses what is not the expected payload, is too large, or breaks off, and leaves nothing behind', async () => {
    const bytes = testBytes(LEAF_BYTES + 5);
    await errorOf(store.put(bytes, { expectedCid: payloadCid(testBytes(3)) }), 'CID_MISMATCH');
    await errorOf(store.put(inPieces(bytes, 1000), { maxBytes: LEAF_BYTES }), 'PAYLOAD_TOO_LARGE');
    const broken = store.put(
      (async function* () {
        yield bytes;
        throw new Error('the source broke');
      })(),
    );
    expect(await broken.catch((error: Error) => error.message)).to.equal('the source broke');
    expect(await files()).to.deep.equal([]);
    await store.put(bytes, { expectedCid: payloadCid(bytes), maxBytes: bytes.length });
    await errorOf(store.readAll(payloadCid(bytes), { maxBytes: bytes.length - 1 }), 'PAYLOAD_TOO_LARGE');
  });

  it('a limit on the whole store holds, also for payloads that are written at the same time', async () => {
    const limited = await openPayloadStore(join(folder(), 'small'), { maxStoreBytes: 3 * MIB });
    await limited.put(testBytes(MIB, 'a'), { pin: false });
    const both = await Promise.allSettled([
      limited.put(inPieces(testBytes(1.5 * MIB, 'b'), 10_000)),
      limited.put(inPieces(testBytes(1.5 * MIB, 'c'), 10_000)),
    ]);
    expect(both.map((result) => result.status)).to.include('rejected');
    await limited.collectGarbage();
    await errorOf(limited.put(testBytes(4 * MIB)), 'STORE_FULL');
    // A new process counts what is there.
    const again = await openPayloadStore(limited.folder, { maxStoreBytes: MIB });
    if (both.some((result) => result.status === 'fulfilled'))
      await errorOf(again.put(testBytes(10, 'd')), 'STORE_FULL');
  });

  it('a full disk stores nothing and says so', async () => {
    let writes = 0;
    const full = await openPayloadStore(join(folder(), 'full'), {
      fileSystem: {
        ...diskFileSystem,
        open: async (path, flags, mode) => {
          const file = await diskFileSystem.open(path, flags, mode);
          const original = file.writeFile.bind(file);
          file.writeFile = async (data) => {
            if (++writes > 2) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
            await original(data);
          };
          return file;
        },
      },
    });
    const error = await errorOf(full.put(testBytes(4 * LEAF_BYTES)), 'DISK_FULL');
    expect(error.message).to.contain('free some space');
    expect(await readdir(full.folder)).to.deep.equal([]);
  });

  it('keeps what is pinned, removes the rest, and readers at work finish', async () => {
    const kept = await store.put(testBytes(10, 'kept'));
    const dropped = await store.put(testBytes(2 * LEAF_BYTES, 'dropped'), { pin: false });
    const unpinned = await store.put(testBytes(30, 'unpinned'));
    await store.unpin(unpinned.cid);
    expect(await store.pins()).to.deep.equal([kept.cid]);
    const reading = store.read(dropped.cid);
    const first = (await reading.next()).value as Uint8Array;
    const { removed, freedBytes } = await store.collectGarbage();
    expect(removed.sort()).to.deep.equal([dropped.cid, unpinned.cid].sort());
    expect(freedBytes).to.be.greaterThan(2 * LEAF_BYTES + 30 - 1);
    const rest = await collect(reading);
    expect(first.length + rest.length).to.equal(2 * LEAF_BYTES);
    expect(await store.list()).to.deep.equal([kept.cid]);
    expect(await store.has(dropped.cid)).to.equal(false);
    const error = await errorOf(store.readAll(dropped.cid), 'PAYLOAD_MISSING');
    expect(error.message).to.contain(dropped.cid);
  });

  it('finds a block inside a payload by its own CID', async () => {
    const bytes = testBytes(2 * LEAF_BYTES + 5);
    const { cid } = await store.put(bytes);
    const leaf = payloadCid(bytes.subarray(LEAF_BYTES, 2 * LEAF_BYTES));
    expect(sameBytes((await store.block(leaf)) as Uint8Array, bytes.subarray(LEAF_BYTES, 2 * LEAF_BYTES))).to.equal(
      true,
    );
    expect((await store.block(cid))?.length).to.be.lessThan(300); // the root node
    expect(await store.block(payloadCid(testBytes(9, 'elsewhere')))).to.equal(undefined);
    const later = testBytes(LEAF_BYTES + 1, 'later');
    await store.put(later);
    expect((await store.block(payloadCid(later.subarray(LEAF_BYTES))))?.length).to.equal(1);
    await flipBit(join(store.folder, cid), LEAF_BYTES + 1);
    await errorOf(store.block(leaf), 'BLOCK_MISMATCH');
  });

  it('never leaves its folder, whatever the name', async () => {
    await mkdir(join(folder(), 'outside'));
    for (const name of ['../outside', '..', '', '.', 'a/b', `${payloadCid(testBytes(1))}/..`]) {
      await errorOf(store.readAll(name), 'CID_INVALID');
      await errorOf(store.pin(name), 'CID_INVALID');
    }
  });

  it('sweeps away what a crash left half-written long ago, and nothing that may still be written', async () => {
    const old = join(store.folder, 'incoming.00.partial');
    await writeFile(old, 'x');
    await writeFile(join(store.folder, 'incoming.01.partial'), 'y');
    await utimes(old, new Date(0), new Date(0));
    await openPayloadStore(store.folder);
    expect(await files()).to.deep.equal(['incoming.01.partial']);
  });
});
