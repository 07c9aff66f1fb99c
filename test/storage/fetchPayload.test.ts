import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { LEAF_BYTES } from '../../protocol/encoding/unixfsFile.ts';
import { AssayError } from '../../protocol/errors.ts';
import { type FetchAttempt, fetchPayload } from '../../storage/fetchPayload.ts';
import { type Gateway, startGateway } from '../../storage/gateway.ts';
import { openPayloadStore, type PayloadStore } from '../../storage/payloadStore.ts';
import { peerSource } from '../../storage/sources/gatewaySource.ts';
import type { PayloadSource } from '../../storage/sources/payloadSource.ts';
import { storeSource } from '../../storage/sources/storeSource.ts';
import { errorOf, sameBytes, testBytes, useTemporaryFolder } from './helpers.ts';

describe('fetchPayload', () => {
  const folder = useTemporaryFolder();
  let store: PayloadStore;
  let peerStore: PayloadStore;
  let peer: Gateway;
  /** The address of a node that runs no more. */
  let gone: string;
  const payload = testBytes(LEAF_BYTES + 100);
  const cid = payloadCid(payload);

  beforeEach(async () => {
    store = await openPayloadStore(join(folder(), 'own'));
    peerStore = await openPayloadStore(join(folder(), 'peer'));
    await peerStore.put(payload);
    peer = await startGateway({ store: peerStore });
    const closed = await startGateway({ store: peerStore });
    gone = closed.url;
    await closed.close();
  });
  afterEach(() => peer.close());

  const ownAndPeers = (...peers: string[]): PayloadSource[] => [
    storeSource(store),
    ...peers.map((address) => peerSource(address)),
  ];

  it('asks in order, reports each failure, and keeps what it fetched', async () => {
    const attempts: FetchAttempt[] = [];
    const sources = ownAndPeers(gone, peer.url);
    expect(sources.map((source) => source.name)).to.deep.equal([
      `own store ${store.folder}`,
      `peer ${gone}`,
      `peer ${peer.url}`,
    ]);
    const onAttempt = (attempt: FetchAttempt): void => void attempts.push(attempt);
    const fetched = await fetchPayload(cid, sources, { store, onAttempt });
    expect(fetched).to.deep.equal({ cid, bytes: payload.length, source: `peer ${peer.url}` });
    expect(attempts.map((attempt) => attempt.error?.code)).to.deep.equal([
      'PAYLOAD_MISSING',
      'PEER_UNREACHABLE',
      undefined,
    ]);
    expect(sameBytes(await store.readAll(cid), payload)).to.equal(true);
    expect(await store.pins()).to.deep.equal([cid]);
    attempts.length = 0;
    expect((await fetchPayload(cid, sources, { store, onAttempt })).source).to.equal(`own store ${store.folder}`);
    expect(attempts).to.have.length(1);
  });

  it('repairs a damaged copy of its own from a peer', async () => {
    await store.put(payload);
    await writeFile(join(store.folder, cid), 'damaged');
    const sources = ownAndPeers(peer.url);
    expect((await fetchPayload(cid, sources, { store })).source).to.equal(`peer ${peer.url}`);
    expect(sameBytes(await store.readAll(cid), payload)).to.equal(true);
  });

  it('lists every attempt with its reason when nobody has it', async () => {
    const other = payloadCid(testBytes(3, 'nobody has this'));
    const sources = ownAndPeers(peer.url, gone);
    const error = await errorOf(fetchPayload(other, sources, { store }), 'PAYLOAD_UNAVAILABLE');
    for (const part of [other, store.folder, `peer ${peer.url}`, '404', `peer ${gone}`, 'ECONNREFUSED']) {
      expect(error.message).to.contain(part);
    }
    await errorOf(fetchPayload(other, [], { store }), 'PAYLOAD_UNAVAILABLE');
    await errorOf(fetchPayload('no cid', sources, { store }), 'CID_INVALID');
  });

  it('a payload of another length than the protocol wants is a verdict, at once: no source can do better', async () => {
    const attempts: FetchAttempt[] = [];
    const sources = ownAndPeers(peer.url, peer.url);
    for (const expectedBytes of [payload.length - 2, payload.length + 2]) {
      attempts.length = 0;
      const onAttempt = (attempt: FetchAttempt): void => void attempts.push(attempt);
      const error = await errorOf(fetchPayload(cid, sources, { store, expectedBytes, onAttempt }), 'PAYLOAD_LENGTH');
      expect(error.message).to.contain(`${expectedBytes} bytes`).and.to.contain(`${payload.length} bytes`);
      expect(attempts.length).to.be.at.most(2);
    }
    await errorOf(fetchPayload(cid, sources, { store, maxBytes: 10 }), 'PAYLOAD_TOO_LARGE');
    expect((await fetchPayload(cid, sources, { store, expectedBytes: payload.length })).bytes).to.equal(payload.length);
  });

  it('a CID that names no file of the profile is a verdict too', async () => {
    const raw: PayloadSource = {
      name: 'peer with another profile',
      fetch: () => {
        throw new AssayError('UNIXFS_NODE', { summary: 'not a file of the profile' });
      },
    };
    const never: PayloadSource = {
      name: 'never asked',
      fetch: () => {
        throw new Error('asked all the same');
      },
    };
    await errorOf(fetchPayload(cid, [raw, never], { store }), 'UNIXFS_NODE');
  });

  it('stores nothing of a payload whose source breaks off, and stops when told to', async () => {
    const breaking: PayloadSource = {
      name: 'breaking',
      async *fetch() {
        yield payload.subarray(0, LEAF_BYTES);
        throw new AssayError('PEER_BROKEN', { summary: 'the connection broke' });
      },
    };
    await errorOf(fetchPayload(cid, [breaking], { store }), 'PAYLOAD_UNAVAILABLE');
    expect(await store.list()).to.deep.equal([]);
    // A source is not believed either: what it yields must be the payload.
    const wrong: PayloadSource = {
      name: 'wrong',
      async *fetch() {
        yield testBytes(10);
      },
    };
    expect((await errorOf(fetchPayload(cid, [wrong], { store }), 'PAYLOAD_UNAVAILABLE')).message).to.contain(
      'CID_MISMATCH',
    );
    expect((await fetchPayload(cid, [wrong, peerSource(peer.url)], { store })).source).to.equal(`peer ${peer.url}`);
    const reason = new Error('enough');
    const stopped = fetchPayload(cid, [breaking], { store, signal: AbortSignal.abort(reason) });
    expect(await stopped.catch((error: unknown) => error)).to.equal(reason);
  });
});
