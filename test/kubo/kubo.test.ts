/**
 * Assay's storage against the reference implementation of IPFS. Needs an `ipfs` binary (see `.ci/kubo.sh`); without one it
 * says so and skips itself, unless ASSAY_REQUIRE_KUBO=1 (`npm run test:kubo`), when that is a failure.
 */
import { truncateSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeBundle } from '../../auditor/bundle.ts';
import { parseRule } from '../../protocol/aggregation/rule.ts';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { LEAF_BYTES, UnixfsFileBuilder } from '../../protocol/encoding/unixfsFile.ts';
import { fetchPayload } from '../../storage/fetchPayload.ts';
import { startGateway } from '../../storage/gateway.ts';
import { openPayloadStore, type PayloadStore } from '../../storage/payloadStore.ts';
import { peerSource } from '../../storage/sources/gatewaySource.ts';
import { connectKubo, type KuboNode } from '../../storage/sources/kuboNode.ts';
import { storeSource } from '../../storage/sources/storeSource.ts';
import { buildWorld, memoryPayloads } from '../auditor/fixtures/federation.ts';
import { collect, errorOf, MIB, sameBytes, testBytes, useTemporaryFolder } from '../storage/helpers.ts';
import { findIpfs, type KuboDaemon, startKubo, temporaryFile } from './daemon.ts';

const MISSING =
  'no IPFS daemon: set ASSAY_IPFS_BIN to an `ipfs` binary, put one on the PATH, or build one with .ci/kubo.sh (needs Go)';

