import { createHash } from 'node:crypto';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CarReader, CarWriter } from '@ipld/car';
import { expect } from 'chai';
import { CID } from 'multiformats/cid';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { LEAF_BYTES } from '../../protocol/encoding/unixfsFile.ts';
import { encodeCarHeader, CarReader as NarrowReader } from '../../storage/car.ts';
import { openCarFile, writeCarFile } from '../../storage/carFile.ts';
import { openPayloadStore, type PayloadStore } from '../../storage/payloadStore.ts';
import { fetchPayload } from '../../storage/sourceList.ts';
import { collect, errorOf, inPieces, MIB, sameBytes, testBytes, useTemporaryFolder } from './helpers.ts';

describe('evidence bundles', () => {
  const folder = useTemporaryFolder();
  let store: PayloadStore;
  let path: string;
  const big = testBytes(2 * LEAF_BYTES + 10);
  const payloads = [
    testBytes(100, 'index'),
    big,
    testBytes(0),
    testBytes(LEAF_BYTES, 'leaf'),
    big.subarray(0, LEAF_BYTES),
  ];
  const roots = payloads.map(payloadCid);

  beforeEach(async () => {
    store = await openPayloadStore(join(folder(), 'payloads'));
    for (const payload of payloads) await store.put(payload);
    path = join(folder(), 'bundle.car');
  });

  it('gives back every payload, verified, in the order of the roots', async () => {
    const bytes = await writeCarFile(path, store, [...roots, ...roots]);
    expect(bytes).to.equal((await readFile(path)).length);
    const bundle = await openCarFile(path);
    expect(bundle.roots).to.deep.equal(roots);
    for (const [i, payload] of payloads.entries()) {
      expect(sameBytes(await bundle.readAll(roots[i] as string, { maxBytes: MIB * 4 }), payload)).to.equal(true);
    }
    await errorOf(bundle.readAll(roots[1] as string, { maxBytes: 10 }), 'PAYLOAD_TOO_LARGE');
    await errorOf(bundle.readAll(payloadCid(testBytes(7, 'other')), { maxBytes: 10 }), 'BLOCK_MISSING');
    await bundle.close();
  });

  it('holds a shared block once, and IPLD tools read it', async () => {
    await writeCarFile(path, store, roots);
    const reader = await CarReader.fromBytes(await readFile(path));
    expect((await reader.getRoots()).map(String)).to.deep.equal(roots);
    const cids: string[] = [];
    for await (const { cid, bytes } of reader.blocks()) {
      expect(sameBytes(createHash('sha256').update(bytes).digest(), cid.multihash.digest)).to.equal(true);
      cids.push(cid.toString());
    }
    expect(new Set(cids).size).to.equal(cids.length);
    expect(cids).to.have.length(7); // index, big's node and its three leaves, the empty one, the last; big's first leaf once
  });

  it('reads bundles that another program wrote', async () => {
    const { writer, out } = CarWriter.create(roots.slice(0, 1).map((root) => CID.parse(root)));
    const written = collect(out);
    await writer.put({ cid: CID.parse(roots[0] as string), bytes: payloads[0] as Uint8Array });
    await writer.close();
    await writeFile(path, await written);
    const bundle = await openCarFile(path);
    expect(sameBytes(await bundle.readAll(roots[0] as string, { maxBytes: MIB }), payloads[0] as Uint8Array)).to.equal(
      true,
    );
    await bundle.close();
  });

  it('is a source like any other', async () => {
    await writeCarFile(path, store, roots);
    const bundle = await openCarFile(path);
    const other = await openPayloadStore(join(folder(), 'other'));
    const fetched = await fetchPayload(roots[1] as string, [bundle], { store: other, expectedBytes: big.length });
    expect(fetched.source).to.equal(`bundle ${path}`);
    expect(sameBytes(await other.readAll(roots[1] as string), big)).to.equal(true);
    await bundle.close();
  });

  it('a changed byte is found when the payload is read, wherever it is', async () => {
    await writeCarFile(path, store, roots);
    const bytes = await readFile(path);
    for (const position of [bytes.length - 1, bytes.length - LEAF_BYTES - 1, 700_000]) {
      const copy = Buffer.from(bytes);
      copy[position] = (copy[position] ?? 0) ^ 4;
      await writeFile(path, copy);
      const bundle = await openCarFile(path);
      let failed = 0;
      for (const root of bundle.roots) {
        await bundle.readAll(root, { maxBytes: MIB * 4 }).catch((error: { code: string }) => {
          // in a block, or in the CID before it
          expect(error.code).to.be.oneOf(['BLOCK_MISMATCH', 'BLOCK_MISSING']);
          failed++;
        });
      }
      expect(failed).to.be.greaterThan(0);
      await bundle.close();
    }
  });

  it('a cut bundle, a file that is no bundle and a missing one are clear errors', async () => {
    await writeCarFile(path, store, roots);
    const length = (await readFile(path)).length;
    for (const cut of [1, 500_000]) {
      await truncate(path, length - cut);
      expect((await errorOf(openCarFile(path), 'CAR_TRUNCATED')).message).to.contain(path);
    }
    await writeFile(path, 'This is not a bundle. '.repeat(20));
    expect((await errorOf(openCarFile(path), 'CAR_INVALID')).message).to.contain(path);
    await errorOf(openCarFile(join(folder(), 'nowhere.car')), 'CAR_FILE');
  });

  it('leaves the old file whole when a payload is missing', async () => {
    await writeCarFile(path, store, roots);
    const before = await readFile(path);
    await errorOf(writeCarFile(path, store, [...roots, payloadCid(testBytes(8, 'missing'))]), 'PAYLOAD_MISSING');
    expect(sameBytes(await readFile(path), before)).to.equal(true);
    expect(await readdir(folder())).to.have.members(['payloads', 'bundle.car']);
  });

  it('headers of any number of roots agree with IPLD', async () => {
    for (const count of [0, 1, 23, 24, 255, 256, 300]) {
      const many = Array.from({ length: count }, (_, i) => payloadCid(testBytes(4, `root ${i}`)));
      const header = encodeCarHeader(many);
      const { writer, out } = CarWriter.create(many.map((root) => CID.parse(root)));
      const theirs = collect(out);
      await writer.close();
      expect(sameBytes(header, await theirs), `${count} roots`).to.equal(true);
      const pieces = inPieces(header, 1000)[Symbol.asyncIterator]();
      const reader = new NarrowReader(async () => (await pieces.next()).value, 'test');
      expect(await reader.header()).to.deep.equal(many);
      expect(await reader.section()).to.equal(undefined);
    }
  });
});
