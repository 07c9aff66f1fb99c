import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { useTemporaryFolder } from './helpers.ts';

const MIB = 1 << 20;
const PAYLOAD_MIB = 256;
/** What a process may grow by while the payload passes through; far below the payload, far above what buffers need. */
const ALLOWED_MIB = 176;

/** In a process of its own: put, read, serve and fetch one payload, and print the growth after each in MiB. */
const program = (storage: string, folder: string): string => `
  const { openPayloadStore } = await import(${JSON.stringify(`${storage}/payloadStore.ts`)});
  const { startGateway } = await import(${JSON.stringify(`${storage}/gateway.ts`)});
  const { fetchPayload } = await import(${JSON.stringify(`${storage}/fetchPayload.ts`)});
  const { peerSource } = await import(${JSON.stringify(`${storage}/sources/gatewaySource.ts`)});
  const { join } = await import('node:path');
  const folder = ${JSON.stringify(folder)};
  async function* payload() {
    for (let i = 0; i < ${PAYLOAD_MIB * 4}; i++) yield new Uint8Array(${MIB / 4}).fill(i & 255);
  }
  const store = await openPayloadStore(join(folder, 'a'));
  const other = await openPayloadStore(join(folder, 'b'));
  await store.put(new Uint8Array(3 << 20)); // everything is loaded and warm
  let peak = process.memoryUsage.rss();
  const start = peak;
  setInterval(() => { peak = Math.max(peak, process.memoryUsage.rss()); }, 5).unref();
  const growth = {};
  const step = async (name, work) => {
    const result = await work();
    peak = Math.max(peak, process.memoryUsage.rss());
    growth[name] = Math.round((peak - start) / ${MIB});
    return result;
  };
  const { cid, bytes } = await step('put', () => store.put(payload()));
  await step('read', async () => { for await (const piece of store.read(cid)) void piece; });
  const gateway = await startGateway({ store });
  await step('fetch', () => fetchPayload(cid, [peerSource(gateway.url)], { store: other }));
  await gateway.close();
  console.log(JSON.stringify({ bytes, growth }));
`;

describe('memory', () => {
  const folder = useTemporaryFolder();

  it(`stays below ${ALLOWED_MIB} MiB while ${PAYLOAD_MIB} MiB are put, read, served and fetched`, async function () {
    this.timeout(120_000);
    const storage = new URL('../../storage', import.meta.url).href;
    const args = ['--input-type=module', '-e', program(storage, join(folder(), 'memory'))];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: new URL('../..', import.meta.url) });
    const { bytes, growth } = JSON.parse(stdout) as { bytes: number; growth: Record<string, number> };
    expect(bytes).to.equal(PAYLOAD_MIB * MIB);
    expect(Object.keys(growth)).to.deep.equal(['put', 'read', 'fetch']);
    for (const [step, mib] of Object.entries(growth)) expect(mib, `${step}: ${stdout}`).to.be.below(ALLOWED_MIB);
  });
});
