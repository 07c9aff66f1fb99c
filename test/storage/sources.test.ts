import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { blockCid, DAG_PB_CODEC, encodeFileNode, LEAF_BYTES } from '../../protocol/encoding/unixfsFile.ts';
import type { AssayError } from '../../protocol/errors.ts';
import { encodeCarHeader, encodeSectionHead } from '../../storage/car.ts';
import { type Gateway, startGateway } from '../../storage/gateway.ts';
import { openPayloadStore, type PayloadStore } from '../../storage/payloadStore.ts';
import { payloadFromCar } from '../../storage/sources/carStream.ts';
import { peerSource, publicGatewaySource } from '../../storage/sources/gatewaySource.ts';
import { collect, errorOf, inPieces, MIB, sameBytes, testBytes, useTemporaryFolder } from './helpers.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

describe('a peer as a source', () => {
  const folder = useTemporaryFolder();
  const open: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of open.splice(0)) await close();
  });

  async function dishonestPeer(handler: Handler): Promise<string> {
    const server: Server = createServer(handler);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function honestPeer(...payloads: Uint8Array[]): Promise<{ gateway: Gateway; store: PayloadStore }> {
    const store = await openPayloadStore(join(folder(), 'peer'));
    for (const payload of payloads) await store.put(payload);
    const gateway = await startGateway({ store });
    open.push(() => gateway.close());
    return { gateway, store };
  }

  /** A CAR of a payload as an honest peer would send it. */
  async function carBytes(payload: Uint8Array): Promise<Buffer> {
    const { gateway, store } = await honestPeer(payload);
    const response = await fetch(`${gateway.url}/ipfs/${(await store.list())[0]}?format=car`);
    return Buffer.from(await response.arrayBuffer());
  }

  const fetchAll = (address: string, cid: string, maxBytes = 64 * MIB): Promise<Uint8Array> =>
    collect(peerSource(address).fetch(cid, { maxBytes }));
  /** The same with so little patience that a test can outwait it. */
  const fetchImpatiently = (address: string, cid: string, idleMilliseconds = 300): Promise<Uint8Array> =>
    collect(peerSource(address, { idleMilliseconds }).fetch(cid, { maxBytes: 64 * MIB }));

  for (const length of [0, 1, LEAF_BYTES, 2 * LEAF_BYTES + 77]) {
    it(`fetches ${length} bytes from a node's gateway`, async () => {
      const bytes = testBytes(length);
      const { gateway } = await honestPeer(bytes);
      expect(sameBytes(await fetchAll(gateway.url, payloadCid(bytes)), bytes)).to.equal(true);
    });
  }

  it('says which peer lacks the payload, or cannot be reached, or is no gateway', async () => {
    const { gateway } = await honestPeer();
    const cid = payloadCid(testBytes(5));
    const lacking = await errorOf(fetchAll(gateway.url, cid), 'PEER_STATUS');
    expect(lacking.message).to.contain(`peer ${gateway.url} does not hold the payload`).and.to.contain('404');
    await gateway.close();
    const gone = await errorOf(fetchAll(gateway.url, cid), 'PEER_UNREACHABLE');
    expect(gone.message).to.contain(`peer ${gateway.url}`).and.to.contain('ECONNREFUSED');
    const website = await dishonestPeer((_, response) => response.end('<html>Welcome!</html>'.repeat(100)));
    expect((await errorOf(fetchAll(website, cid), 'CAR_INVALID')).message).to.contain(website);
    for (const address of ['ftp://x', 'x', '', '127.0.0.1:4100'])
      expect(() => peerSource(address)).to.throw('not the address');
  });

  const payload = testBytes(2 * LEAF_BYTES + 50);
  const cid = payloadCid(payload);

  it('a lying peer is caught at the first wrong block, whichever byte it changes', async () => {
    const car = await carBytes(payload);
    let changed = 0;
    const address = await dishonestPeer((request, response) => {
      if (request.url?.includes('format=raw')) return void response.writeHead(404).end();
      const copy = Buffer.from(car);
      copy[changed] = (copy[changed] ?? 0) ^ 1;
      response.end(copy);
    });
    const headerBytes = 60;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.integer({ min: headerBytes, max: 400 }), fc.integer({ min: headerBytes, max: car.length - 1 })),
        async (position) => {
          changed = position;
          const error = await errorOf(fetchAll(address, cid));
          expect(error.message).to.contain(`peer ${address}`);
        },
      ),
      { numRuns: 40 },
    );
    changed = car.length - 1;
    expect((await errorOf(fetchAll(address, cid))).code).to.equal('BLOCK_MISMATCH');
  });

  it('another payload under the right root, a swapped order, a missing block: refused', async () => {
    const a = testBytes(LEAF_BYTES, 'a');
    const b = testBytes(10, 'b');
    const section = (block: Uint8Array): Uint8Array[] => [encodeSectionHead(payloadCid(block), block.length), block];
    const whole = new Uint8Array([...a, ...b]);
    const root = payloadCid(whole);
    const node = encodeFileNode([
      { cid: payloadCid(a), fileBytes: a.length, blockBytes: a.length },
      { cid: payloadCid(b), fileBytes: b.length, blockBytes: b.length },
    ]);
    const head = [encodeCarHeader([root]), encodeSectionHead(root, node.length), node];
    const stream = (...parts: Uint8Array[]): Promise<Uint8Array> =>
      collect(payloadFromCar(root, inPieces(Buffer.concat(parts), 999), { holder: 'peer x', maxBytes: MIB * 4 }));
    expect(sameBytes(await stream(...head, ...section(a), ...section(b)), whole)).to.equal(true);
    await errorOf(stream(...head, ...section(b), ...section(a)), 'BLOCK_MISSING');
    await errorOf(stream(...head, ...section(a)), 'BLOCK_MISSING');
    await errorOf(stream(...head, ...section(a), ...section(testBytes(10, 'c'))), 'BLOCK_MISSING');
    await errorOf(stream(encodeCarHeader([root]), ...section(a)), 'BLOCK_MISSING');
    await errorOf(
      stream(...head, ...section(a), encodeSectionHead(payloadCid(b), 10), testBytes(10, 'c')),
      'BLOCK_MISMATCH',
    );
    await errorOf(
      stream(...head, ...section(a), encodeSectionHead(payloadCid(b), 10), b.subarray(0, 9)),
      'CAR_TRUNCATED',
    );
    await errorOf(stream(), 'CAR_INVALID');
    await errorOf(stream(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f])), 'CAR_INVALID');
    await errorOf(stream(encodeCarHeader([root]), Buffer.from([0xff, 0xff, 0xff, 0x7f])), 'CAR_INVALID');
  });

  it('noise instead of an archive is an error that names the peer, never a crash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (noise, afterHeader) => {
        const bytes = afterHeader ? Buffer.concat([encodeCarHeader([cid]), noise]) : noise;
        const error = await errorOf(
          collect(payloadFromCar(cid, inPieces(bytes, 7), { holder: 'peer x', maxBytes: MIB })),
        );
        expect(error.message).to.contain('peer x');
      }),
      { numRuns: 200 },
    );
  });

  it('a peer that stalls (before, in the middle, or drop by drop) is an error that names it', async () => {
    const car = await carBytes(payload);
    const silent = await dishonestPeer(() => undefined);
    expect((await errorOf(fetchImpatiently(silent, cid), 'PEER_STALLED')).message).to.contain(`peer ${silent} stalled`);
    const middle = await dishonestPeer((_, response) => response.write(car.subarray(0, 700_000)));
    const error = await errorOf(fetchImpatiently(middle, cid), 'PEER_STALLED');
    expect(error.message)
      .to.contain(`peer ${middle} stalled`)
      .and.to.match(/nothing for 300 ms, after \d+ bytes/);
    const dripping = await dishonestPeer(async (_, response) => {
      for (let i = 0; i < car.length && !response.destroyed; i++) {
        response.write(car.subarray(i, i + 1));
        await sleep(20);
      }
    });
    // Longer than a busy machine keeps a drop back, which would be silence.
    expect((await errorOf(fetchImpatiently(dripping, cid, 1500), 'PEER_STALLED')).message).to.match(
      /Received: \d+ bytes in \d+ ms/,
    );
  });

  it('a slow reader is not taken for a stalled peer', async () => {
    const { gateway } = await honestPeer(payload);
    const pieces: Uint8Array[] = [];
    for await (const piece of peerSource(gateway.url, { idleMilliseconds: 1000 }).fetch(cid, { maxBytes: 64 * MIB })) {
      pieces.push(piece);
      await sleep(1100);
    }
    expect(sameBytes(Buffer.concat(pieces), payload)).to.equal(true);
  });

  it('a connection that breaks, and an archive cut at a block, are errors', async () => {
    const car = await carBytes(payload);
    const breaking = await dishonestPeer((_, response) => {
      response.write(car.subarray(0, 500_000), () => setTimeout(() => response.destroy(), 20));
    });
    expect((await errorOf(fetchAll(breaking, cid), 'PEER_BROKEN')).message).to.contain(breaking);
    const cut = await dishonestPeer((request, response) => {
      if (request.url?.includes('format=raw')) return void response.writeHead(404).end();
      response.end(car.subarray(0, car.length - 50));
    });
    await errorOf(fetchAll(cut, cid), 'CAR_TRUNCATED');
  });

  it('refuses a payload that is too large before its bytes come', async () => {
    const { gateway } = await honestPeer(payload);
    let yielded = 0;
    const error = await errorOf(
      (async () => {
        for await (const piece of peerSource(gateway.url).fetch(cid, { maxBytes: payload.length - 1 }))
          yielded += piece.length;
      })(),
      'PAYLOAD_TOO_LARGE',
    );
    expect(yielded).to.equal(0);
    expect(error.message).to.contain(String(payload.length));
    expect((await fetchAll(gateway.url, cid, payload.length)).length).to.equal(payload.length);
  });

  it('a node that claims the size of a planet is refused, and so is an endless body', async () => {
    const node = encodeFileNode([{ cid: payloadCid(payload.subarray(0, 5)), fileBytes: 2 ** 50, blockBytes: 5 }]);
    const root = blockCid(DAG_PB_CODEC, node);
    const address = await dishonestPeer(async (_, response) => {
      response.write(Buffer.concat([encodeCarHeader([root]), encodeSectionHead(root, node.length), node]));
      while (!response.destroyed) {
        response.write(Buffer.alloc(MIB));
        await sleep(1);
      }
    });
    await errorOf(fetchAll(address, root), 'UNIXFS_NODE');
    const noise = await dishonestPeer(async (_, response) => {
      while (!response.destroyed) {
        response.write(Buffer.alloc(MIB, 0x11));
        await sleep(1);
      }
    });
    await errorOf(fetchAll(noise, cid), 'CAR_INVALID');
  });

  it('understands dups=n: repeated blocks come once, also when too many lie between', async () => {
    const leaves = Array.from({ length: 12 }, (_, i) => testBytes(LEAF_BYTES, `leaf ${i}`));
    // zeros in a run, then twelve different leaves, then the first one again (forgotten by then), then zeros
    const zeros = new Uint8Array(LEAF_BYTES);
    const repeating = Uint8Array.from(
      Buffer.concat([zeros, zeros, zeros, ...leaves, leaves[0] as Uint8Array, zeros, zeros]),
    );
    const { gateway } = await honestPeer(repeating);
    const root = payloadCid(repeating);
    let single = 0;
    const once = await dishonestPeer(async (request, response) => {
      const raw = request.url?.includes('format=raw') === true;
      if (raw) single++;
      const query = raw ? 'format=raw' : 'format=car&car-dups=n';
      const answer = await fetch(`${gateway.url}${request.url?.split('?')[0]}?${query}`);
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
    expect(sameBytes(await fetchAll(once, root), repeating)).to.equal(true);
    expect(single).to.equal(2); // leaf 0 and the zeros, one request each
  });

  it('does not follow a peer elsewhere; a public gateway may redirect', async () => {
    const { gateway } = await honestPeer(payload);
    const redirecting = await dishonestPeer((request, response) => {
      response.writeHead(302, { location: `${gateway.url}${request.url}` }).end();
    });
    await errorOf(fetchAll(redirecting, cid), 'PEER_UNREACHABLE');
    const fetched = await collect(publicGatewaySource(redirecting).fetch(cid, { maxBytes: 64 * MIB }));
    expect(sameBytes(fetched, payload)).to.equal(true);
  });

  it('stops when it is told to', async () => {
    const silent = await dishonestPeer(() => undefined);
    const reason = new Error('enough');
    const fetching = collect(peerSource(silent).fetch(cid, { maxBytes: MIB, signal: AbortSignal.abort(reason) }));
    expect(await fetching.catch((error: unknown) => error)).to.equal(reason);
    const later = new AbortController();
    setTimeout(() => later.abort(reason), 30);
    const waiting = collect(peerSource(silent).fetch(cid, { maxBytes: MIB, signal: later.signal }));
    expect(await waiting.catch((error: AssayError) => error)).to.equal(reason);
  });
});
