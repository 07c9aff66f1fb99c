/** `npm run demo`, small: its facts, its determinism, and what becomes of rogues. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { loadMnist } from '../../client/datasets/mnist.ts';
import { cellsOf, checkGrid } from '../../client/simulation/grid.ts';
import { simulateCell } from '../../client/simulation/simulateCell.ts';
import { loadSimulationData } from '../../client/simulation/simulationData.ts';
import { type DemoFacts, demoFactsSchema } from '../../scripts/demo/demoFacts.ts';
import { CODE_SILOS, corpusOf } from '../../scripts/demo/tasks/codeSilos.ts';
import { defaultGrid } from '../../scripts/simulate/defaultGrid.ts';
import { ETHER, SLOW_MACHINE_MS } from './support/world.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

describe('scenario: the demonstration', function () {
  this.timeout(2 * SLOW_MACHINE_MS);
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
    expect(facts.slashed).to.deep.equal([]);
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

  it('`assay simulate` of the same federation, without a chain, ends with the same model', async () => {
    const grid = checkGrid({ ...defaultGrid(), participants: 4, byzantine: 1, rounds: 2, seeds: ['scenario'] }, 'test');
    const result = await simulateCell(cellsOf(grid)[0]!, await loadMnist(join(PROJECT, '.cache', 'datasets')));
    expect(result.modelRoot).to.equal(first.finalModelRoot);
    expect(result.accuracy.map(({ accuracy }) => accuracy)).to.deep.equal(first.rounds.map(({ accuracy }) => accuracy));
  });

  it('copycats: what was revealed before does not count, and costs a penalty', async () => {
    const args = ['--rounds', '2', '--clients', '5', '--byzantine', '1', '--attack', 'copycat'];
    const { status, output, facts } = await demo('copycat', ...args);
    expect(status, output).to.equal(0);
    expect(output).to.match(/\[ROUND 2\] the update of client-4 does not count/);
    expect(facts.slashed.map(({ proof, round, amountWei }) => ({ proof, round, amountWei }))).to.deep.equal([
      { proof: 'copiedUpdate', round: 2, amountWei: String(ETHER / 10n) },
    ]);
    expect(facts.rounds.map(({ updates }) => updates)).to.deep.equal([5, 4]);
    expect(facts.audit).to.deep.equal({ ok: true, findings: [] });
  });

  /** Who was sentenced for what; each transaction is there, and has gas. */
  function sentences({ slashed }: DemoFacts) {
    for (const { who, tx, gas } of slashed) {
      expect(who).to.match(/^0x[0-9a-fA-F]{40}$/);
      expect(tx).to.match(/^0x[0-9a-f]{64}$/);
      expect(gas).to.be.within(50_000, 16_777_216);
    }
    return slashed.map(({ role, proof, round, amountWei }) => `${role} ${proof} ${round} ${amountWei}`).sort();
  }

  it('a lying aggregator is slashed and its round done again, rightly; a false accusation loses its bond', async () => {
    const { status, output, facts } = await demo('lie', ...SMALL, '--lying-aggregator', '--framing-challenger');
    expect(status, output).to.equal(0);
    expect(sentences(facts)).to.deep.equal([
      `aggregator badCoordinate 1 ${10n * ETHER}`,
      `challenger badSum 1 ${ETHER / 10n}`,
    ]);
    expect(output).to.match(
      /\[ROUND 1\] aggregator-0 slashed \(badCoordinate\): 10 ETH, 5 ETH burned, 5 ETH to watchtower \| tx 0x/,
    );
    expect(output).to.match(
      /\[ROUND 1\] challenger accused client-\d falsely \(badSum\) and loses its bond of 0.1 ETH/,
    );
    expect(output.match(/\[ROUND 1\/2\] aggregate_train/g), 'published twice').to.have.length(2);
    expect(facts.finalModelRoot, 'the model of the same seed without a lie').to.equal(first.finalModelRoot);
    expect(facts.audit).to.deep.equal({ ok: true, findings: [] });
    expect(facts.rounds.map(({ round, updates }) => [round, updates])).to.deep.equal([
      [1, 4],
      [2, 4],
    ]);
  });

  it('a lying and a withholding client are slashed, and the round goes on without them', async () => {
    const rogues = ['--lying-client', '--withholding-client'];
    const { status, output, facts } = await demo(
      'rogues',
      '--rounds',
      '1',
      '--clients',
      '5',
      '--byzantine',
      '0',
      ...rogues,
    );
    expect(status, output).to.equal(0);
    expect(sentences(facts)).to.deep.equal([`participant badSum 1 ${ETHER}`, `participant unavailable 1 ${ETHER}`]);
    expect(facts.rounds.map(({ updates }) => updates)).to.deep.equal([3]);
    expect(facts.audit.ok).to.equal(true);
    expect(output).to.contain('Justice   done');
  });

  it('companies federate a model of code: measured by silo, against each alone and all in one place', async () => {
    const small = ['--clients', '2', '--rounds', '2', '--local-steps', '6'];
    const { status, output, facts } = await demo('code', '--task', 'code', ...small);
    expect(status, output).to.equal(0);
    expect(facts.audit).to.deep.equal({ ok: true, findings: [] });
    const { steps, silos, centralised, rounds, completions } = facts.code!;
    expect(steps).to.equal(12);
    expect(silos.map(({ name }) => name)).to.deep.equal(['@openzeppelin/contracts', 'viem']);
    expect(rounds.map(({ round }) => round)).to.deep.equal([0, 1, 2]);
    // Measured twice, by the aggregator and from the model that was fetched: the same bits.
    expect(rounds.slice(1).map(({ union }) => union)).to.deep.equal(facts.rounds.map(({ loss }) => Math.exp(loss)));
    const all = [
      centralised.union,
      ...silos.map(({ aloneUnion }) => aloneUnion),
      ...rounds.slice(1).map(({ union }) => union),
    ];
    for (const perplexity of all) expect(perplexity, 'learnt something').to.be.within(20, rounds[0]!.union - 20);
    for (const { aloneOwn, aloneUnion } of silos) expect(aloneOwn).to.be.lessThan(aloneUnion);
    for (const { completion } of completions) expect(completion.length).to.be.greaterThan(20);
    expect(output).to.match(
      /\[ROUND 2\/2\] aggregate_train: Received 2 results and 0 failures \| perplexity \d+\.\d\d \|/,
    );
    expect(output).to.contain('export function |');

    // Without a chain, by `assay simulate --task code`: the same model, measured on the same text.
    const settings = defaultGrid('code');
    const training = { ...(settings.training as object), localSteps: 6 };
    const change = { dataset: corpusOf(CODE_SILOS.slice(0, 2)), participants: 2, rounds: 2, training };
    const grid = checkGrid({ ...settings, ...change }, 'test');
    const simulated = await simulateCell(cellsOf(grid)[0]!, await loadSimulationData(grid, folder));
    expect(simulated.modelRoot).to.equal(facts.finalModelRoot);
    expect(simulated.accuracy.map(({ loss }) => loss)).to.deep.equal(facts.rounds.map(({ loss }) => loss));
  });

  it('hospitals federate a model that draws digits, and the sheet is there', async () => {
    const small = ['--clients', '3', '--rounds', '2', '--local-steps', '10'];
    const { status, output, facts } = await demo('digits', '--task', 'digits', ...small);
    expect(status, output).to.equal(0);
    expect(facts.audit).to.deep.equal({ ok: true, findings: [] });
    const [first, second] = facts.rounds as [DemoFacts['rounds'][0], DemoFacts['rounds'][0]];
    expect(second.loss, 'a better bound').to.be.lessThan(first.loss);
    const png = await readFile(facts.digits!.sheet);
    expect([png.readUInt32BE(16), png.readUInt32BE(20)], 'ten by ten').to.deep.equal([302, 302]);
    expect(output).to.match(/ELBO -\d+\.\d/);

    const settings = defaultGrid('digits');
    const { localEpochs: _, ...training } = settings.training as Record<string, unknown>;
    const change = { participants: 3, rounds: 2, training: { ...training, localSteps: 10 } };
    const cells = cellsOf(checkGrid({ ...settings, ...change }, 'test'));
    const simulated = await simulateCell(cells[0]!, await loadMnist(join(PROJECT, '.cache', 'datasets')));
    expect(simulated.modelRoot).to.equal(facts.finalModelRoot);
  });
});
