/** `npm run demo`, small: its facts, its determinism, and the lie that its audit must name. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type DemoFacts, demoFactsSchema } from '../../scripts/demo/demoFacts.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

describe('scenario: the demonstration', function () {
  this.timeout(180_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-demo-'));
  });
  after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

  async function demo(name: string, ...args: string[]) {
    const facts = join(folder, `${name}.json`);
    const child = spawn(
      process.execPath,
      ['scripts/assay.ts', 'demo', '--out', join(folder, name), '--json', facts, ...args],
      { cwd: PROJECT, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        output += data.toString();
      });
    }
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    const text = await readFile(facts, 'utf8').catch(() => {
      throw new Error(`no facts; the demonstration said:\n${output}`);
    });
    return { status, output, facts: demoFactsSchema.parse(JSON.parse(text)) };
  }

  const SMALL = ['--rounds', '2', '--clients', '4', '--byzantine', '1', '--seed', 'scenario'];
  let first: DemoFacts;

  it('ends with status 0, a clean audit and the facts that its schema promises', async () => {
    const { status, output, facts } = await demo('first', ...SMALL);
    expect(status, output).to.equal(0);
    expect(facts.audit).to.deep.equal({ ok: true, findings: [] });
    expect(facts.rounds.map(({ round, updates }) => [round, updates])).to.deep.equal([
      [1, 4],
      [2, 4],
    ]);
    expect(facts.finalAccuracy).to.equal(facts.rounds[1]!.accuracy);
    expect(facts.finalModelRoot).to.equal(facts.rounds[1]!.modelRoot);
    expect(facts.gas.commit!.count).to.equal(8);
    expect(facts.weights!.filter(({ byzantine }) => byzantine)).to.have.length(1);
    for (const path of Object.values(facts.files)) expect((await stat(path)).size).to.be.greaterThan(0);
    expect(output).to.match(
      /\[ROUND 2\/2\] aggregate_train: Received 4 results and 0 failures \| accuracy 0\.\d{4} \| root 0x/,
    );
    first = facts;
  });

  it('the same seed gives the same final model', async () => {
    const { facts } = await demo('second', ...SMALL);
    expect(facts.finalModelRoot).to.equal(first.finalModelRoot);
    expect(facts.rounds.map(({ accuracy }) => accuracy)).to.deep.equal(first.rounds.map(({ accuracy }) => accuracy));
  });

  it('a lying aggregator: ends with status 1; round, chunk and coordinate are named', async () => {
    const { status, output, facts } = await demo('lie', ...SMALL.with(3, '3').with(5, '0'), '--lying-aggregator');
    expect(status).to.equal(1);
    expect(facts.audit.ok).to.equal(false);
    const lies = facts.audit.findings.filter(({ kind }) => kind === 'modelMismatch');
    expect(lies).to.have.length(1);
    const { round, chunk, coordinate, expected, published } = lies[0]!.divergence!;
    expect(round).to.equal(1);
    expect(chunk).to.equal(Math.floor(coordinate / 256));
    expect(Number(published) - Number(expected)).to.equal(1);
    expect(output).to.contain(
      `round 1, chunk ${chunk}, coordinate ${coordinate}: expected ${expected}, published ${published}`,
    );
  });
});
