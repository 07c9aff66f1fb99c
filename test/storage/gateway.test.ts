import { createHash } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { CarReader } from '@ipld/car';
import { expect } from 'chai';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { LEAF_BYTES } from '../../protocol/encoding/unixfsFile.ts';
import { type Gateway, startGateway } from '../../storage/gateway.ts';
import { openPayloadStore, type PayloadStore } from '../../storage/payloadStore.ts';
import { errorOf, sameBytes, testBytes, useTemporaryFolder } from './helpers.ts';

describe('trustless gateway', () => {
  const folder = useTemporaryFolder();
  let store: PayloadStore;
  let gateway: Gateway;
  const failures: unknown[] = [];
  const small = testBytes(500);
  const big = new Uint8Array(4 * LEAF_BYTES + 9); // a run of zeros: leaves 0 to 3 are one and the same block
  big.set(testBytes(9), 4 * LEAF_BYTES);
  const smallCid = payloadCid(small);
  const bigCid = payloadCid(big);

  beforeEach(async () => {
    store = await openPayloadStore(join(folder(), 'payloads'));
    await store.put(small);
    await store.put(big);
    failures.length = 0;
    gateway = await startGateway({ store, onError: (error) => failures.push(error) });
  });
  afterEach(() => gateway.close());

  const get = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${gateway.url}${path}`, init);
  const bytesOf = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer());

  /** The blocks of an answer, read and hashed by IPLD's own library: an independent reader. */
  async function carOf(response: Response): Promise<{ roots: string[]; blocks: { cid: string; bytes: Uint8Array }[] }> {
    const reader = await CarReader.fromBytes(await bytesOf(response));
    const blocks: { cid: string; bytes: Uint8Array }[] = [];
    for await (const { cid, bytes } of reader.blocks()) {
      expect(sameBytes(createHash('sha256').update(bytes).digest(), cid.multihash.digest)).to.equal(true);
      blocks.push({ cid: cid.toString(), bytes });
    }
    return { roots: (await reader.getRoots()).map(String), blocks };
  }

  it('listens on loopback only, by default', () => {
    expect(gateway.url).to.match(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('gives a block with the headers of the specification', async () => {
    const response = await get(`/ipfs/${smallCid}?format=raw`);
    expect(response.status).to.equal(200);
    expect(sameBytes(await bytesOf(response), small)).to.equal(true);
    const headers = Object.fromEntries(response.headers);
    expect(headers).to.include({
      'content-type': 'application/vnd.ipld.raw',
      'content-length': '500',
      'cache-control': 'public, max-age=29030400, immutable',
      etag: `"${smallCid}.raw"`,
      'x-ipfs-path': `/ipfs/${smallCid}`,
      'x-ipfs-roots': smallCid,
      'x-content-type-options': 'nosniff',
      'content-disposition': `attachment; filename="${smallCid}.bin"`,
      'access-control-allow-origin': '*',
    });
  });

  it('gives a CAR that an independent reader understands, with and without repeated blocks', async () => {
    const twice = await get(`/ipfs/${bigCid}?format=car`);
    expect(twice.headers.get('content-type')).to.equal('application/vnd.ipld.car; version=1; order=dfs; dups=y');
    const all = await carOf(twice);
    expect(all.roots).to.deep.equal([bigCid]);
    expect(all.blocks.map((block) => block.bytes.length).slice(1)).to.deep.equal([
      LEAF_BYTES,
      LEAF_BYTES,
      LEAF_BYTES,
      LEAF_BYTES,
      9,
    ]);
    const once = await get(`/ipfs/${bigCid}`, { headers: { accept: 'application/vnd.ipld.car; version=1; dups=n' } });
    expect(once.headers.get('content-type')).to.equal('application/vnd.ipld.car; version=1; order=dfs; dups=n');
    expect(once.headers.get('content-location')).to.equal(`/ipfs/${bigCid}?format=car`);
    expect((await carOf(once)).blocks.map((block) => block.bytes.length).slice(1)).to.deep.equal([LEAF_BYTES, 9]);
  });

  it('honours dag-scope and entity-bytes', async () => {
    const lengths = async (query: string): Promise<number[]> =>
      (await carOf(await get(`/ipfs/${bigCid}?format=car&${query}`))).blocks
        .map((block) => block.bytes.length)
        .slice(1);
    expect(await lengths('dag-scope=block')).to.deep.equal([]);
    expect(await lengths('dag-scope=entity')).to.have.length(5);
    expect(await lengths('dag-scope=all')).to.have.length(5);
    expect(await lengths(`dag-scope=entity&entity-bytes=${4 * LEAF_BYTES}:*`)).to.deep.equal([9]);
    expect(await lengths('dag-scope=entity&entity-bytes=-9:*')).to.deep.equal([9]);
    expect(await lengths(`dag-scope=entity&entity-bytes=0:${LEAF_BYTES - 1}`)).to.deep.equal([LEAF_BYTES]);
    expect(await lengths(`dag-scope=entity&entity-bytes=0:${LEAF_BYTES}`)).to.have.length(2);
    expect(await lengths('dag-scope=entity&entity-bytes=5:-10')).to.have.length(4);
  });

  it('gives blocks from inside a payload, alone', async () => {
    const leaf = payloadCid(new Uint8Array(LEAF_BYTES));
    expect((await bytesOf(await get(`/ipfs/${leaf}?format=raw`))).length).to.equal(LEAF_BYTES);
    expect((await carOf(await get(`/ipfs/${leaf}?format=car`))).blocks).to.have.length(1);
  });

  it('answers HEAD without a body, and 304 to whoever has it', async () => {
    for (const format of ['raw', 'car']) {
      const head = await get(`/ipfs/${smallCid}?format=${format}`, { method: 'HEAD' });
      expect(head.status).to.equal(200);
      expect((await bytesOf(head)).length).to.equal(0);
      const etag = head.headers.get('etag') as string;
      const again = await get(`/ipfs/${smallCid}?format=${format}`, { headers: { 'if-none-match': etag } });
      expect(again.status).to.equal(304);
      const other = await get(`/ipfs/${smallCid}?format=${format}`, { headers: { 'if-none-match': '"something"' } });
      expect(other.status).to.equal(200);
    }
  });

  it('answers the probe for trustless gateways', async () => {
    const response = await get('/ipfs/bafkqaaa?format=raw');
    expect(response.status).to.equal(200);
    expect((await bytesOf(response)).length).to.equal(0);
  });

  const missing = payloadCid(testBytes(7, 'missing'));
  const refusals: [path: string, status: number, says: string, init?: RequestInit][] = [
    [`/ipfs/${missing}?format=raw`, 404, missing],
    [`/ipfs/${missing}?format=car`, 404, missing],
    [`/ipfs/${missing}?format=car`, 412, missing, { headers: { 'cache-control': 'only-if-cached' } }],
    [`/ipfs/${smallCid}/file?format=raw`, 404, 'no path'],
    ['/', 404, '/ipfs/<cid>'],
    ['/ipns/example.org?format=raw', 404, '/ipfs/<cid>'],
    ['/ipfs/?format=raw', 404, '/ipfs/<cid>'],
    ['/ipfs/hello?format=raw', 400, 'not a CID'],
    ['/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG?format=raw', 400, 'ipfs cid base32'],
    ['/ipfs/..%2f..%2fetc%2fpasswd?format=raw', 400, 'not a CID'],
    [`/ipfs/${smallCid}`, 406, 'format=car'],
    [`/ipfs/${smallCid}?format=tar`, 406, 'format=car'],
    [`/ipfs/${smallCid}`, 406, 'format=car', { headers: { accept: 'text/html,*/*' } }],
    [`/ipfs/${smallCid}`, 406, 'version 2', { headers: { accept: 'application/vnd.ipld.car; version=2' } }],
    [`/ipfs/${smallCid}?format=car&dag-scope=everything`, 400, 'dag-scope'],
    [`/ipfs/${smallCid}?format=car&dag-scope=entity&entity-bytes=x`, 400, 'entity-bytes'],
    [`/ipfs/${smallCid}?format=car&car-dups=maybe`, 400, 'dups'],
    [`/ipfs/${smallCid}?format=raw`, 405, 'GET', { method: 'POST', body: 'x' }],
    [`/ipfs/${smallCid}?format=raw`, 405, 'GET', { method: 'DELETE' }],
  ];
  for (const [path, status, says, init = {}] of refusals) {
    it(`${status} for ${init.method ?? 'GET'} ${path.slice(0, 80)} ${JSON.stringify(init.headers ?? '')}`, async () => {
      const response = await get(path, init);
      expect(response.status).to.equal(status);
      expect(await response.text()).to.contain(says);
      expect(response.headers.get('cache-control')).to.equal('no-store');
    });
  }

  it('a damaged payload is a broken answer, never a complete wrong one, and the node hears of it', async () => {
    await truncate(join(store.folder, bigCid), 3 * LEAF_BYTES);
    const response = await get(`/ipfs/${bigCid}?format=car`);
    const outcome = await bytesOf(response).then(
      () => 'complete',
      () => 'broken',
    );
    expect(outcome).to.equal('broken');
    await writeFile(join(store.folder, smallCid), 'other bytes');
    const raw = await get(`/ipfs/${smallCid}?format=raw`);
    expect(raw.status).to.equal(500);
    expect(sameBytes(await bytesOf(raw), Buffer.from('other bytes'))).to.equal(false);
    expect(failures).to.have.length(2);
  });

  it('a taken port is one clear error', async () => {
    const port = Number(new URL(gateway.url).port);
    const error = await errorOf(startGateway({ store, port }), 'PORT_TAKEN');
    expect(error.message).to.contain(`127.0.0.1:${port}`).and.to.contain('another port');
    await errorOf(startGateway({ store, host: '192.0.2.1' }), 'GATEWAY_LISTEN');
  });

  it('survives clients that go away in the middle, and closes at once although one still waits', async () => {
    const port = Number(new URL(gateway.url).port);
    for (let i = 0; i < 5; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.write(`GET /ipfs/${bigCid}?format=car HTTP/1.1\r\nHost: x\r\n\r\n`);
      await new Promise((resolve) => socket.once('data', resolve));
      socket.destroy();
    }
    const waiting = connect(port, '127.0.0.1');
    waiting.on('error', () => undefined);
    await new Promise((resolve) => waiting.once('connect', resolve));
    expect((await get(`/ipfs/${smallCid}?format=raw`)).status).to.equal(200);
    await gateway.close();
    expect(failures).to.deep.equal([]);
  });
});
