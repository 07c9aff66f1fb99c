import { expect } from 'chai';
import { memoryPayload } from '../../../auditor/payloads/payload.ts';
import { Spools } from '../../../auditor/payloads/spool.ts';
import { type ReplayInput, replayRound } from '../../../auditor/replay/replayRound.ts';
import { spotCheck } from '../../../auditor/replay/spotCheck.ts';
import { BulkHasher } from '../../../protocol/commitment/bulkHasher.ts';
import { cidFromBytes } from '../../../protocol/encoding/cid.ts';
import { bytesOf } from '../../../protocol/encoding/vectors.ts';
import { FED_AVG, parseRule, type ServerStep } from '../../../protocol/index.ts';
import { createKernelMemory, loadKernels } from '../../../protocol/kernels/kernelModule.ts';
import { referenceEngine } from '../../../protocol/round/engine/referenceEngine.ts';
import type { BlockBuffers, BlockComputer, RoundEngine } from '../../../protocol/round/engine/roundEngine.ts';
import { createWasmEngine } from '../../../protocol/round/engine/wasmEngine.ts';
import { expectError } from '../../client/support/expectError.ts';
import { buildWorld, revealsOfRound } from '../fixtures/federation.ts';
import { MOMENTUM } from '../fixtures/serverSteps.ts';

/** An engine whose kernels have a defect: it does the reference's work, and then `spoil` does its own. */
function defective(spoil: {
  readonly combined?: (buffers: BlockBuffers) => void;
  readonly analysed?: (gramPayload: Uint8Array) => void;
  readonly hasher?: BulkHasher;
}): RoundEngine {
  return {
    ...referenceEngine,
    name: 'wasm',
    hasher: spoil.hasher ?? null,
    async open(shape) {
      const computer = await referenceEngine.open(shape);
      const wrapped: BlockComputer = {
        slots: computer.slots,
        hasThreads: false,
        mixBy: (mixing) => computer.mixBy(mixing),
        rowsOf: (block) => computer.rowsOf(block),
        release: () => computer.release(),
        async analyse(slot, chunks, wants) {
          const analysis = await computer.analyse(slot, chunks, wants);
          if (analysis.gram !== null) spoil.analysed?.(analysis.gram.payload);
          return analysis;
        },
        async combine(slot, chunks, wants) {
          const combined = await computer.combine(slot, chunks, wants);
          spoil.combined?.(computer.slots[slot]!);
          return combined;
        },
      };
      return wrapped;
    },
  };
}

describe('the spot check of a replay', () => {
  const spools = new Spools();
  after(() => spools.close());

  const inputOf = (serverStep: ServerStep, name = 'nnm+trimmed-mean'): ReplayInput => {
    const world = buildWorld({ rule: parseRule(name, 2), serverStep, rounds: 2, dimension: 3000 });
    const submissions = revealsOfRound(world, 2);
    return {
      parameters: world.facts.parameters,
      context: { indices: submissions.map(({ index }) => index), seed: `0x${'00'.repeat(32)}` },
      rows: submissions.map(({ cid }) => memoryPayload(world.payloads.get(cidFromBytes(cid))!)),
      base: memoryPayload(bytesOf(world.models[1]!)),
      state: serverStep === FED_AVG ? null : memoryPayload(bytesOf(world.models[0]!)), // any numbers will do
      previousModel: memoryPayload(bytesOf(world.models[0]!)),
    };
  };
  const check = async (engine: RoundEngine, input: ReplayInput) => {
    await spotCheck(input, await replayRound({ engine, spools }, input), engine);
  };

  it('passes what is right, by the reference and by the kernels', async () => {
    const wasm = createWasmEngine({ threads: 1 });
    for (const serverStep of [FED_AVG, MOMENTUM]) {
      for (const name of ['fedavg', 'median', 'multi-krum', 'nnm+trimmed-mean']) {
        await check(referenceEngine, inputOf(serverStep, name));
        await check(wasm, inputOf(serverStep, name));
      }
    }
  });

  it('tells a defect of the kernels in any of the numbers, whatever the roots say', async () => {
    const hasher = new BulkHasher(loadKernels(createKernelMemory()));
    const right = hasher.updateSubtrees.bind(hasher);
    hasher.updateSubtrees = function* (...range) {
      for (const subtree of right(...range)) yield { ...subtree, sum: subtree.sum + 1n };
    };
    const everyChunk = (vector: Int32Array) => {
      for (let k = 5; k < vector.length; k += 32) vector[k] = vector[k]! + 1;
    };
    const everyEntry = (gramPayload: Uint8Array) => {
      for (let at = 7; at < gramPayload.length; at += 8) gramPayload[at]! ^= 1;
    };
    for (const [engine, serverStep, words] of [
      [defective({ combined: ({ model }) => everyChunk(model) }), FED_AVG, /wasm engine.*chunk \d+, the model/],
      [defective({ combined: ({ state }) => everyChunk(state) }), MOMENTUM, /chunk \d+, the server state/],
      [defective({ analysed: everyEntry }), FED_AVG, /the Gram matrix/],
      [defective({ hasher }), FED_AVG, /a hash of an update/],
    ] as const) {
      const error = await expectError(() => check(engine, inputOf(serverStep)), 'KERNEL_DISAGREES', words);
      expect(error.message).to.contain('--engine reference');
    }
  });
});
