/** The streamed round against the plain state machine in memory: the same bits, however it is cut and computed. */
import { expect } from 'chai';
import fc from 'fast-check';
import { mixChunk } from '../../../protocol/aggregation/preAggregation/mixing.ts';
import { minimumUpdates, parseRule, RULE_NAMES } from '../../../protocol/aggregation/rule.ts';
import { FED_AVG, hasServerState, Q16, type ServerStep } from '../../../protocol/aggregation/serverStep.ts';
import { countTrimmed, trimSampleStride } from '../../../protocol/aggregation/trimming.ts';
import { commitUpdate } from '../../../protocol/commitment/merkleSum.ts';
import { ZERO_HASH } from '../../../protocol/encoding/bytes.ts';
import { bytesOf, encodeModel, viewInt16, viewInt32 } from '../../../protocol/encoding/vectors.ts';
import { computeRound } from '../../../protocol/round/computeRound.ts';
import { referenceEngine } from '../../../protocol/round/engine/referenceEngine.ts';
import type { RoundEngine } from '../../../protocol/round/engine/roundEngine.ts';
import { createWasmEngine } from '../../../protocol/round/engine/wasmEngine.ts';
import { type MemoryRound, readMemory, runRoundInMemory } from '../../../protocol/round/memoryRound.ts';
import { type LearningParameters, layoutOf } from '../../../protocol/round/parameters.ts';
import type { RoundContext, RoundIo } from '../../../protocol/round/roundIo.ts';
import { runRound } from '../../../protocol/round/runRound.ts';
import { expectError } from '../../client/support/expectError.ts';
import { runs } from '../support/arbitraries.ts';
import { KINDS, randomRound, randomState, roundParameters } from '../support/randomRounds.ts';

const ENGINES: readonly RoundEngine[] = [
  referenceEngine,
  createWasmEngine({ threads: 1 }),
  createWasmEngine({ threads: 3 }),
];
const STEPS: readonly ServerStep[] = [
  FED_AVG,
  { optimizer: 'fedAvgM', learningRateQ16: Q16 / 2, momentumQ16: (Q16 * 9) / 10, secondMomentQ16: 0, adaptivity: 0 },
];

function contextOf(n: number): RoundContext {
  return { indices: Array.from({ length: n }, (_, i) => i), seed: ZERO_HASH };
}

/** What `countTrimmed` counts over whole rows. */
function trimmedOf(
  parameters: LearningParameters,
  payloads: readonly Uint8Array[],
  mixing: Parameters<typeof mixChunk>[0] | null,
) {
  const { rule } = parameters;
  if (rule.combine !== 'trimmedMean') return null;
  const { chunkCount, chunkSize } = layoutOf(parameters);
  const counts = Array.from({ length: mixing?.rows ?? payloads.length }, () => 0);
  for (let chunk = 0; chunk < chunkCount; chunk += trimSampleStride(chunkCount)) {
    const rows = payloads.map((bytes) => viewInt16(bytes).subarray(chunk * chunkSize, (chunk + 1) * chunkSize));
    countTrimmed(counts, mixing === null ? rows : mixChunk(mixing, rows), rule.byzantine);
  }
  return counts;
}

for (const engine of ENGINES) {
  describe(`a streamed round (${engine.name}, threads: ${engine.threads})`, function () {
    this.timeout(60_000);
    after(() => engine.close());

    for (const name of RULE_NAMES) {
      for (const step of STEPS) {
        it(`${name}, ${step.optimizer}: to the bit what the protocol computes in memory`, async () => {
          await fc.assert(
            fc.asyncProperty(
              fc.record({
                f: fc.nat({ max: 3 }),
                more: fc.nat({ max: 6 }),
                dimension: fc.oneof(fc.integer({ min: 1, max: 700 }), fc.constantFrom(4096, 8191)),
                chunkSize: fc.constantFrom(16, 32, 64),
                blockChunks: fc.constantFrom(undefined, 16, 32),
                kind: fc.constantFrom(...KINDS),
                seed: fc.integer(),
              }),
              async ({ f, more, dimension, chunkSize, blockChunks, kind, seed }) => {
                const rule = parseRule(name, f);
                const n = minimumUpdates(rule) + more;
                const parameters = roundParameters({ dimension, chunkSize, rule, serverStep: step });
                const { rows, model, payloads, modelPayload } = randomRound(parameters, n, kind, seed);
                const layout = layoutOf(parameters);
                const state = hasServerState(step) ? randomState(parameters, 1, seed) : null;
                const expected = computeRound(parameters, rows, model, { state: state && viewInt32(state) });
                const options = { commitUpdates: true, ...(blockChunks === undefined ? {} : { blockChunks }) };
                const round: MemoryRound = { rows: payloads, model: modelPayload, state };
                const got = await runRoundInMemory(engine, parameters, contextOf(n), round, options);
                const { model: nextModel, state: nextState, gramPayload, mixing, ...roots } = expected;
                expect(got.roots).to.deep.equal(roots);
                expect(got.model).to.deep.equal(encodeModel(nextModel, layout));
                expect(got.state).to.deep.equal(nextState && bytesOf(nextState));
                expect(got.gramPayload).to.deep.equal(gramPayload);
                expect(got.mixing).to.deep.equal(mixing);
                expect(got.trimmed).to.deep.equal(trimmedOf(parameters, payloads, mixing));
                expect(got.updates).to.deep.equal(
                  payloads.map((bytes) => ({ ...commitUpdate(bytes, layout), zeroPadded: true })),
                );
              },
            ),
            runs(12),
          );
        });
      }
    }

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
