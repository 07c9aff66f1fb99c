/**
 * A round too large for memory: synthetic updates on the disk, collected and aggregated as an aggregator does, then
 * audited as anybody can. Each part in a process of its own, whose peak memory is what is measured; the default is 20
 * participants and 200 million parameters, 8 GB of updates, and needs 20 GB of disk and some minutes.
 *
 *     node scripts/setup/run.mjs bench/huge.ts [--participants 20] [--parameters 200000000] [--rule nnm+trimmed-mean]
 *                                              [--engine wasm] [--threads N] [--folder DIR] [--json FILE]
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { type AggregatedRound, aggregateRound } from '../aggregator/aggregateRound.ts';
import { commitStoredUpdate } from '../aggregator/storedVectors.ts';
import { parseRule } from '../protocol/aggregation/rule.ts';
import { FED_AVG } from '../protocol/aggregation/serverStep.ts';
import { ModelCommitter } from '../protocol/commitment/merkle.ts';
import { UpdateCommitter } from '../protocol/commitment/merkleSum.ts';
import { type Hex, ZERO_HASH } from '../protocol/encoding/bytes.ts';
import { DEFAULT_CHUNK_SIZE } from '../protocol/encoding/layout.ts';
import { MODEL_COORDINATE_BYTES, UPDATE_COORDINATE_BYTES, viewInt32 } from '../protocol/encoding/vectors.ts';
import { chooseEngine } from '../protocol/round/engine/chooseEngine.ts';
import type { EngineName } from '../protocol/round/engine/roundEngine.ts';
import { type LearningParameters, layoutOf, NO_NORM_BOUND } from '../protocol/round/parameters.ts';
import { writeFileAtomic } from '../storage/atomicFile.ts';
import { openPayloadStore, type PayloadStore } from '../storage/payloadStore.ts';
import { auditPublishedRound } from './support/auditPublishedRound.ts';

const { values } = parseArgs({
  options: {
    participants: { type: 'string', default: '20' },
    parameters: { type: 'string', default: '200000000' },
    rule: { type: 'string', default: 'nnm+trimmed-mean' },
    engine: { type: 'string', default: 'wasm' },
    threads: { type: 'string' },
    folder: { type: 'string' },
    json: { type: 'string' },
    part: { type: 'string' },
  },
});
const n = Number(values.participants);
const dimension = Number(values.parameters);
const threads = values.threads === undefined ? undefined : Number(values.threads);
const engineName = values.engine as EngineName;
const parameters: LearningParameters = {
  dimension,
  chunkSize: DEFAULT_CHUNK_SIZE,
  modelFractionBits: 24,
  updateFractionBits: 16,
  normSqBound: NO_NORM_BOUND,
  rule: parseRule(values.rule, Math.floor(n / 5)),
  serverStep: FED_AVG,
};
const layout = layoutOf(parameters);

interface Stored {
  readonly updates: readonly { readonly cid: string; readonly root: Hex; readonly normSq: string }[];
  readonly genesis: { readonly cid: string; readonly root: Hex };
}

interface Part {
  readonly seconds: number;
  readonly peakRssBytes: number;
  readonly [fact: string]: unknown;
}

const PARTS: Readonly<Record<string, (folder: string, store: PayloadStore) => Promise<Record<string, unknown>>>> = {
  generate: async (folder, store) => {
    const engine = chooseEngine('wasm', 1);
    const updates: Stored['updates'][number][] = [];
    for (let row = 0; row < n; row++) {
      const committer = new UpdateCommitter(layout, engine.hasher);
      const pieces = synthetic(row, UPDATE_COORDINATE_BYTES, (piece) => committer.appendChunks(piece));
      const { cid } = await store.put(pieces);
      const { root, normSq } = committer.finish();
      updates.push({ cid, root, normSq: String(normSq) });
    }
    const committer = new ModelCommitter(layout, engine.hasher);
    const pieces = synthetic(n, MODEL_COORDINATE_BYTES, (piece) => committer.appendChunks(viewInt32(piece)));
    const { cid } = await store.put(pieces);
    await writeFileAtomic(
      join(folder, 'stored.json'),
      JSON.stringify({ updates, genesis: { cid, root: committer.finish() } } satisfies Stored),
    );
    return {};
  },

  aggregate: async (folder, store) => {
    const { updates, genesis } = await readJson<Stored>(folder, 'stored.json');
    const engine = chooseEngine(engineName, threads);
    const since = performance.now();
    for (const { cid, root } of updates) {
      const found = await commitStoredUpdate(store, cid, layout, engine.hasher);
      if (found.root !== root) throw new Error(`the root of ${cid} is ${found.root}, not ${root}`);
    }
    const collectSeconds = (performance.now() - since) / 1000;
    const { modelCid, gramCid, stateCid, roots, gram, mixing, trimmed } = await aggregateRound(
      engine,
      parameters,
      store,
      {
        rows: updates.map(({ cid }) => cid),
        indices: updates.map((_, i) => i),
        seed: ZERO_HASH,
        model: genesis.cid,
        state: null,
        previousModel: null,
      },
    );
    await engine.close();
    const aggregated = {
      ...{ modelCid, gramCid, stateCid, roots, trimmed },
      gram: gram === null ? null : Array.from(gram.values, String),
      mixing: mixing === null ? null : { ...mixing, weights: [...mixing.weights] },
    };
    await writeFileAtomic(join(folder, 'aggregated.json'), JSON.stringify(aggregated));
    return { collectSeconds, roots };
  },

  audit: async (folder, store) => {
    const stored = await readJson<Stored>(folder, 'stored.json');
    const { gram, mixing, ...rest } = await readJson<Aggregated>(folder, 'aggregated.json');
    const aggregated = {
      ...rest,
      gram: gram === null ? null : { n, values: BigInt64Array.from(gram, BigInt) },
      mixing: mixing === null ? null : { ...mixing, weights: Int32Array.from(mixing.weights) },
    };
    const updates = stored.updates.map(({ normSq, ...update }) => ({ ...update, normSq: BigInt(normSq) }));
    await mkdir(join(folder, 'audit'));
    const { ok, findings } = await auditPublishedRound(
      store,
      { parameters, updates, genesis: stored.genesis, aggregated, seed: ZERO_HASH },
      { engine: engineName, workFolder: join(folder, 'audit'), ...(threads === undefined ? {} : { threads }) },
    );
    if (!ok) throw new Error(`the audit found: ${JSON.stringify(findings)}`);
    return { findings: findings.length };
  },
};

type Aggregated = Omit<AggregatedRound, 'gram' | 'mixing' | 'weights'> & {
  readonly gram: readonly string[] | null;
  readonly mixing: { rows: number; columns: number; denominator: number; weights: number[] } | null;
};

/** Small integers, the same ones for every row but in another order; zero beyond the last coordinate. */
function* syntheticPieces(row: number, coordinateBytes: number): Generator<Uint8Array> {
  const width = layout.chunkSize * 1024;
  const pool = coordinateBytes === UPDATE_COORDINATE_BYTES ? new Int16Array(8 * width) : new Int32Array(8 * width);
  let state = 0x9e3779b9;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let i = 0; i < pool.length; i++) pool[i] = (next() % 4001) - 2000;
  state = (row + 1) * 0x01000193;
  for (let start = 0; start < layout.chunkCount * layout.chunkSize; start += width) {
    const length = Math.min(width, layout.chunkCount * layout.chunkSize - start);
    const from = next() % (7 * width);
    const piece = pool.slice(from, from + length);
    piece.fill(0, Math.max(0, Math.min(length, dimension - start)));
    yield new Uint8Array(piece.buffer);
  }
}

