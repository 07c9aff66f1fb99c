/** The streamed round against the plain state machine in memory: the same bits, however it is cut and computed. */
import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Mixing } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import {
  COMBINES,
  LAST_WORDS,
  minimumUpdates,
  parseRule,
  RULE_NAMES,
  type Rule,
  type RuleOptions,
} from '../../../protocol/aggregation/rule.ts';
import { FED_AVG, Q16, type ServerStep, stateVectors } from '../../../protocol/aggregation/serverStep.ts';
import { commitUpdate } from '../../../protocol/commitment/merkleSum.ts';
import { concatBytes, ZERO_HASH } from '../../../protocol/encoding/bytes.ts';
import { bytesOf, encodeModel, encodeUpdate, viewInt16, viewInt32 } from '../../../protocol/encoding/vectors.ts';
import { blockLayout } from '../../../protocol/round/blockLayout.ts';
import { computeRound } from '../../../protocol/round/computeRound.ts';
import { chooseEngine } from '../../../protocol/round/engine/chooseEngine.ts';
import { referenceEngine } from '../../../protocol/round/engine/referenceEngine.ts';
import type { RoundEngine } from '../../../protocol/round/engine/roundEngine.ts';
import type { StartThread } from '../../../protocol/round/engine/thread.ts';
import { startThread } from '../../../protocol/round/engine/threads.node.ts';
import { createWasmEngine } from '../../../protocol/round/engine/wasmEngine.ts';
import { type MemoryRound, readMemory, runRoundInMemory } from '../../../protocol/round/memoryRound.ts';
import { layoutOf } from '../../../protocol/round/parameters.ts';
import type { RoundContext, RoundIo } from '../../../protocol/round/roundIo.ts';
import { runRound } from '../../../protocol/round/runRound.ts';
import { expectError } from '../../client/support/expectError.ts';
import { runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';
import {
  KINDS,
  randomModel,
  randomRound,
  randomState,
  randomUpdate,
  roundParameters,
  xorshift,
} from '../support/randomRounds.ts';

const ENGINES: readonly RoundEngine[] = [
  referenceEngine,
  createWasmEngine({ threads: 1 }),
  createWasmEngine({ threads: 3 }),
];
const nameOf = ({ name, threads }: RoundEngine) => `${name}, threads: ${threads}`;
const NONE = { momentumQ16: 0, secondMomentQ16: 0, adaptivity: 0 };
const MOMENTS = { learningRateQ16: Q16 / 8, momentumQ16: (Q16 * 9) / 10, adaptivity: 1 << 14 };
const STEPS: readonly ServerStep[] = [
  FED_AVG,
  { ...NONE, optimizer: 'fedAvgM', learningRateQ16: Q16 / 2, momentumQ16: (Q16 * 9) / 10 },
  { ...MOMENTS, optimizer: 'fedAdagrad', momentumQ16: 0, secondMomentQ16: 0 },
  { ...MOMENTS, optimizer: 'fedAdam', secondMomentQ16: 64_880 },
  { ...MOMENTS, optimizer: 'fedYogi', secondMomentQ16: 64_880 },
];
/** Those of `RULE_NAMES`, and what every stage of the protocol makes of them. */
const RULES: readonly string[] = [
  ...RULE_NAMES,
  ...LAST_WORDS.filter((word) => !RULE_NAMES.includes(word)),
  'bucketing+krum',
  'arc+nnm+trimmed-mean',
  'nnm+centered-clipping',
  'nnm+caf',
];
function optionsOf(name: string): RuleOptions {
  return name.endsWith('centered-clipping') ? { radius: 900n } : {};
}

/** How a round is cut, and its data. */
const shape = fc.record({
  f: fc.nat({ max: 3 }),
  more: fc.nat({ max: 6 }),
  dimension: fc.oneof(fc.integer({ min: 1, max: 700 }), fc.constantFrom(4096, 9001)),
  chunkSize: fc.constantFrom(16, 32, 64, 512),
  blockChunks: fc.constantFrom(undefined, 16, 32),
  kind: fc.constantFrom(...KINDS),
  step: fc.constantFrom(...STEPS),
  seed: fc.integer(),
});

function contextOf(n: number): RoundContext {
  return { indices: Array.from({ length: n }, (_, i) => 3 * i + 1), seed: `0x${'5e'.repeat(32)}` };
}

describe('a streamed round', function () {
  this.timeout(60_000);
  after(() => Promise.all(ENGINES.map((engine) => engine.close())));

  for (const name of RULES) {
    it(`${name}: to the bit what the protocol computes in memory, by every engine`, async () => {
      await fc.assert(
        fc.asyncProperty(shape, async ({ f, more, dimension, chunkSize, blockChunks, kind, step, seed }) => {
          const rule = parseRule(name, f, optionsOf(name));
          const n = minimumUpdates(rule) + more;
          const parameters = roundParameters({ dimension, chunkSize, rule, serverStep: step });
          const { rows, model, payloads, modelPayload } = randomRound(parameters, n, kind, seed);
          const layout = layoutOf(parameters);
          const planes = stateVectors(step);
          const state = planes === 0 ? null : randomState(parameters, planes, seed);
          const previousModel = seed % 2 === 0 ? null : randomModel(dimension, xorshift(seed));
          const context = contextOf(n);
          const expected = computeRound(parameters, rows, model, {
            state: state && viewInt32(state),
            context,
            previousModel,
          });
          const { model: nextModel, state: nextState, gram, gramPayload, mixing, trimmed, ...roots } = expected;
          const updates = payloads.map((bytes) => ({ ...commitUpdate(bytes, layout), zeroPadded: true }));
          const options = { commitUpdates: true, ...(blockChunks === undefined ? {} : { blockChunks }) };
          const round: MemoryRound = {
            rows: payloads,
            model: modelPayload,
            state,
            previousModel: previousModel && encodeModel(previousModel, layout),
          };
          for (const engine of ENGINES) {
            const got = await runRoundInMemory(engine, parameters, context, round, options);
            expect(got.roots, nameOf(engine)).to.deep.equal(roots);
            expect(got.model).to.deep.equal(encodeModel(nextModel, layout));
            expect(got.state).to.deep.equal(nextState && bytesOf(nextState));
            expect(got.gram).to.deep.equal(gram);
            expect(got.gramPayload).to.deep.equal(gramPayload);
            expect(got.mixing).to.deep.equal(mixing);
            expect(got.trimmed).to.deep.equal(trimmed);
            expect(got.updates).to.deep.equal(updates);
          }
        }),
        runs(12),
      );
    });
  }

  it('the order of the rows changes nothing, where no two are equally far', async () => {
    const names = ['fedavg', 'median', 'trimmed-mean', 'meamed', 'multi-krum', 'nnm+trimmed-mean', 'geometric-median'];
    const property = fc.asyncProperty(fc.constantFrom(...names), fc.integer(), async (name, seed) => {
      const next = xorshift(seed);
      const rule = parseRule(name, 2);
      const n = 7 + (next() % 3);
      const parameters = roundParameters({ dimension: 900, chunkSize: 32, rule, serverStep: FED_AVG });
      const layout = layoutOf(parameters);
      const payloads = Array.from({ length: n }, () => encodeUpdate(randomUpdate(900, 'large', next), layout));
      const model = encodeModel(randomModel(900, next), layout);
      const shuffled = [...payloads].sort(() => (next() % 2) - 0.5);
      const [one, other] = await Promise.all(
        [payloads, shuffled].map((rows) => runRoundInMemory(ENGINES[1]!, parameters, contextOf(n), { rows, model })),
      );
      expect(other!.roots.modelRoot).to.equal(one!.roots.modelRoot);
    });
    await fc.assert(property, runs(30));
  });

  for (const combine of COMBINES) {
    it(`${combine} of rows mixed by any matrix: the same by every engine`, async () => {
      const property = fc.asyncProperty(
        shape,
        fc.constantFrom(1, 3, 2 ** 9, 2 ** 15, 2 ** 20, 2 ** 29),
        async ({ more, dimension, chunkSize, kind, seed }, largest) => {
          const [n, m] = [more + 7, 5 + ((seed >>> 3) % 3)];
          const next = xorshift(seed);
          const most = Math.max(1, Math.floor(largest / n));
          const weights = Int32Array.from({ length: m * n }, () =>
            next() % 3 === 0 ? 0 : largest === 1 ? 1 : (next() % (2 * most + 1)) - most,
          );
          const mixing: Mixing = { rows: m, columns: n, weights, denominator: 1 + (next() % largest) };
          const rule: Rule = combine === 'bulyan' ? parseRule('bulyan', 1) : { ...parseRule('median', 1), combine };
          const parameters = roundParameters({ dimension, chunkSize, rule, serverStep: FED_AVG });
          const { payloads, modelPayload } = randomRound(parameters, n, kind, seed);
          const round = { rows: payloads, model: modelPayload };
          const [expected, ...others] = await Promise.all(
            ENGINES.map((engine) => runRoundInMemory(engine, parameters, contextOf(n), round, { mixing })),
          );
          for (const other of others) expect(other).to.deep.equal(expected);
        },
      );
      await fc.assert(property, runs(12));
    });
  }
});

for (const engine of ENGINES) {
  describe(`a streamed round (${nameOf(engine)})`, function () {
    this.timeout(20_000);
    after(() => engine.close());

    it('mixes by a given matrix, whatever the rule would have chosen', async () => {
      const parameters = roundParameters({
        dimension: 100,
        chunkSize: 16,
        rule: parseRule('krum', 0),
        serverStep: FED_AVG,
      });
      const { payloads, modelPayload } = randomRound(parameters, 3, 'ordinary', 7);
      const mixing = { rows: 1, columns: 3, weights: Int32Array.of(0, 0, 1), denominator: 1 };
      const round = { rows: payloads, model: modelPayload };
      const got = await runRoundInMemory(engine, parameters, contextOf(3), round, { mixing });
      expect(got.gram).to.equal(null);
      expect(got.roots.gramRoot).to.equal(ZERO_HASH);
      const [first, last] = [viewInt32(modelPayload)[0]!, viewInt16(payloads[2]!)[0]!];
      expect(viewInt32(got.model)[0]).to.equal(Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, first + last * 256)));
    });

    it('follows no matrix by which nobody could have mixed', async () => {
      const rule = parseRule('nnm+trimmed-mean', 1);
      const parameters = roundParameters({ dimension: 100, chunkSize: 16, rule, serverStep: FED_AVG });
      const { payloads: rows, modelPayload: model } = randomRound(parameters, 4, 'ordinary', 7);
      const mixing: Mixing = { rows: 4, columns: 4, weights: new Int32Array(16).fill(2 ** 27), denominator: 2 ** 29 };
      const run = (given: Partial<Mixing>) =>
        runRoundInMemory(engine, parameters, contextOf(4), { rows, model }, { mixing: { ...mixing, ...given } });
      expect((await run({})).mixing).to.deep.equal(mixing);
      await expectError(() => run({ rows: 5, weights: new Int32Array(20) }), 'ROUND_INPUT');
      await expectError(() => run({ columns: 3, weights: new Int32Array(12) }), 'ROUND_INPUT');
      await expectError(() => run({ rows: 2, weights: new Int32Array(8) }), 'ROUND_INPUT'); // nothing left to trim
      await expectError(() => run({ weights: new Int32Array(15) }), 'ROUND_INPUT');
      await expectError(() => run({ weights: new Int32Array(16).fill(2 ** 27 + 1) }), 'ROUND_INPUT');
      for (const denominator of [0, 1.5, 2 ** 29 + 1]) await expectError(() => run({ denominator }), 'ROUND_INPUT');
    });

    it('says which updates are not zero beyond their last coordinate', async () => {
      const parameters = roundParameters({
        dimension: 100,
        chunkSize: 16,
        rule: parseRule('median', 0),
        serverStep: FED_AVG,
      });
      const { payloads, modelPayload } = randomRound(parameters, 2, 'ordinary', 7);
      viewInt16(payloads[1]!)[111] = 3;
      const got = await runRoundInMemory(
        engine,
        parameters,
        contextOf(2),
        { rows: payloads, model: modelPayload },
        { commitUpdates: true },
      );
      expect(got.updates?.map(({ zeroPadded }) => zeroPadded)).to.deep.equal([true, false]);
    });

    it('whoever cannot read or write says so, and nothing is read or written afterwards', async () => {
      const parameters = roundParameters({
        dimension: 16 * 16 * 20,
        chunkSize: 16,
        rule: parseRule('nnm+trimmed-mean', 1),
        serverStep: FED_AVG,
      });
      const { payloads, modelPayload } = randomRound(parameters, 4, 'ordinary', 7);
      for (const failing of ['row', 'model', 'writeModel', 'writeGram'] as const) {
        let calls = 0;
        let after = 0;
        let failed = false;
        const later = async (name: string, act: () => void): Promise<void> => {
          if (failed) after++;
          await new Promise((resolve) => setImmediate(resolve));
          if (name === failing && ++calls === 3) {
            failed = true;
            throw new Error('the disk is on fire');
          }
          act();
        };
        const io: RoundIo = {
          rows: payloads.map(
            (bytes, i) => (from, into) => later(i === 2 ? 'row' : '', () => void readMemory(bytes)(from, into)),
          ),
          model: (from, into) => later('model', () => void readMemory(modelPayload)(from, into)),
          state: null,
          previousModel: null,
          writeModel: () => later('writeModel', () => undefined),
          writeGram: () => later('writeGram', () => undefined),
        };
        const error = await runRound(engine, parameters, contextOf(4), io, { blockChunks: 16 }).then(
          () => undefined,
          (cause: Error) => cause,
        );
        expect(error?.message, failing).to.equal('the disk is on fire');
        const seen = after;
        await new Promise((resolve) => setTimeout(resolve, 20));
        expect(after, `${failing}: calls after the end`).to.equal(seen);
      }
    });

    it('reads in the second pass only the rows that it cannot do without', async () => {
      // Twelve blocks of 512 coordinates; in every third the rows that are taken are too large for their sum.
      const rule = parseRule('multi-krum', 2);
      const parameters = roundParameters({ dimension: 6000, chunkSize: 32, rule, serverStep: FED_AVG });
      const layout = layoutOf(parameters);
      const next = xorshift(31);
      const common = Int16Array.from({ length: 6000 }, (_, k) => {
        const block = Math.floor(k / 512);
        return block % 3 === 1 ? 20_000 - (next() % 40_000) : (next() % 2000) - 1000;
      });
      const rows = Array.from({ length: 9 }, (_, i) =>
        i === 3 || i === 6 ? randomUpdate(6000, 'large', next) : common.map((q) => q + (next() % 64)),
      );
      const payloads = rows.map((row) => encodeUpdate(row, layout));
      const round = { rows: payloads, model: encodeModel(randomModel(6000, next), layout) };
      const expected = await runRoundInMemory(referenceEngine, parameters, contextOf(9), round, { blockChunks: 16 });
      const asked = payloads.map(() => [] as number[]);
      const io: RoundIo = {
        rows: payloads.map((bytes, i) => (from, into) => {
          asked[i]!.push(from / 1024);
          return readMemory(bytes)(from, into);
        }),
        model: readMemory(round.model),
        state: null,
        previousModel: null,
      };
      const { roots, mixing } = await runRound(engine, parameters, contextOf(9), io, { blockChunks: 16 });
      expect(roots).to.deep.equal(expected.roots);
      expect(mixing).to.deep.equal(expected.mixing);
      const all = Array.from({ length: 12 }, (_, block) => block);
      for (const [i, blocks] of asked.entries()) {
        const isTaken = i !== 3 && i !== 6;
        const second = all.filter((block) => engine.name === 'reference' || isTaken === (block % 3 === 1));
        expect(blocks, `row ${i}`).to.deep.equal([...all, ...second]);
      }
      const path = join(await mkdtemp(join(tmpdir(), 'assay-rows-')), 'rows');
      await writeFile(path, concatBytes(...payloads));
      const file = await open(path);
      const rowFiles = payloads.map((bytes, i) => ({ descriptor: file.fd, byteOffset: i * bytes.length }));
      const again = await runRound(engine, parameters, contextOf(9), { ...io, rowFiles }, { blockChunks: 16 });
      expect(again.roots, 'from files').to.deep.equal(expected.roots);
      await file.close();
      await rm(dirname(path), { recursive: true });
    });

    it('reads rows where they lie in files, and is told of files that end early', async () => {
      const rule = parseRule('centered-clipping', 2, { radius: 900n });
      const parameters = roundParameters({ dimension: 9001, chunkSize: 32, rule, serverStep: FED_AVG });
      const { payloads, modelPayload } = randomRound(parameters, 6, 'ordinary', 11);
      const options = { blockChunks: 16, commitUpdates: true };
      const round = { rows: payloads, model: modelPayload };
      const expected = await runRoundInMemory(referenceEngine, parameters, contextOf(6), round, options);
      const path = join(await mkdtemp(join(tmpdir(), 'assay-rows-')), 'rows');
      await writeFile(path, concatBytes(new Uint8Array(100), ...payloads));
      const file = await open(path);
      try {
        const asked = new Set<number>();
        const io: RoundIo = {
          rows: payloads.map((bytes, i) => (from, into) => {
            asked.add(i);
            return readMemory(bytes)(from, into);
          }),
          // All but the last row, which is where `rows` says.
          rowFiles: payloads.map((bytes, i) =>
            i === 5 ? null : { descriptor: file.fd, byteOffset: 100 + i * bytes.length },
          ),
          model: readMemory(modelPayload),
          state: null,
          previousModel: null,
        };
        const { roots, updates } = await runRound(engine, parameters, contextOf(6), io, options);
        expect(roots).to.deep.equal(expected.roots);
        expect(updates).to.deep.equal(expected.updates);
        expect([...asked].sort()).to.deep.equal(engine.threads === 1 ? [0, 1, 2, 3, 4, 5] : [5]);
        if (engine.threads === 1) return;
        await file.close();
        const short = await open(path, 'r+');
        await short.truncate(100 + 3 * payloads[0]!.length - 1);
        const error = await runRound(
          engine,
          parameters,
          contextOf(6),
          { ...io, rowFiles: io.rowFiles!.map((range) => range && { ...range, descriptor: short.fd }) },
          options,
        ).then(
          () => undefined,
          (cause: Error) => cause,
        );
        await short.close();
        expect(error).to.include({ code: 'ROUND_INPUT' });
      } finally {
        await file.close();
        await rm(dirname(path), { recursive: true });
      }
    });

    it('refuses too few rows, wrong contexts and block sizes', async () => {
      const parameters = roundParameters({
        dimension: 100,
        chunkSize: 16,
        rule: parseRule('median', 1),
        serverStep: FED_AVG,
      });
      const { payloads: rows, modelPayload: model } = randomRound(parameters, 3, 'ordinary', 7);
      const run = (count: number, context: RoundContext, blockChunks = 16) =>
        runRoundInMemory(engine, parameters, context, { rows: rows.slice(0, count), model }, { blockChunks });
      await expectError(() => run(2, contextOf(2)), 'TOO_FEW_UPDATES');
      await expectError(() => run(3, contextOf(2)), 'ROUND_INPUT');
      await expectError(() => run(3, contextOf(3), 8), 'BLOCK_CHUNKS');
      await expectError(() => run(3, contextOf(3), 48), 'BLOCK_CHUNKS');
    });
  });
}

