import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Federation } from '../../../chain/federation.ts';
import type { Hex } from '../../../protocol/encoding/bytes.ts';
import { payloadCid } from '../../../protocol/encoding/cid.ts';
import { AssayError } from '../../../protocol/errors.ts';
import { nodePayloads } from '../../../scripts/node/sources.ts';
import { openPayloadStore } from '../../../storage/payloadStore.ts';
import { expectError } from '../../client/support/expectError.ts';

const CID = payloadCid(Uint8Array.of(1, 2, 3));
const account = (digit: number): Hex => `0x${String(digit).repeat(40)}`;

describe('where a node looks for payloads', () => {
  let folder: string;
  let servers: Server[];
  let asked: string[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-sources-'));
    servers = [];
    asked = [];
  });
  afterEach(async () => {
    for (const server of servers) server.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** A gateway that has nothing and remembers that it was asked. */
  async function gateway(name: string): Promise<string> {
    const server = createServer((_, response) => {
      asked.push(name);
      response.statusCode = 404;
      response.end();
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const federation = (gateways: () => Promise<Map<Hex, string>>) => ({ gateways }) as unknown as Federation;

  it('who was named first, then the owner, then the other members; public gateways last; itself never', async () => {
    const [named, owner, other, own, last] = await Promise.all(
      ['named', 'owner', 'other', 'own', 'public'].map((name) => gateway(name)),
    );
    const announced = new Map<Hex, string>([
      [account(1), own!],
      [account(2), other!],
      [account(3), 'not a url'],
      [account(4), 'file:///etc/passwd'],
      [account(5), owner!],
      [account(6), other!],
      [account(7), named!],
    ]);
    const payloads = await nodePayloads(
      federation(async () => announced),
      await openPayloadStore(folder),
      { peer: [named!], publicGateway: [last!] },
      own,
    );
    await expectError(() => payloads.fetch(CID, { owner: account(5) }), 'PAYLOAD_UNAVAILABLE');
    expect(asked).to.deep.equal(['named', 'owner', 'other', 'public']);
    asked.length = 0;
    await expectError(() => payloads.fetch(CID, {}), 'PAYLOAD_UNAVAILABLE');
    expect(asked).to.deep.equal(['named', 'other', 'owner', 'public']);
  });

  it('a chain that could not say who serves is asked again at once', async () => {
    const member = await gateway('member');
    let down = true;
    const payloads = await nodePayloads(
      federation(async () => {
        if (down) throw new AssayError('RPC_DOWN', { summary: 'down' });
        return new Map([[account(1), member]]);
      }),
      await openPayloadStore(folder),
      { peer: [], publicGateway: [] },
      undefined,
    );
    await expectError(() => payloads.fetch(CID, {}), 'RPC_DOWN');
    down = false;
    await expectError(() => payloads.fetch(CID, {}), 'PAYLOAD_UNAVAILABLE');
    expect(asked).to.deep.equal(['member']);
  });
});
