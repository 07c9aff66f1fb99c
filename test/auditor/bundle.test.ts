import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CarReader, CarWriter } from '@ipld/car';
import { expect } from 'chai';
import fc from 'fast-check';
import { CID } from 'multiformats/cid';
import { auditBundle, exportBundle, writeBundle } from '../../auditor/bundle.ts';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { bytesOf } from '../../protocol/encoding/vectors.ts';
import { AssayError } from '../../protocol/errors.ts';
import { parseRule } from '../../protocol/index.ts';
import { auditWorld, buildWorld, FEDERATION, memoryPayloads, rootOf, type World } from './fixtures/federation.ts';
import { startRpcServer } from './fixtures/rpcServer.ts';
import { ADAM, MOMENTUM } from './fixtures/serverSteps.ts';

describe('the evidence bundle', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-bundle-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const exportWorld = (world: World, name: string) =>
    writeBundle(join(folder, name), { name: 'memory', readChain: async () => world.facts }, () =>
      memoryPayloads(world.payloads),
    );
  const failure = async (promise: Promise<unknown>): Promise<AssayError> => {
    const error = await promise.then(
      () => new Error('it passed'),
      (e: unknown) => e,
    );
    expect(error).to.be.instanceOf(AssayError);
    return error as AssayError;
  };

  it('is audited offline with the result of the live audit', async () => {
    const world = buildWorld({ rule: parseRule('nnm+trimmed-mean', 2), serverStep: MOMENTUM, voided: { 2: [3] } });
    const exported = await exportWorld(world, 'honest.car');
    expect(exported.missing).to.deep.equal([]);
    // manifest, genesis, and per round updates, model, state, evidence, leaves of the Gram tree
    expect(exported.payloads).to.equal(2 + 4 * (7 + 4) - 1);
    const offline = await auditBundle(exported.path, { engine: 'reference', root: exported.root });
    const live = await auditWorld(world);
    expect(offline.ok).to.equal(true);
    const bare = (report: typeof live) => ({
      ...report,
      source: '',
      seconds: 0,
      rounds: report.rounds.map((round) => ({ ...round, seconds: 0 })),
    });
    expect(bare(offline)).to.deep.equal(bare(live));
  });

  it('carries a state of several vectors and a Gram matrix with a history row', async () => {
    const rule = parseRule('centered-clipping', 2, { radius: 4000n });
    const exported = await exportWorld(buildWorld({ rule, serverStep: ADAM, enforced: false, rounds: 2 }), 'adam.car');
    expect(exported.missing).to.deep.equal([]);
    expect(await auditBundle(exported.path)).to.deep.include({ ok: true, findings: [] });
  });

  it('carries a lie to whoever audits it, and lacks what nobody served', async () => {
    const world = buildWorld({
      rule: parseRule('trimmed-mean', 2),
      hooks: {
        compute(draft) {
          if (draft.round !== 3) return;
          draft.model[123] = draft.model[123]! + 1;
          draft.roots.modelRoot = rootOf({ facts: plain.facts }, draft.model);
        },
      },
    });
    world.payloads.delete(payloadCid(bytesOf(world.models[1]!)));
    const { path, missing } = await exportWorld(world, 'lie.car');
    expect(missing).to.deep.equal([payloadCid(bytesOf(world.models[1]!))]);
    const report = await auditBundle(path, { threads: 1 });
    expect(report.findings.map(({ kind, round }) => [kind, round])).to.deep.equal([
      ['payloadUnavailable', 1],
      ['modelMismatch', 3],
    ]);
    expect(report.findings[1]?.divergence?.coordinate).to.equal(123);
  });
  const plain = buildWorld({ rule: parseRule('trimmed-mean', 2), rounds: 1 });

  it('is refused when a single byte of it was altered or cut off, wherever', async () => {
    const world = buildWorld({ rule: parseRule('trimmed-mean', 1), rounds: 1, dimension: 200 });
    const { path } = await exportWorld(world, 'whole.car');
    const whole = await readFile(path);
    const altered = join(folder, 'altered.car');
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const bytes = Buffer.from(whole);
        bytes[at] = bytes[at]! ^ flip;
        await writeFile(altered, bytes);
        const error = await failure(auditBundle(altered, { threads: 1 }));
        expect(error.code).to.be.oneOf(['BUNDLE_CORRUPT', 'BUNDLE_FORMAT']);
      }),
      { numRuns: 40 },
    );
    for (let at = 0; at < 400; at += 11) {
      const bytes = Buffer.from(whole); // the header, the only part that no hash covers
      bytes[at] = bytes[at]! ^ 1;
      await writeFile(altered, bytes);
      expect((await failure(auditBundle(altered, { threads: 1 }))).code, `byte ${at}`).to.equal('BUNDLE_CORRUPT');
    }
    await writeFile(altered, whole.subarray(0, whole.length - 100));
    expect((await failure(auditBundle(altered))).code).to.equal('BUNDLE_CORRUPT');
    await writeFile(altered, 'no bundle');
    expect((await failure(auditBundle(altered))).code).to.equal('BUNDLE_CORRUPT');
    expect((await failure(auditBundle(join(folder, 'nothing.car')))).code).to.equal('BUNDLE_MISSING');
  });

  it('shows a payload block that was taken out as a finding, and another bundle by its root', async () => {
    const world = buildWorld({ rule: parseRule('trimmed-mean', 1), rounds: 1 });
    const { path, root } = await exportWorld(world, 'first.car');
    const reader = await CarReader.fromBytes(await readFile(path));
    const model = payloadCid(bytesOf(world.models[1]!));
    const { writer, out } = CarWriter.create(await reader.getRoots());
    const parts: Uint8Array[] = [];
    const reading = (async () => {
      for await (const part of out) parts.push(part.slice());
    })();
    for await (const block of reader.blocks()) if (block.cid.toString() !== model) await writer.put(block);
    await writer.close();
    await reading;
    const thinner = join(folder, 'thinner.car');
    await writeFile(thinner, Buffer.concat(parts));
    const report = await auditBundle(thinner, { threads: 1 });
    expect(report.findings.map(({ kind }) => kind)).to.deep.equal(['payloadUnavailable']);
    const foreign = payloadCid(new Uint8Array(5));
    expect((await failure(auditBundle(path, { root: foreign }))).code).to.equal('BUNDLE_ROOT');
    expect((await auditBundle(path, { root, threads: 1 })).ok).to.equal(true);
  });

  it('refuses a document of another format', async () => {
    const bytes = new TextEncoder().encode('{"format":"something else"}');
    const cid = CID.parse(payloadCid(bytes));
    const { writer, out } = CarWriter.create([cid]);
    const parts: Uint8Array[] = [];
    const reading = (async () => {
      for await (const part of out) parts.push(part.slice());
    })();
    await writer.put({ cid, bytes });
    await writer.close();
    await reading;
    const path = join(folder, 'other.car');
    await writeFile(path, Buffer.concat(parts));
    expect((await failure(auditBundle(path))).code).to.equal('BUNDLE_FORMAT');
  });

  it('is exported from a node, with receipts and headers', async () => {
    const world = buildWorld({ rule: parseRule('median', 1), rounds: 1 });
    const server = await startRpcServer(world.facts);
    try {
      const path = join(folder, 'node.car');
      const exported = await exportBundle({ rpcUrl: server.url, federation: FEDERATION, gateways: [], path });
      expect(exported.payloads).to.equal(0); // no gateway was named
      expect(exported.missing.length).to.equal(2 + 7 + 2);
      const reader = await CarReader.fromBytes(await readFile(path));
      const document = await reader.get(CID.parse(exported.root));
      const { chain } = JSON.parse(new TextDecoder().decode(document!.bytes));
      expect(chain.receipts.length).to.equal(world.facts.logs.length);
      expect(chain.blocks.length).to.equal(world.facts.logs.length);
    } finally {
      await server.close();
    }
  });
});