describe('threads of the engine', function () {
  this.timeout(20_000);
  const parameters = roundParameters({
    dimension: 16 * 16 * 12,
    chunkSize: 16,
    rule: parseRule('trimmed-mean', 1),
    serverStep: FED_AVG,
  });
  const { payloads: rows, modelPayload: model } = randomRound(parameters, 4, 'ordinary', 7);
  const run = (engine: RoundEngine) =>
    runRoundInMemory(engine, parameters, contextOf(4), { rows, model }, { blockChunks: 16 });

  it('a thread that dies is one clear error, and the next round has new ones', async () => {
    let started = 0;
    const dying: StartThread = (setup, onReply, onDeath) => {
      if (++started > 2) return startThread(setup, onReply, onDeath);
      const worker = new Worker("require('node:worker_threads').parentPort.once('message', () => process.exit(9))", {
        eval: true,
      });
      worker.once('exit', () => onDeath('it was shot'));
      return {
        post: (message) => worker.postMessage(message),
        keepAlive: () => undefined,
        end: async () => void (await worker.terminate()),
      };
    };
    const engine = createWasmEngine({ threads: 2, start: dying });
    await expectError(() => run(engine), 'THREAD_DIED', /it was shot/);
    expect((await run(engine)).roots).to.deep.equal((await run(referenceEngine)).roots);
    expect(started).to.equal(4);
    await engine.close();
  });

  it('rounds that are asked for at once are computed one after the other, all of them right', async () => {
    const engine = createWasmEngine({ threads: 2 });
    const expected = (await run(referenceEngine)).roots;
    const results = await Promise.all([run(engine), run(engine), run(engine)]);
    for (const { roots } of results) expect(roots).to.deep.equal(expected);
    await engine.close();
  });

  it('an engine that nobody closes does not keep the process alive', async () => {
    const at = (path: string) => new URL(`../../../protocol/${path}`, import.meta.url);
    const script = `
      import { parseRule } from '${at('aggregation/rule.ts')}';
      import { createWasmEngine } from '${at('round/engine/wasmEngine.ts')}';
      import { runRoundInMemory } from '${at('round/memoryRound.ts')}';
      const numbers = ${JSON.stringify({ ...parameters, normSqBound: 0, rule: null })};
      const vector = (bytes) => new Uint8Array(numbers.dimension * bytes);
      const round = { rows: [1, 2, 3, 4].map(() => vector(2)), model: vector(4) };
      const context = { indices: [0, 1, 2, 3], seed: '0x' };
      const parameters = { ...numbers, rule: parseRule('trimmed-mean', 1) };
      await runRoundInMemory(createWasmEngine({ threads: 2 }), parameters, context, round, { blockChunks: 16 });
      console.log('done');`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      timeout: 15_000,
    });
    expect(stdout).to.equal('done\n');
  });

  it('64 of them have room in the memory of the kernels, however few rows a huge model has and whatever its state', async () => {
    const start: StartThread = () => ({ post() {}, keepAlive() {}, end: async () => undefined });
    for (const [n, chunkSize] of [
      [1, 256],
      [8, 16],
      [100, 4096],
    ] as const) {
      const engine = createWasmEngine({ threads: 64, start });
      const rule = parseRule('nnm+fedavg', 0);
      const parameters = roundParameters({ dimension: 2 ** 31, chunkSize, rule, serverStep: STEPS[3]! });
      const blocks = blockLayout(layoutOf(parameters), n);
      const computer = await engine.open({
        parameters,
        blocks,
        updates: n,
        rows: n,
        statePlanes: 3,
        rowFiles: [],
        isAnalysed: true,
      });
      expect(computer.slots.length, `${n} rows`).to.equal(129);
      computer.release();
    }
  });

  it('there are from 1 to 64 of them', () => {
    for (const threads of [0, 1.5, 65]) expectAssayError('ENGINE_THREADS', () => createWasmEngine({ threads }));
    expectAssayError('ENGINE_THREADS', () => chooseEngine('reference', 2));
    expect(chooseEngine('reference', 1)).to.equal(referenceEngine);
    expect(chooseEngine('wasm', 5).threads).to.equal(5);
  });
});
