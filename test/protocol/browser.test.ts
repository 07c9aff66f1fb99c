/** The protocol in a browser: the same bundle a web page would load, run where Node's own objects do not exist. */
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { build, type OutputFile } from 'esbuild';
import * as protocol from '../../protocol/index.ts';

/** Works the same in both worlds: everything in, everything out is plain JSON. */
async function exercise(p: typeof protocol): Promise<Record<string, unknown>> {
  const parameters: protocol.LearningParameters = {
    dimension: 40,
    chunkSize: 16,
    modelFractionBits: 24,
    updateFractionBits: 16,
    normSqBound: p.NO_NORM_BOUND,
    rule: p.parseRule('nnm+trimmed-mean', 1),
    serverStep: { optimizer: 'fedAvgM', learningRateQ16: 65536, momentumQ16: 58982, secondMomentQ16: 0, adaptivity: 0 },
  };
  const rows = [3, 5, 8, 13, -9999].map((value) => Int16Array.from({ length: 40 }, (_, k) => value * (k - 20)));
  const round = p.computeRound(parameters, rows, new Int32Array(40).fill(1 << 20), {
    state: new Int32Array(48).fill(-77, 0, 40),
  });
  const layout = p.layoutOf(parameters);
  const payload = p.encodeUpdate(rows[4]!, layout);
  const { root, normSq } = p.commitUpdate(payload, layout);
  const streamed = await p.runRoundInMemory(
    p.chooseEngine('wasm'),
    parameters,
    p.plainContext(rows.length),
    {
      rows: rows.map((row) => p.encodeUpdate(row, layout)),
      model: p.encodeModel(new Int32Array(40).fill(1 << 20), layout),
      state: p.encodeModel(new Int32Array(40).fill(-77), layout),
    },
    { commitUpdates: true },
  );
  const proof = p.proveUpdateChunk(payload, layout, 2);
  const cid = p.payloadCid(payload);
  const sealed = p.commitHash({
    chainId: 1,
    federation: `0x${'12'.repeat(20)}`,
    round: 2,
    baseModelRoot: round.modelRoot,
    participant: `0x${'34'.repeat(20)}`,
    root,
    normSq,
    cid: p.cidToBytes(cid),
    salt: p.ZERO_HASH,
  });
  const evidence = p.encodeEvidence({
    format: p.EVIDENCE_FORMAT,
    chainId: 1,
    federation: `0x${'12'.repeat(20)}`,
    round: 2,
    baseModelRoot: round.modelRoot,
    modelRoot: round.modelRoot,
    stateRoot: round.stateRoot,
    gramRoot: round.gramRoot,
    mixingHash: round.mixingHash,
    stateCid: null,
    submissions: [],
    gramCid: null,
    gram: null,
    mixing: null,
    metrics: null,
  });
  return {
    roots: {
      modelRoot: round.modelRoot,
      stateRoot: round.stateRoot,
      gramRoot: round.gramRoot,
      mixingHash: round.mixingHash,
    },
    model: [...round.model],
    kernels: [streamed.roots, [...streamed.model], streamed.updates?.map((u) => [u.root, String(u.normSq)])],
    commitment: [root, String(normSq), cid, sealed],
    proven: p.verifyUpdateChunk({ root, normSq }, layout, payload.subarray(64, 96), proof),
    evidence: p.payloadCid(p.encodeEvidence(p.parseEvidence(evidence))),
  };
}

async function bundle(): Promise<OutputFile & { inputs: string[] }> {
  const result = await build({
    entryPoints: ['protocol/index.ts'],
    absWorkingDir: new URL('../..', import.meta.url).pathname,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'browser',
    conditions: ['default'],
    format: 'iife',
    globalName: 'assay',
    target: 'es2022',
    logLevel: 'silent',
  });
  return { ...result.outputFiles[0]!, text: result.outputFiles[0]!.text, inputs: Object.keys(result.metafile.inputs) };
}

describe('the protocol in a browser', () => {
  it('is bundled without a Node module, and finds the same roots as in Node', async () => {
    const { text, inputs } = await bundle();
    expect(inputs)
      .to.include.members(['protocol/commitment/sha256.portable.ts', 'protocol/round/engine/threads.portable.ts'])
      .and.not.include.members(['protocol/commitment/sha256.node.ts'])
      .and.not.include.members(['protocol/round/engine/threads.node.ts']);
    expect(inputs.filter((input) => input.startsWith('node:'))).to.deep.equal([]);
    expect(text).to.not.match(/require\(["']node:/);

    // A new context has the language only; a page also has the encoders. No process, Buffer, require or node:crypto.
    const page: Record<string, unknown> = { TextEncoder, TextDecoder, atob };
    const run = `${text}\n;(${exercise.toString()})(assay).then(JSON.stringify)`;
    expect(runInNewContext('typeof process + typeof Buffer + typeof require', { ...page })).to.equal(
      'undefined'.repeat(3),
    );
    const inBrowser: unknown = JSON.parse(await (runInNewContext(run, page) as Promise<string>));
    const inNode = await exercise(protocol);
    expect(inNode.proven).to.equal(true);
    expect((inNode.kernels as [unknown])[0], 'the kernels against the reference').to.deep.equal(inNode.roots);
    expect(inBrowser).to.deep.equal(JSON.parse(JSON.stringify(inNode)));
  });
});
