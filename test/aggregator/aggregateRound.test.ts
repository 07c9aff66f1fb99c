import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { aggregateRound } from '../../aggregator/aggregateRound.ts';
import { createRandom } from '../../client/random.ts';
import { ZERO_HASH } from '../../protocol/encoding/bytes.ts';
import { decodeModel, encodeModel, viewInt32 } from '../../protocol/encoding/vectors.ts';
import { computeRound } from '../../protocol/round/computeRound.ts';
import { createWasmEngine } from '../../protocol/round/engine/wasmEngine.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import type { RoundContext } from '../../protocol/round/roundIo.ts';
import { diskFileSystem } from '../../storage/atomicFile.ts';
import { openPayloadStore, type PayloadStore } from '../../storage/payloadStore.ts';
import { expectError } from '../client/support/expectError.ts';
import { until } from '../scenarios/support/world.ts';
import { learning, MOMENTUM, PLAIN, storeVectors } from './support/rounds.ts';

const MEASURE = fileURLToPath(new URL('support/measureMemory.ts', import.meta.url));

const engine = createWasmEngine({ threads: 2 });

/** Rows of participants 0, 1, 2, ... */
function contextOf(rows: readonly unknown[]): RoundContext {
  return { indices: rows.map((_, i) => i), seed: ZERO_HASH };
}

