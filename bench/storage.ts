/**
 * What verified storage costs beside doing the same without any verification, measured in one run: putting a payload
 * against copying a file, reading it verified against hashing it in memory and against reading it unverified, fetching
 * it over loopback from a gateway against a plain HTTP download. Medians of several repeats, taken in turns; trust the
 * ratios.
 *
 *     npm run bench -- --only storage
 *     node scripts/setup/run.mjs bench/storage.ts [--mib 64] [--repeats 5] [--json FILE]
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '../storage/atomicFile.ts';
import { fetchPayload } from '../storage/fetchPayload.ts';
import { startGateway } from '../storage/gateway.ts';
import { openPayloadStore } from '../storage/payloadStore.ts';
import { peerSource } from '../storage/sources/gatewaySource.ts';

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '64' },
    repeats: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
});
const mib = Number(values.mib);
const repeats = Number(values.repeats);
if (!(mib > 0) || !(repeats >= 1)) throw new Error('--mib and --repeats take positive numbers');

const folder = await mkdtemp(join(tmpdir(), 'assay-bench-storage-'));
const store = await openPayloadStore(join(folder, 'store'));
const gateway = await startGateway({ store });
const plainFile = join(folder, 'plain');
const plain = createServer((_, response) => createReadStream(plainFile, { highWaterMark: 1 << 20 }).pipe(response));
await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
const plainUrl = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`;

const payload = new Uint8Array(mib * 2 ** 20);
for (let i = 0; i < payload.length; i += 4) new DataView(payload.buffer).setUint32(i, Math.imul(i + 1, 2654435761));
await writeFileAtomic(plainFile, payload);
const { cid } = await store.put(payload);

/** Written the way every store must: to the disk, not to the cache only. */
async function plainCopy(): Promise<void> {
  const file = await open(join(folder, 'copy'), 'w');
  await file.writeFile(payload);
  await file.sync();
  await file.close();
}

async function drain(pieces: AsyncIterable<Uint8Array>): Promise<void> {
  let bytes = 0;
  for await (const piece of pieces) bytes += piece.length;
  if (bytes !== payload.length) throw new Error(`${bytes} bytes instead of ${payload.length}`);
}

let freshStores = 0;
const measures: Record<string, () => Promise<void>> = {
  'plain copy with fsync': plainCopy,
  put: async () => void (await store.put(payload)),
  'SHA-256 in memory': async () => void createHash('sha256').update(payload).digest(),
  'plain read': async () => void (await readFile(plainFile)),
  'verified read': () => drain(store.read(cid)),
  'plain download': async () => drain((await fetch(plainUrl)).body as AsyncIterable<Uint8Array>),
  'verified download': () => drain(peerSource(gateway.url).fetch(cid, { maxBytes: payload.length })),
  'verified download into a store': async () => {
    const fresh = await openPayloadStore(join(folder, `fresh${freshStores++}`));
    await fetchPayload(cid, [peerSource(gateway.url)], { store: fresh });
    await rm(fresh.folder, { recursive: true });
  },
};

const seconds = new Map(Object.keys(measures).map((name): [string, number[]] => [name, []]));
for (let repeat = 0; repeat <= repeats; repeat++) {
  for (const [name, work] of Object.entries(measures)) {
    const start = performance.now();
    await work();
    if (repeat > 0) seconds.get(name)?.push((performance.now() - start) / 1000); // the first turn warms up
  }
}
await gateway.close();
plain.close();
plain.closeAllConnections();
await rm(folder, { recursive: true, force: true });

const speeds = new Map([...seconds].map(([name, list]) => [name, mib / median(list)]));
const ratio = (a: string, b: string): number => (speeds.get(a) ?? Number.NaN) / (speeds.get(b) ?? Number.NaN);
const ratios = {
  'put / plain copy': ratio('put', 'plain copy with fsync'),
  'verified read / SHA-256 in memory': ratio('verified read', 'SHA-256 in memory'),
  'verified read / plain read': ratio('verified read', 'plain read'),
  'verified download / plain download': ratio('verified download', 'plain download'),
};
console.log(`Storage, ${mib} MiB, median of ${repeats}, Node ${process.versions.node}, MiB/s:`);
for (const [name, speed] of speeds) console.log(`  ${name.padEnd(34)} ${speed.toFixed(0).padStart(6)}`);
console.log('Ratios:');
for (const [name, value] of Object.entries(ratios)) console.log(`  ${name.padEnd(36)} ${value.toFixed(2)}`);
console.log(
  `  peak memory of this process: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB (payload in memory included)`,
);
if (values.json !== undefined) {
  const facts = { mib, repeats, node: process.versions.node, mibPerSecond: Object.fromEntries(speeds), ratios };
  await writeFileAtomic(values.json, `${JSON.stringify(facts, undefined, 2)}\n`);
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
