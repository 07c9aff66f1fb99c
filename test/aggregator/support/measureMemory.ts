/** Run as a process of its own: aggregates n updates of d coordinates and prints the most that it held in buffers. */
import { Readable } from 'node:stream';
import { aggregateRound } from '../../../aggregator/aggregateRound.ts';
import { ZERO_HASH } from '../../../protocol/encoding/bytes.ts';
import { referenceEngine } from '../../../protocol/round/engine/referenceEngine.ts';
import { openPayloadStore } from '../../../storage/payloadStore.ts';
import { learning } from './rounds.ts';

const [folder, n, d] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])];
// Big chunks: what is measured is what is held, not how fast a small chunk is.
const parameters = learning(d, 'fedavg', 0, undefined, 4096);
const engine = referenceEngine;
const ROUND = { seed: ZERO_HASH, state: null, previousModel: null };
const store = await openPayloadStore(folder);

/** A payload of `bytes` bytes, padding zero, made as it is stored. */
async function put(seed: number, coordinateBytes: number): Promise<string> {
  const chunks = Math.ceil(d / 4096);
  function* pieces(): Generator<Uint8Array> {
    for (let chunk = 0; chunk < chunks; chunk++) {
      const piece = Buffer.alloc(4096 * coordinateBytes);
      const used = Math.min(4096, d - chunk * 4096) * coordinateBytes;
      for (let i = 0; i < used; i += coordinateBytes) piece[i] = (seed * 31 + chunk + i) & 0xff;
      yield piece;
    }
  }
  return (await store.put(Readable.from(pieces(), { objectMode: true }))).cid;
}

const rows: string[] = [];
for (let row = 0; row < n; row++) rows.push(await put(row, 2));
const model = await put(n, 4);
await aggregateRound(engine, learning(100, 'fedavg', 0), store, await small()); // everything loaded and compiled once
/** What is held, not what waits for its collection: buffers are freed behind the collector's back, so it runs twice. */
async function held(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    globalThis.gc!(); // started with --expose-gc
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().arrayBuffers;
}
const before = await held();
let most = before;
const read = store.blocks.bind(store);
store.blocks = async function* (cid, options) {
  for await (const piece of read(cid, options)) {
    if (cid === rows.at(-1)) {
      most = Math.max(most, await held());
    }
    yield piece;
  }
};
await aggregateRound(engine, parameters, store, { ...ROUND, indices: rows.map((_, i) => i), rows, model });
console.log(JSON.stringify({ heldBytes: most - before, rowBytes: n * d * 2 }));

async function small() {
  const [{ cid: row }, { cid: base }] = [await store.put(new Uint8Array(512)), await store.put(new Uint8Array(1024))];
  return { ...ROUND, indices: [0], rows: [row], model: base };
}
