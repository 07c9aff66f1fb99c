import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Federation } from '../../../chain/federation.ts';
import { payloadCid } from '../../../protocol/encoding/cid.ts';
import { nodePayloads } from '../../../scripts/node/sources.ts';
import { openPayloadStore } from '../../../storage/payloadStore.ts';
import { expectError } from '../../client/support/expectError.ts';

describe('public gateways', () => {
  const realFetch = globalThis.fetch;
  let folder: string;
  let asked: string[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-public-'));
    asked = [];
    // Nothing leaves this machine: whoever would be asked is noted, and has nothing.
    globalThis.fetch = async (url) => {
      asked.push(new URL(String(url)).host);
      return new Response('', { status: 404 });
    };
  });
  afterEach(async () => {
    globalThis.fetch = realFetch;
    await rm(folder, { recursive: true, force: true });
  });

  const hostsAsked = async (publicGateway: readonly string[]): Promise<string[]> => {
    const announced = new Map([['0x1111111111111111111111111111111111111111', 'http://member.example']]);
    const federation = { gateways: async () => announced } as unknown as Federation;
    const options = { peer: ['http://peer.example'], publicGateway };
    const payloads = await nodePayloads(federation, await openPayloadStore(folder), options, undefined);
    await expectError(() => payloads.fetch(payloadCid(Uint8Array.of(1)), {}), 'PAYLOAD_UNAVAILABLE');
    return asked.splice(0);
  };

  it('asks no public gateway unless one is named, and then last', async () => {
    expect(await hostsAsked([])).to.deep.equal(['peer.example', 'member.example']);
    expect(await hostsAsked(['https://gateway.example'])).to.deep.equal([
      'peer.example',
      'member.example',
      'gateway.example',
    ]);
  });
});
