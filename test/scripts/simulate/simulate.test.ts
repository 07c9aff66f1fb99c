/** `assay simulate`: what it prints and writes, killed and started again; docs/simulate.md. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { checkGrid } from '../../../client/simulation/grid.ts';
import { simulateFactsSchema } from '../../../scripts/simulate/simulateFacts.ts';
import { smallTextSettings, writeSmallText } from '../../client/simulation/smallText.ts';
import { clouds } from '../../client/support/smallFederation.ts';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));

describe('assay simulate', function () {
  this.timeout(120_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-simulate-'));
    const { x, y, size } = clouds(300, 'table');
    const rows = Array.from({ length: size }, (_, row) => [...x.subarray(4 * row, 4 * row + 4), y[row]].join(','));
    await writeFile(join(folder, 'clouds.csv'), ['a,b,c,d,class', ...rows].join('\n'));
    const grid = {
      format: 'assay-grid/1',
      name: 'clouds',
      dataset: `csv:${folder}/clouds.csv?label=class`,
      hidden: [],
      participants: 7,
      byzantine: 2,
      rounds: 5,
      training: { localSteps: 1, batchSize: 8, learningRate: 0.2 },
      rules: ['fedavg', 'nnm+trimmed-mean'],
      attacks: ['none', 'signFlipping', 'backdoor'],
      alphas: [1],
      seeds: [1, 2],
    };
    await writeFile(join(folder, 'grid.json'), JSON.stringify(grid));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** @param endAt line of output at which the process gets the signal */
  async function simulate(args: readonly string[], endAt?: RegExp, end: NodeJS.Signals = 'SIGKILL') {
    const child = spawn(process.execPath, ['scripts/assay.ts', 'simulate', ...args], {
      cwd: PROJECT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let ended = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        output += data.toString();
        if (ended || !endAt?.test(output)) return;
        // Once: a second signal means at once.
        ended = true;
        child.kill(end);
      });
    }
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { status, output };
  }

  it('interrupted ends with a status of its own and says how to go on', async () => {
    const { status, output } = await simulate(
      [join(folder, 'grid.json'), '--out', join(folder, 'interrupted')],
      /\[1\/12\]/,
      'SIGINT',
    );
    expect(status, output).to.equal(130);
    expect(output).to.match(/Stopped\. The same command goes on from .*interrupted/);
  });

  it('measures personal models on samples that their participants held out', async () => {
    const grid = join(folder, 'personal.json');
    const { attacks: _attacks, ...rest } = JSON.parse(await readFile(join(folder, 'grid.json'), 'utf8'));
    const algorithms = ['fedavg', 'fedper'];
    const personal = { heldOutPerParticipant: 0.25, personalisation: ['fine-tuning', 'fedper'] };
    await writeFile(
      grid,
      JSON.stringify({ ...rest, hidden: [6], rules: ['fedavg'], seeds: [1], algorithms, ...personal }),
    );
    const out = join(folder, 'personal');
    const { status, output } = await simulate([grid, '--out', out, '--json', join(folder, 'personal-facts.json')]);
    expect(status, output).to.equal(0);
    expect(output).to.match(
      /rule +attack +shared: mean \(lowest\) +fine-tuning: mean \(lowest\) +fedper: mean \(lowest\)/,
    );
    const facts = simulateFactsSchema.parse(JSON.parse(await readFile(join(folder, 'personal-facts.json'), 'utf8')));
    expect(facts.results.map(({ own }) => Object.keys(own))).to.deep.equal([
      ['shared', 'fine-tuning'],
      ['shared', 'fine-tuning', 'fedper'],
    ]);
    const lines = (await readFile(join(out, 'participants.csv'), 'utf8')).trimEnd().split('\n');
    expect(lines[0]).to.equal('alpha,rule,attack,seed,participant,samples,heldOut,shared,fine-tuning,fedper');
    expect(lines).to.have.length(1 + 2 * 7);
    expect(lines[1]).to.match(/^1,fedavg \/ fedavg,none,1,0,\d+,\d+,[\d.]+,[\d.]+,$/);
  });

  it('killed and started again gives the bytes of a run that was not, with any number of workers', async () => {
    const grid = join(folder, 'grid.json');
    const once = join(folder, 'once');
    const whole = await simulate([grid, '--out', once, '--workers', '2', '--json', join(folder, 'facts.json')]);
    expect(whole.status, whole.output).to.equal(0);
    const facts = simulateFactsSchema.parse(JSON.parse(await readFile(join(folder, 'facts.json'), 'utf8')));
    expect(facts).to.include({ grid: 'clouds', cells: 12, computed: 12 });
    expect(facts.results).to.have.length(6);
    expect(whole.output).to.match(/rule +none +sign flip +backdoor +worst/);
    expect(whole.output).to.match(/Success of the backdoor/);

    const parts = join(folder, 'parts');
    const killed = await simulate([grid, '--out', parts], /\[4\/12\]/);
    expect(killed.status).to.equal(null);
    const again = await simulate([grid, '--out', parts]);
    expect(again.status, again.output).to.equal(0);
    expect(again.output).to.match(/\b[45] of 12 cells were finished before/);
    for (const file of ['results.json', 'results.csv', 'tables.md', 'plot.html']) {
      const [one, other] = await Promise.all([once, parts].map((place) => readFile(join(place, file), 'utf8')));
      expect(other, file).to.equal(one);
    }
    const csv = await readFile(join(once, 'results.csv'), 'utf8');
    expect(csv.split('\n')).to.have.length(14);
    expect(csv.split('\n')[1]).to.match(/^1,fedavg,none,1,0\.\d+/);
    expect(await readFile(join(once, 'plot.html'), 'utf8')).to.not.match(/(src|href)=/);
    expect((await readdir(once)).sort()).to.deep.equal([
      'cells.jsonl',
      'plot.html',
      'results.csv',
      'results.json',
      'tables.md',
    ]);
  });

  it('of text shows perplexity, with the largest as the worst', async () => {
    const words = join(folder, 'words');
    await writeSmallText(words);
    const grid = join(folder, 'text.json');
    const axes = { rounds: 3, rules: ['fedavg', 'median'], attacks: ['none', 'scaledSignFlipping'], seeds: [1] };
    await writeFile(
      grid,
      JSON.stringify({ format: 'assay-grid/1', name: 'words', ...smallTextSettings(words), ...axes }),
    );
    const [out, json] = [join(folder, 'text'), join(folder, 'text-facts.json')];
    const { status, output } = await simulate([grid, '--workers', '2', '--out', out, '--json', json]);
    expect(status, output).to.equal(0);
    expect(output).to.match(/Natural: Perplexity \(per token; lower is better\) of the last model, mean over seeds/);
    const facts = simulateFactsSchema.parse(JSON.parse(await readFile(json, 'utf8')));
    expect(facts.results.map(({ alpha, measure }) => `${alpha} ${measure}`)).to.deep.equal(
      new Array(4).fill('natural perplexity'),
    );
    for (const rule of axes.rules) {
      const shown = facts.results.filter((result) => result.rule === rule).map(({ value }) => value!.toFixed(2));
      expect(Number(shown[1]), 'the attack shows').to.be.above(Number(shown[0]));
      expect(output).to.match(new RegExp(`^ +${rule} +${shown[0]} +${shown[1]} +${shown[1]}$`, 'm'));
    }
  });

  it('options replace parts of a grid; what is wrong is said before anything runs', async () => {
    const grid = join(folder, 'grid.json');
    const args = [
      '--rule',
      'median',
      '--attack',
      'none',
      '--seed',
      '3',
      '--rounds',
      '2',
      '--out',
      join(folder, 'options'),
    ];
    const { status, output } = await simulate([grid, ...args]);
    expect(status, output).to.equal(0);
    expect(output).to.match(/\[1\/1\] Dirichlet\(1\) median, none, seed 3: 0\.\d{4}/);
    const wrong = await simulate([grid, '--alpha', 'much']);
    expect(wrong.status).to.equal(1);
    expect(wrong.output).to.match(/grid\.json is wrong at alphas\.0/);
    expect((await simulate([grid, '--task', 'code'])).output).to.match(/says itself what is trained/);
    expect((await simulate([grid, '--byzantine', '5'])).output).to.match(/Expected: 11 to 100/);
  });

  it('takes the grid that its page shows', async () => {
    const page = await readFile(join(PROJECT, 'docs', 'simulate.md'), 'utf8');
    const [, shown = ''] = page.match(/^```json grid\n([\s\S]*?)\n```$/m) ?? [];
    expect(checkGrid(JSON.parse(shown), 'docs/simulate.md').rules).to.have.length(3);
  });
});