async function* synthetic(
  row: number,
  coordinateBytes: number,
  look: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for (const piece of syntheticPieces(row, coordinateBytes)) {
    look(piece);
    yield piece;
  }
}

async function readJson<Content>(folder: string, name: string): Promise<Content> {
  return JSON.parse(await readFile(join(folder, name), 'utf8')) as Content;
}

/** Runs one part and prints what it took. */
async function runPart(name: string, folder: string): Promise<void> {
  const store = await openPayloadStore(join(folder, 'store'));
  const since = performance.now();
  const facts = await PARTS[name]!(folder, store);
  const part: Part = {
    ...facts,
    seconds: (performance.now() - since) / 1000,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
  console.log(JSON.stringify(part));
}

async function runAll(): Promise<void> {
  const folder = await mkdtemp(join(values.folder ?? tmpdir(), 'assay-bench-huge-'));
  const gigabytes = (n * layout.chunkCount * layout.chunkSize * UPDATE_COORDINATE_BYTES) / 1e9;
  console.log(`${n} updates of ${dimension} parameters, ${gigabytes.toFixed(2)} GB, ${values.rule}, ${engineName}`);
  const facts: Record<string, Part> = {};
  try {
    for (const name of Object.keys(PARTS)) {
      const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--folder', folder, '--part', name];
      const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 });
      const part = JSON.parse(stdout.trim().split('\n').at(-1)!) as Part;
      facts[name] = part;
      const speed = `${(gigabytes / part.seconds).toFixed(2)} GB/s of updates`;
      const peak = `${(part.peakRssBytes / 2 ** 20).toFixed(0).padStart(6)} MiB at most`;
      console.log(`${name.padEnd(10)} ${part.seconds.toFixed(1).padStart(7)} s  ${peak}  ${speed}`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  if (values.json !== undefined) {
    const setting = { participants: n, parameters: dimension, rule: values.rule, engine: engineName, gigabytes };
    await writeFileAtomic(
      values.json,
      `${JSON.stringify({ command: 'bench huge', ...setting, parts: facts }, null, 2)}\n`,
    );
  }
}

if (values.part === undefined) await runAll();
else await runPart(values.part, values.folder!);