describe('with a real Kubo daemon', function () {
  this.timeout(90_000);
  const folder = useTemporaryFolder();
  let daemon: KuboDaemon | undefined;
  let kubo: KuboNode;
  let store: PayloadStore;

  before(async function () {
    const binary = findIpfs();
    if (binary === undefined) {
      if (process.env.ASSAY_REQUIRE_KUBO === '1') throw new Error(MISSING);
      console.log(`  skipped: ${MISSING}`);
      this.skip();
    }
    daemon = await startKubo(binary);
    kubo = await connectKubo(daemon.rpc, { idleMilliseconds: 5000 });
  });
  after(() => daemon?.stop());
  beforeEach(async () => {
    store = await openPayloadStore(join(folder(), 'payloads'));
  });

  const running = (): KuboDaemon => daemon as KuboDaemon;
  function add(bytes: Uint8Array, ...options: string[]): string {
    const file = temporaryFile(bytes);
    try {
      return running().ipfs('add', '--quieter', ...options, file.path);
    } finally {
      file.remove();
    }
  }

  it('is an offline daemon on loopback', async () => {
    expect(await kubo.version()).to.equal(running().version);
    expect(() => running().ipfs('swarm', 'addrs', 'local')).to.throw('must be run in online mode');
  });

  for (const length of [0, 1, 1000, LEAF_BYTES - 1, LEAF_BYTES, LEAF_BYTES + 1, 5 * LEAF_BYTES + 3]) {
    it(`\`ipfs add\` gives ${length} bytes the same CID`, async () => {
      const bytes = testBytes(length, `kubo ${length}`);
      expect(add(bytes)).to.equal(payloadCid(bytes));
      expect((await store.put(bytes)).cid).to.equal(payloadCid(bytes));
    });
  }

  it('and so does it for a file of more than 1024 leaves', () => {
    const length = 1025 * LEAF_BYTES + 1;
    const file = temporaryFile(new Uint8Array(0));
    truncateSync(file.path, length); // a hole of zeros: takes no room on the disk
    const cid = running().ipfs('add', '--quieter', '--only-hash', file.path);
    file.remove();
    const builder = new UnixfsFileBuilder();
    const zeros = new Uint8Array(LEAF_BYTES);
    for (let written = 0; written < length; written += LEAF_BYTES) builder.write(zeros.subarray(0, length - written));
    expect(builder.finish()).to.deep.equal({ cid, fileBytes: length });
  });

  it('our archive goes in with its CID, is pinned, and comes back through our verifier', async () => {
    for (const bytes of [testBytes(10, 'in'), testBytes(3 * LEAF_BYTES + 9, 'in')]) {
      const { cid } = await store.put(bytes);
      await kubo.importPayload(store, cid);
      expect(await kubo.pins()).to.include(cid);
      expect(sameBytes(await collect(kubo.fetch(cid, { maxBytes: 8 * MIB })), bytes)).to.equal(true);
      await kubo.unpin(cid);
      expect(await kubo.pins()).to.not.include(cid);
      await kubo.pin(cid);
      expect(await kubo.pins()).to.include(cid);
    }
  });

  it('what Kubo stored comes out verified, with repeated blocks sent once (zeros, and a leaf that comes again)', async () => {
    const leaf = testBytes(LEAF_BYTES, 'again');
    const middle = testBytes(10 * LEAF_BYTES, 'middle');
    const bytes = Uint8Array.from(
      Buffer.concat([leaf, new Uint8Array(3 * LEAF_BYTES), middle, leaf, new Uint8Array(LEAF_BYTES + 1)]),
    );
    const cid = add(bytes);
    const viaRpc = await fetchPayload(cid, [kubo], { store, expectedBytes: bytes.length });
    expect(viaRpc).to.deep.equal({ cid, bytes: bytes.length, source: `kubo ${running().rpc}` });
    expect(sameBytes(await store.readAll(cid), bytes)).to.equal(true);
  });

  it('its gateway is a peer like any other, whichever way it sends repeated blocks', async () => {
    const bytes = Uint8Array.from(Buffer.concat([new Uint8Array(3 * LEAF_BYTES), testBytes(77, 'tail')]));
    const cid = add(bytes);
    const fetched = await fetchPayload(cid, [peerSource(running().gateway)], { store, expectedBytes: bytes.length });
    expect(fetched.source).to.equal(`peer ${running().gateway}`);
    expect(sameBytes(await store.readAll(cid), bytes)).to.equal(true);
    // The same through something in between that strips our wish for dups=y.
    const server = createServer(async (request, response) => {
      const answer = await fetch(`${running().gateway}${request.url?.split('?')[0]}?format=car&car-dups=n`);
      expect(answer.headers.get('content-type')).to.contain('dups=n');
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const between = peerSource(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      expect(sameBytes(await collect(between.fetch(cid, { maxBytes: 8 * MIB })), bytes)).to.equal(true);
    } finally {
      server.close();
    }
  });

  it('Kubo imports and pins what `assay export` writes', async () => {
    const world = buildWorld({ rule: parseRule('median', 1) });
    const chain = { name: 'memory', readChain: async () => world.facts };
    const { path, root } = await writeBundle(join(folder(), 'bundle.car'), chain, () => memoryPayloads(world.payloads));
    running().ipfs('dag', 'import', path);
    const document = await collect(kubo.fetch(root, { maxBytes: 8 * MIB }));
    const { payloads } = JSON.parse(new TextDecoder().decode(document)) as { payloads: string[] };
    expect(payloads).not.to.deep.equal([]);
    expect(await kubo.pins()).to.include.members([root, ...payloads]);
  });

  it("Kubo imports our gateway's archives", async () => {
    const { cid } = await store.put(testBytes(2 * LEAF_BYTES + 1, 'gateway'));
    const gateway = await startGateway({ store });
    try {
      const response = await fetch(`${gateway.url}/ipfs/${cid}?format=car`);
      const file = temporaryFile(new Uint8Array(await response.arrayBuffer()));
      running().ipfs('dag', 'import', '--pin-roots=false', file.path);
      file.remove();
    } finally {
      await gateway.close();
    }
  });

  it('what it does not have, and files of another profile, are clear errors', async () => {
    const absent = payloadCid(testBytes(9, 'absent'));
    const error = await errorOf(collect(kubo.fetch(absent, { maxBytes: MIB })));
    expect(error.message).to.contain(`kubo ${running().rpc}`);
    const sources = [storeSource(store), peerSource(running().gateway), kubo];
    const list = await errorOf(fetchPayload(absent, sources, { store }), 'PAYLOAD_UNAVAILABLE');
    for (const source of ['own store', 'peer ', 'kubo ']) expect(list.message).to.contain(source);
    const foreign = add(testBytes(3 * LEAF_BYTES, 'foreign'), '--chunker=size-262144');
    await errorOf(fetchPayload(foreign, [kubo], { store }), 'UNIXFS_NODE');
  });

  it('a daemon that is not there is a clear error', async () => {
    const nobody = await connectKubo('http://127.0.0.1:1', { idleMilliseconds: 2000 });
    const error = await errorOf(nobody.version(), 'KUBO_RPC');
    expect(error.message).to.contain('http://127.0.0.1:1').and.to.contain('ipfs daemon');
    await errorOf(collect(nobody.fetch(payloadCid(testBytes(1)), { maxBytes: 10 })), 'KUBO_RPC');
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const stalled = await connectKubo(address, { idleMilliseconds: 200 });
    await errorOf(stalled.version(), 'PEER_STALLED');
    await errorOf(collect(stalled.fetch(payloadCid(testBytes(1)), { maxBytes: 10 })), 'PEER_STALLED');
    silent.closeAllConnections();
    silent.close();
  });
});
