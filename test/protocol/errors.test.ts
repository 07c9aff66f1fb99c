import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { decodeFileNode, UnixfsFileBuilder } from '../../protocol/encoding/unixfsFile.ts';
import { AssayError } from '../../protocol/errors.ts';
import * as protocol from '../../protocol/index.ts';
import { Arena } from '../../protocol/kernels/arena.ts';
import { compileKernels, createKernelMemory } from '../../protocol/kernels/kernelModule.ts';
import { startThread } from '../../protocol/round/engine/threads.portable.ts';

const layout = protocol.vectorLayout(20, 16);
const parameters = {
  dimension: 20,
  chunkSize: 16,
  modelFractionBits: 24,
  updateFractionBits: 16,
  normSqBound: protocol.NO_NORM_BOUND,
  rule: protocol.parseRule('median', 1),
  serverStep: protocol.FED_AVG,
};

/** One way to meet every error of the protocol. */
const ways: Record<string, () => unknown> = {
  ABI_WORD: () => protocol.abiWord('0x12'),
  BLOCK_CHUNKS: () => protocol.blockLayout(layout, 3, 5),
  CID_INVALID: () => protocol.parseCid('bafy'),
  ENGINE_THREADS: () => protocol.chooseEngine('reference', 2),
  EVIDENCE: () => protocol.parseEvidence(new TextEncoder().encode('{}')),
  FRACTION_BITS: () => protocol.checkLearningParameters({ ...parameters, updateFractionBits: 25 }),
  GRAM_LENGTH: () => protocol.decodeGramMatrix(new Uint8Array(7), 1),
  HEX: () => protocol.fromHex('beef'),
  JSON_VALUE: () => protocol.canonicalJson(Number.NaN),
  KERNEL_MEMORY: () => new Arena(createKernelMemory(1)).allocate(1),
  LAYOUT: () => protocol.vectorLayout(0),
  LEAF_INDEX: () => protocol.proveUpdateChunk(new Uint8Array(64), layout, 2),
  MANIFEST: () => protocol.parseManifest(new TextEncoder().encode('{')),
  MODEL_ROOT: () => protocol.verifyModel(new Uint8Array(128), layout, protocol.ZERO_HASH),
  NORM_BOUND: () => protocol.checkLearningParameters({ ...parameters, normSqBound: 0n }),
  NOT_FINITE: () => protocol.floatToFixed(Float32Array.of(Number.NaN), 24),
  NO_THREADS: () =>
    startThread(
      { memory: createKernelMemory() },
      () => undefined,
      () => undefined,
    ),
  NO_GRAM: () =>
    protocol.preAggregate(parameters.rule, protocol.gramOfRows([]), {
      ...protocol.plainContext(0),
      signs: null,
      dimension: 1,
    }),
  NO_SIGNS: () =>
    protocol.preAggregate(protocol.parseRule('signguard', 0), protocol.gramOfRows([Int16Array.of(1)]), {
      ...protocol.plainContext(1),
      signs: null,
      dimension: 1,
    }),
  NO_SIMD: () => compileKernels(new Uint8Array(8)),
  OPENING_LENGTH: () => protocol.unpackModelPath(new Uint8Array(31), 1),
  PAYLOAD_LENGTH: () => protocol.decodeUpdate(new Uint8Array(63), layout),
  PAYLOAD_PADDING: () => protocol.decodeUpdate(new Uint8Array(64).fill(1), layout),
  PROOF_FILE: () => protocol.parseProofFile(new TextEncoder().encode('{')),
  PROOF_MALFORMED: () => protocol.checkLength('the row', new Uint8Array(1), 2),
  REWARD_SHARES: () => protocol.splitReward(1n, 0, { aggregatorRewardBps: 0, contributionRewardBps: 0 }, null),
  ROUND_INPUT: () =>
    protocol.checkRoundInput(
      { indices: [0], seed: protocol.ZERO_HASH },
      { rows: [], model: () => undefined, state: null, previousModel: null },
    ),
  RULE_NAME: () => protocol.parseRule('average', 0),
  RULE_PARAMETERS: () => protocol.minimumUpdates({ ...parameters.rule, byzantine: 60 }),
  SERVER_STEP: () => protocol.checkServerStep({ ...protocol.FED_AVG, learningRateQ16: 0 }),
  STATE_LENGTH: () =>
    protocol.computeRound(
      parameters,
      new Array(3).fill(new Int16Array(parameters.dimension)),
      new Int32Array(parameters.dimension),
      {
        state: new Int32Array(1),
      },
    ),
  SUM_RANGE: overflowingTree,
  THREAD_DIED: () => {
    throw protocol.threadDeath('it ran out of memory');
  },
  TOO_FEW_UPDATES: () => protocol.checkRowCount(parameters.rule, 2),
  TREE_FULL: () => overfullTree(),
  UINT_RANGE: () => protocol.uintBytes(256n, 1),
  UNIXFS_NODE: () => decodeFileNode(new UnixfsFileBuilder().finish().cid, Uint8Array.of(255)),
  VECTOR_LENGTH: () => protocol.encodeModel(new Int32Array(19), layout),
};

function overfullTree(): void {
  const committer = new protocol.UpdateCommitter(layout);
  for (let i = 0; i < 3; i++) committer.append(new Uint8Array(32));
}

/** No honest vector reaches 2^64: only a hand-made path does, and verification refuses it before it is joined. */
function overflowingTree(): void {
  const builder = new protocol.PerfectTreeBuilder(protocol.merkleSumKind, 1);
  builder.append({ hash: new Uint8Array(32), sum: 2n ** 64n - 1n });
  builder.append({ hash: new Uint8Array(32), sum: 1n });
}

describe('errors', () => {
  for (const [code, work] of Object.entries(ways)) {
    it(`${code} says what was expected and what came`, () => {
      let thrown: unknown;
      try {
        work();
      } catch (error) {
        thrown = error;
      }
      expect(thrown).to.be.instanceOf(AssayError);
      const { code: received, message, details } = thrown as AssayError;
      expect(received).to.equal(code);
      expect(message).to.match(/^[^\n]+[^.\n]\n {2}Expected: .+\n {2}Received: /);
      expect(details.expected, 'expected').to.be.a('string').that.is.not.empty;
      expect(details.received, 'received').to.be.a('string').that.is.not.empty;
    });
  }

  it('are all in the list above', () => {
    const root = new URL('../../protocol/', import.meta.url);
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const codes = new Set<string>();
    for (const file of files) {
      for (const [, code] of readFileSync(new URL(file, root), 'utf8').matchAll(/new AssayError\(\s*'([A-Z_0-9]+)'/g)) {
        codes.add(code!);
      }
    }
    codes.delete('BIG_ENDIAN'); // needs a big-endian machine
    codes.delete('PAYLOAD_LENGTH'); // the example in errors.ts, and a real one
    expect([...codes, 'PAYLOAD_LENGTH'].sort()).to.deep.equal(Object.keys(ways).sort());
  });

  it('are written summary first, one line each, with what to do last', () => {
    const cause = new Error('underneath');
    const error = new AssayError('CODE', { summary: 's', expected: 'e', received: 'r', fix: 'f', cause });
    expect(error.message).to.equal('s\n  Expected: e\n  Received: r\n  To do:    f');
    expect([error.name, error.code, error.cause]).to.deep.equal(['AssayError', 'CODE', cause]);
    expect(new AssayError('CODE', { summary: 'only this' }).message).to.equal('only this');
  });
});
