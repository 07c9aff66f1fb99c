import { expect } from 'chai';
import { auditReportSchema, jsonReport } from '../../auditor/report/auditReport.ts';
import { parseRule } from '../../protocol/index.ts';
import { expectError } from '../client/support/expectError.ts';
import { auditWorld, buildWorld } from './fixtures/federation.ts';
import { ADAM, MOMENTUM } from './fixtures/serverSteps.ts';

describe('auditing an honest federation', () => {
  for (const [name, f] of [
    ['fedavg', 0],
    ['median', 2],
    ['trimmed-mean', 2],
    ['krum', 2],
    ['multi-krum', 2],
    ['nnm+trimmed-mean', 2],
  ] as const) {
    for (const serverStep of [undefined, MOMENTUM]) {
      it(`finds nothing with ${name} and ${serverStep?.optimizer ?? 'fedAvg'}`, async () => {
        const world = buildWorld({ rule: parseRule(name, f), ...(serverStep === undefined ? {} : { serverStep }) });
        const report = await auditWorld(world);
        expect(report.findings).to.deep.equal([]);
        expect(report.rounds.map(({ verified }) => verified)).to.deep.equal(Array(4).fill('replayed'));
        expect(report.ok).to.equal(true);
        expect(
          report.rounds.every(({ ok, updates, payloadBytes }) => ok && updates === 7 && payloadBytes > 7 * 1400),
        ).to.equal(true);
        expect(report.rounds.map(({ claimedAccuracy }) => claimedAccuracy)).to.deep.equal([0.51, 0.52, 0.53, 0.54]);
      });
    }
  }

  for (const [name, options] of [
    ['bucketing+krum', {}],
    ['arc+nnm+trimmed-mean', {}],
    ['bucketing+trimmed-mean', { bucketSize: 1 }],
    ['geometric-median', {}],
    ['centered-clipping', { radius: 4000n }],
    ['signguard', {}],
    ['fltrust', { reference: 1 }],
    ['monna', { reference: 2 }],
    ['meamed', {}],
  ] as const) {
    it(`finds nothing with ${name}, for which a round is more than its updates, and says that it only audits`, async () => {
      const f = name === 'bucketing+krum' ? 0 : 2;
      const rule = parseRule(name, f, options);
      const world = buildWorld({ rule, enforced: false, serverStep: ADAM, rounds: 3, voided: { 2: [3] } });
      for (const engine of ['reference', 'wasm'] as const) {
        const report = await auditWorld(world, { engine });
        expect(report.findings).to.deep.equal([]);
        expect(report).to.deep.include({ ok: true });
        expect(report.parameters.enforced).to.equal(false);
      }
    });
  }

  it('gives the same report whatever the concurrency and wherever it is computed', async () => {
    const world = buildWorld({ rule: parseRule('nnm+trimmed-mean', 2), serverStep: MOMENTUM, rounds: 6 });
    const reports = await Promise.all(
      [{ concurrency: 1 }, { concurrency: 6 }].map(async (scope) => strip(await auditWorld(world, scope))),
    );
    expect(reports[1]).to.deep.equal(reports[0]);
  });

  it('gives the same report whatever computes it, and says what did', async () => {
    const serverStep = MOMENTUM;
    for (const name of ['multi-krum', 'nnm+trimmed-mean', 'median']) {
      const world = buildWorld({ rule: parseRule(name, 2), serverStep, rounds: 2, dimension: 20_000 });
      const reference = await auditWorld(world, { engine: 'reference' });
      expect(reference).to.include({ ok: true, engine: 'reference' });
      for (const threads of [1, 2]) {
        const wasm = await auditWorld(world, { engine: 'wasm', threads });
        expect(strip(wasm)).to.deep.equal({ ...strip(reference), engine: 'wasm' });
      }
    }
  });

  it('gives the same report when nothing fits into memory', async () => {
    const world = buildWorld({ rule: parseRule('nnm+trimmed-mean', 2), serverStep: MOMENTUM, rounds: 3 });
    const [memory, files] = [await auditWorld(world), await auditWorld(world, { memoryBytes: 0 })];
    expect(strip(files)).to.deep.equal(strip(memory));
  });

  it('leaves voided submissions out, and passes over abandoned rounds', async () => {
    const world = buildWorld({
      rule: parseRule('trimmed-mean', 1),
      rounds: 5,
      voided: { 2: [0, 5], 4: [3] },
      abandoned: [3],
    });
    const report = await auditWorld(world);
    expect(report.findings).to.deep.equal([]);
    expect(report.ok).to.equal(true);
    expect(report.rounds.map(({ updates }) => updates)).to.deep.equal([7, 5, 7, 6, 7]);
    expect(report.rounds[2]).to.include({ verified: 'unpublished', phase: 'abandoned' });
  });

  it('audits a range of rounds by itself, the first one from the published model before it', async () => {
    const world = buildWorld({ rule: parseRule('median', 2), serverStep: MOMENTUM });
    const report = await auditWorld(world, { rounds: { from: 3, to: 3 } });
    expect(report.rounds.map(({ round, verified }) => [round, verified])).to.deep.equal([[3, 'replayed']]);
    expect(report.ok).to.equal(true);
  });

  it('says so when there is no such round', async () => {
    const world = buildWorld({ rule: parseRule('median', 2) });
    const error = await auditWorld(world, { rounds: { from: 9 } }).catch((e: Error) => e);
    expect(error).to.include({ code: 'NO_SUCH_ROUND' });
  });

  it('audits a federation in which no round has opened', async () => {
    const world = buildWorld({ rule: parseRule('median', 2), rounds: 1 });
    const facts = { ...world.facts, logs: world.facts.logs.slice(0, 3), rounds: [], currentRound: 0 };
    const report = await auditWorld({ ...world, facts }, { rounds: { from: undefined, to: undefined } });
    expect(report).to.deep.include({ ok: true, rounds: [], findings: [] });
  });

  it('refuses a contract that names an absurd model before it asks for the memory', async () => {
    const world = buildWorld({ rule: parseRule('trimmed-mean', 1), rounds: 1 });
    const parameters = { ...world.facts.parameters, dimension: 2 ** 31 };
    const absurd = auditWorld({ ...world, facts: { ...world.facts, parameters } });
    await expectError(() => absurd, 'MODEL_TOO_LARGE', /Received: 67108864 \(2147483648 coordinates in chunks of 32\)/);
  });

  it('makes a JSON report that its own schema reads back', async () => {
    const report = await auditWorld(buildWorld({ rule: parseRule('trimmed-mean', 2) }));
    expect(auditReportSchema.parse(JSON.parse(jsonReport(report)))).to.deep.equal(report);
  });
});

function strip<T extends { seconds: number; rounds: readonly { seconds: number }[] }>(report: T) {
  return { ...report, seconds: 0, rounds: report.rounds.map((round) => ({ ...round, seconds: 0 })) };
}
