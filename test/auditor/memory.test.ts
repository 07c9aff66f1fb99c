/** A model that is larger than what an audit may hold, over RPC and HTTP as it really is. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { parseRule } from '../../protocol/index.ts';
import { startGateway } from '../../storage/gateway.ts';
import { openPayloadStore } from '../../storage/payloadStore.ts';
import { buildWorld, FEDERATION } from './fixtures/federation.ts';
import { startRpcServer } from './fixtures/rpcServer.ts';

const MEASURE = fileURLToPath(new URL('support/measureAudit.ts', import.meta.url));

describe('an audit of a model that does not fit into its memory', function () {
  this.timeout(300_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-memory-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Most memory that the process of an audit took, and the bytes of all payloads that it read. */
  async function measure(dimension: number): Promise<{ readonly processBytes: number; readonly payloadBytes: number }> {
    const world = buildWorld({
      rule: parseRule('fedavg', 0),
      participants: 10,
      rounds: 1,
      dimension,
      chunkSize: 4096,
      update: (index) => {
        const update = new Int16Array(dimension);
        for (let k = 0; k < dimension; k++) update[k] = (Math.imul(k, 40_503 + index) >> 12) & 1023;
        return update;
      },
    });
    const store = await openPayloadStore(join(folder, String(dimension)));
    let payloadBytes = 0;
    for (const payload of world.payloads.values()) payloadBytes += (await store.put(payload)).bytes;
    const server = await startRpcServer(world.facts);
    const gateway = await startGateway({ store });
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [MEASURE, server.url, FEDERATION, gateway.url]);
      const { ok, bytes } = JSON.parse(stdout);
      expect(ok).to.equal(true);
      return { processBytes: bytes, payloadBytes };
    } finally {
      await gateway.close();
      await server.close();
    }
  }

  it('holds a few blocks, not the updates and not the models', async () => {
    const small = await measure(5000);
    const large = await measure(8_000_000);
    expect(large.payloadBytes).to.be.greaterThan(220e6);
    // What sockets and the collector have not given back comes on top of the blocks.
    expect(large.processBytes - small.processBytes).to.be.lessThan(0.7 * large.payloadBytes);
  });
});
