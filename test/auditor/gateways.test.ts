import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CarWriter } from '@ipld/car';
import { expect } from 'chai';
import { CID } from 'multiformats/cid';
import { auditFrom } from '../../auditor/auditFederation.ts';
import { decodeEvents, type FederationEvent } from '../../auditor/chain/decodeEvents.ts';
import { gatewayReader } from '../../auditor/payloads/gatewayReader.ts';
import { wholePayload } from '../../auditor/payloads/payload.ts';
import type { PayloadOutcome } from '../../auditor/payloads/payloadReader.ts';
import { registeredGateways } from '../../auditor/payloads/registeredGateways.ts';
import { Spools } from '../../auditor/payloads/spool.ts';
import { cidFromBytes, payloadCid } from '../../protocol/encoding/cid.ts';
import { blockCid, LEAF_BYTES, RAW_CODEC, UnixfsFileBuilder } from '../../protocol/encoding/unixfsFile.ts';
import { parseRule } from '../../protocol/index.ts';
import { account, buildWorld, type World } from './fixtures/federation.ts';

describe('payloads from gateways', () => {
  const servers: Server[] = [];
  const spools = new Spools();
  after(() => spools.close());
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
  const gateway = async (listener: RequestListener): Promise<string> => {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const honest = (files: readonly Uint8Array[]): Promise<string> => {
    const byCid = new Map(files.map((bytes) => [payloadCid(bytes), bytes]));
    return gateway(async ({ url }, response) => {
      const parsed = new URL(url!, 'http://gateway');
      const bytes = byCid.get(parsed.pathname.split('/')[2]!);
      if (bytes === undefined) return void response.writeHead(404).end();
      response.end(parsed.searchParams.get('format') === 'raw' ? bytes : await carOf(bytes));
    });
  };
  const small = Uint8Array.from({ length: 3000 }, (_, i) => i * 7);
  const large = Uint8Array.from({ length: 2 * LEAF_BYTES + 100 }, (_, i) => i * 31 + (i >> 12));
  const zeros = new Uint8Array(3 * LEAF_BYTES);
  const read = (gateways: string[], bytes: Uint8Array, options: { idleMilliseconds?: number; exact?: number } = {}) =>
    gatewayReader({ gateways, spools, idleMilliseconds: options.idleMilliseconds ?? 2000 }).read({
      cid: payloadCid(bytes),
      exactBytes: options.exact ?? bytes.length,
      maxBytes: options.exact ?? bytes.length,
    });

  it('reads one block, and files of many blocks, equal blocks among them', async () => {
    const url = await honest([small, large, zeros]);
    for (const bytes of [small, large, zeros]) {
      const outcome = await read([url], bytes);
      expect(outcome.status).to.equal('found');
      expect(Buffer.compare(await bytesOf(outcome), bytes)).to.equal(0);
    }
  });

  it('goes on to the next gateway after one that is gone, empty, lying, silent or endless', async () => {
    const good = await honest([small]);
    const gone = await honest([]);
    for (const server of servers.splice(1)) {
      await new Promise((resolve) => server.close(resolve)); // nobody listens there any more
    }
    const bad = [
      gone,
      await honest([]),
      await gateway((_, response) => void response.end(small.map((byte) => byte + 1))),
      await gateway((_, response) => void response.end(small.subarray(0, 100))),
      await gateway((_, response) => {
        response.write(small.subarray(0, 100)); // and then nothing
      }),
      await gateway(() => undefined), // never an answer
      await gateway((_, response) => {
        const more = () => {
          while (response.write(new Uint8Array(65_536))) if (response.destroyed) return;
          response.once('drain', more);
        };
        more();
      }),
      await gateway((_, response) => void response.writeHead(302, { location: `${good}/ipfs/x` }).end()),
    ];
    const outcome = await read([...bad, good], small, { idleMilliseconds: 150 });
    expect(outcome).to.include({ status: 'found', source: good });
    const failed = await read(bad, small, { idleMilliseconds: 150 });
    // Wrong bytes from a gateway prove nothing about who named the CID.
    expect(failed.status).to.equal('unavailable');
    const attempts = failed.status === 'found' ? [] : failed.attempts;
    expect(attempts.length).to.equal(bad.length);
    for (const [i, words] of [
      /failed: .*ECONNREFUSED|failed/,
      /answered 404/,
      /do not hash/,
      /do not hash/,
      /silent for 150 ms/,
      /silent for 150 ms/,
      /more than the 1048576 bytes/,
      /failed/,
    ].entries()) {
      expect(attempts[i]).to.match(words);
    }
  });

  it('gives up on a gateway that drips, however steadily', async () => {
    const drip = await gateway((_, response) => {
      const timer = setInterval(() => response.write(new Uint8Array(1)), 20);
      response.on('close', () => clearInterval(timer));
    });
    const good = await honest([small]);
    expect(await read([drip, good], small, { idleMilliseconds: 150 })).to.include({ status: 'found', source: good });
    const failed = await read([drip], small, { idleMilliseconds: 150 });
    expect(failed.status === 'unavailable' && failed.attempts[0]).to.match(/was too slow: \d+ bytes in \d+ ms/);
  });

  it('a gateway that lies frames neither the participant nor the aggregator that had its payload', async () => {
    const world = buildWorld({ rule: parseRule('trimmed-mean', 1), participants: 5, rounds: 1 });
    const gone = cidOfReveal(world, 3);
    const liar = await gateway((_, response) => void response.end(small));
    const reader = await gateway(({ url }, response) => {
      const bytes = world.payloads.get(new URL(url!, 'http://gateway').pathname.split('/')[2]!);
      if (bytes === undefined) return void response.writeHead(404).end();
      response.end(bytes);
    });
    world.payloads.delete(gone);
    const chain = { name: 'memory', readChain: async () => world.facts };
    const report = await auditFrom(chain, (_, spools) => gatewayReader({ gateways: [liar, reader], spools }), {
      threads: 1,
    });
    expect(report.findings.map(({ kind, role }) => [kind, role])).to.deep.equal([
      ['payloadUnavailable', 'participant'],
    ]);
    expect(report.ok).to.equal(false);
  });

  it('says unavailable when nobody has it', async () => {
    const outcome = await read([await honest([])], small);
    expect(outcome.status).to.equal('unavailable');
    const none = await read([], small);
    expect(none.status === 'unavailable' && none.attempts[0]).to.contain('--gateway');
  });

  it('blames the CID, not the gateway, for a file of another length', async () => {
    for (const bytes of [small, large]) {
      const outcome = await read([await honest([bytes])], bytes, { exact: 2998 });
      expect(outcome.status).to.equal('invalid');
      expect(outcome.status === 'invalid' && outcome.attempts[0]).to.contain(`${bytes.length} bytes, expected 2998`);
    }
  });

  it('refuses a CAR with an altered, missing or foreign block, or cut short', async () => {
    const car = await carOf(large);
    const flipped = car.slice();
    flipped[car.length - 5] = flipped[car.length - 5]! ^ 1;
    const foreign = await carOf(zeros);
    for (const [body, words] of [
      [flipped, /does not hash/],
      [car.subarray(0, car.length - 1000), /failed|left out/],
      [foreign, /left out block/],
      [new Uint8Array(0), /failed/],
      [new TextEncoder().encode('<html>404</html>'), /failed/],
    ] as const) {
      const outcome = await read([await gateway((_, response) => void response.end(body))], large);
      expect(outcome.status).to.not.equal('found');
      expect(outcome.status !== 'found' && outcome.attempts[0]).to.match(words);
    }
  });

  it('asks a silent gateway last from then on', async () => {
    const asked: string[] = [];
    const slow = await gateway(() => void asked.push('slow'));
    const good = await honest([small, zeros]);
    const reader = gatewayReader({ gateways: [slow, good], spools, idleMilliseconds: 100 });
    for (const bytes of [small, zeros, small]) {
      const outcome = await reader.read({ cid: payloadCid(bytes), maxBytes: bytes.length });
      expect(outcome.status).to.equal('found');
    }
    expect(asked.length).to.equal(1);
  });

  it('uses gateways that members announced on this machine, their latest, and no others unless told to', () => {
    const place = { blockNumber: 1, blockHash: account(1), transactionHash: account(1), logIndex: 0 };
    const events: FederationEvent[] = [
      'http://127.0.0.1:9000/',
      'http://example.org:9000',
      'http://169.254.169.254/latest',
      'file:///etc/passwd',
      'http://user:word@localhost:1',
      'no url',
      'http://127.0.0.1.example.org',
      'http://[::1]:7',
    ].map((gateway, index) => ({
      name: 'participantRegistered',
      place,
      account: account(index + 1),
      index,
      stake: 1n,
      gateway,
    }));
    expect([...registeredGateways(events, false).values()]).to.deep.equal(['http://127.0.0.1:9000', 'http://[::1]:7']);
    expect(registeredGateways(events, true).size).to.equal(5);
    const moved = { name: 'gatewayChanged', place, account: account(1), gateway: 'http://localhost:5' } as const;
    expect(registeredGateways([...events, moved], false).get(account(1))).to.equal('http://localhost:5');
  });
});

async function bytesOf(outcome: PayloadOutcome): Promise<Uint8Array> {
  if (outcome.status !== 'found') throw new Error(outcome.attempts.join());
  return wholePayload(outcome.payload);
}

function cidOfReveal(world: World, index: number): string {
  for (const event of decodeEvents(world.facts.logs)) {
    if (event.name === 'updateRevealed' && event.submission.index === index) return cidFromBytes(event.submission.cid);
  }
  throw new Error('no such reveal');
}

/** The CAR that a gateway answers with: root first, as the file is walked. */
async function carOf(bytes: Uint8Array): Promise<Uint8Array> {
  const nodes: { cid: string; bytes: Uint8Array }[] = [];
  const builder = new UnixfsFileBuilder((node) => nodes.push(node));
  builder.write(bytes);
  const { cid } = builder.finish();
  const { writer, out } = CarWriter.create([CID.parse(cid)]);
  const parts: Uint8Array[] = [];
  const reading = (async () => {
    for await (const part of out) parts.push(part.slice());
  })();
  for (const node of nodes.reverse()) await writer.put({ cid: CID.parse(node.cid), bytes: node.bytes });
  const seen = new Set<string>();
  for (let offset = 0; offset < bytes.length; offset += LEAF_BYTES) {
    const leaf = bytes.subarray(offset, offset + LEAF_BYTES);
    const name = blockCid(RAW_CODEC, leaf);
    if (!seen.has(name)) await writer.put({ cid: CID.parse(name), bytes: leaf }); // dups=n
    seen.add(name);
  }
  await writer.close();
  await reading;
  return new Uint8Array(Buffer.concat(parts));
}