describe('aggregator: aggregateRound', () => {
  let folder: string;
  let store: PayloadStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-aggregate-'));
    store = await openPayloadStore(folder);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const random = createRandom('test', 'aggregateRound');
  const update = (d: number) => Int16Array.from({ length: d }, () => random.nextInt(4001) - 2000);
  const model = (d: number) => Int32Array.from({ length: d }, () => random.nextInt(2 ** 24) - 2 ** 23);

  const CASES: readonly [rule: string, n: number, f: number, d: number][] = [
    ['fedavg', 3, 0, 450],
    ['median', 4, 1, 256],
    ['trimmed-mean', 5, 2, 1000],
    ['krum', 5, 1, 300],
    ['multi-krum', 6, 1, 777],
    ['nnm+trimmed-mean', 5, 1, 513],
  ];
  for (const [rule, n, f, d] of CASES) {
    for (const step of [PLAIN, MOMENTUM]) {
      it(`${rule}, ${step.optimizer}: what the protocol computes in memory, to the bit`, async () => {
        const parameters = learning(d, rule, f, step);
        const rows = Array.from({ length: n }, () => update(d));
        const base = model(d);
        const velocity = step === MOMENTUM ? model(d) : null;
        const cids = await storeVectors(store, parameters, rows, velocity === null ? [base] : [base, velocity]);
        const aggregated = await aggregateRound(engine, parameters, store, {
          ...contextOf(cids.rows),
          rows: cids.rows,
          model: cids.models[0]!,
          state: cids.models[1] ?? null,
          previousModel: null,
        });
        const {
          model: expected,
          state: expectedState,
          gram,
          gramPayload,
          mixing,
          trimmed,
          ...roots
        } = computeRound(parameters, rows, base, {
          state: velocity && viewInt32(encodeModel(velocity, layoutOf(parameters))),
        });
        expect(aggregated.roots).to.deep.equal(roots);
        const layout = layoutOf(parameters);
        expect(decodeModel(await store.readAll(aggregated.modelCid), layout)).to.deep.equal(expected);
        expect(aggregated.stateCid === null).to.equal(velocity === null);
        if (aggregated.stateCid !== null) {
          expect(viewInt32(await store.readAll(aggregated.stateCid))).to.deep.equal(expectedState);
        }
        expect(aggregated.gramCid === null, 'where the Gram tree is').to.equal(gramPayload === null);
        if (aggregated.gramCid !== null) {
          expect(await store.readAll(aggregated.gramCid)).to.deep.equal(gramPayload);
          expect(aggregated.mixing).to.deep.equal(mixing);
        }
        expect(aggregated.gram).to.deep.equal(gram);
        expect(aggregated.trimmed, 'who was trimmed').to.deep.equal(trimmed);
      });
    }
  }

  it('without a server state before it, a stateful step starts from zero', async () => {
    const parameters = learning(300, 'fedavg', 0, MOMENTUM);
    const rows = [update(300), update(300)];
    const base = model(300);
    const cids = await storeVectors(store, parameters, rows, [base]);
    const { roots } = await aggregateRound(engine, parameters, store, {
      ...contextOf(cids.rows),
      rows: cids.rows,
      model: cids.models[0]!,
      state: null,
      previousModel: null,
    });
    expect(roots.modelRoot).to.equal(computeRound(parameters, rows, base).modelRoot);
  });

  it('bytes that changed on the disk are an error, and no model comes of them', async () => {
    const parameters = learning(300, 'multi-krum', 0, MOMENTUM);
    const cids = await storeVectors(store, parameters, [update(300), update(300), update(300)], [model(300)]);
    const path = join(folder, cids.rows[1]!);
    const bytes = await readFile(path);
    bytes[7] = bytes[7]! ^ 2;
    await writeFile(path, bytes);
    const before = await store.list();
    const input = {
      ...contextOf(cids.rows),
      rows: cids.rows,
      model: cids.models[0]!,
      state: null,
      previousModel: null,
    };
    await expectError(() => aggregateRound(engine, parameters, store, input), 'BLOCK_MISMATCH');
    await appendFile(join(folder, cids.models[0]!), 'x');
    await expectError(
      () =>
        aggregateRound(engine, learning(300, 'fedavg', 0, MOMENTUM), store, {
          ...input,
          ...contextOf([cids.rows[0]!]),
          rows: [cids.rows[0]!],
        }),
      'BLOCK_MISMATCH',
    );
    expect(await store.list()).to.deep.equal(before);
  });

  it('a disk that is full is said at once, whichever of model and server state meets it', async () => {
    const d = 600_000; // more than the stream between them buffers
    const parameters = learning(d, 'fedavg', 0, MOMENTUM);
    const cids = await storeVectors(store, parameters, [update(d)], [model(d)]);
    for (const [fails, at] of [
      [0, 'write'],
      [1, 'write'],
      [0, 'open'],
      [1, 'open'],
    ] as const) {
      let opened = 0;
      const full = await openPayloadStore(folder, {
        fileSystem: {
          ...diskFileSystem,
          open: async (path, flags, mode) => {
            const isFull = flags === 'wx' && opened++ === fails;
            if (isFull && at === 'open') throw Object.assign(new Error('full'), { code: 'ENOSPC' });
            const handle = await diskFileSystem.open(path, flags, mode);
            if (!isFull) return handle;
            const writeFile = async () => {
              throw Object.assign(new Error('full'), { code: 'ENOSPC' });
            };
            return {
              writeFile,
              write: handle.write.bind(handle),
              sync: () => handle.sync(),
              close: () => handle.close(),
            };
          },
        },
      });
      const input = {
        ...contextOf(cids.rows),
        rows: cids.rows,
        model: cids.models[0]!,
        state: null,
        previousModel: null,
      };
      await expectError(() => aggregateRound(engine, parameters, full, input), 'DISK_FULL');
      const left = async () => (await readdir(folder)).filter((name) => name.endsWith('.partial'));
      await until('nothing half-written to be left', async () => (await left()).length === 0, 5);
    }
  });

  it('memory is bounded by chunks: ten updates of 8 million coordinates (160 MB) take a fraction of that', async function () {
    this.timeout(180_000);
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', MEASURE, folder, '10', '8000000']);
    const { heldBytes, rowBytes } = JSON.parse(stdout) as { heldBytes: number; rowBytes: number };
    expect(rowBytes).to.equal(10 * 8_000_000 * 2);
    // Measured 20.5 MB: a verified block of 1 MiB for each row, two blocks of chunks, what is being written. Whole: 160.
    expect(heldBytes)
      .to.be.greaterThan(0)
      .and.lessThan(rowBytes / 6);
  });
});
