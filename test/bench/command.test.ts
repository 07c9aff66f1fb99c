/** `npm run bench` as a whole, small, and how it judges and writes down what it found. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { BenchFacts, RuleRow } from '../../bench/facts.ts';
import { takeTurns } from '../../bench/measure.ts';
import { renderPage } from '../../bench/page.ts';
import { judgeTargets } from '../../bench/targets.ts';

const COMMAND = fileURLToPath(new URL('../../bench/bench.ts', import.meta.url));
const bench = (...args: string[]) =>
  promisify(execFile)(process.execPath, [COMMAND, ...args], {
    env: { ...process.env, ASSAY_PYTHON: 'no-such-python' },
  });

const median: RuleRow = {
  title: 'median',
  n: 20,
  dimension: 1e6,
  byzantine: 4,
  spread: 300,
  milliseconds: 10,
  extraMiB: 1,
  floorMilliseconds: 2,
  referenceMilliseconds: null,
  numpy: [{ name: 'median', milliseconds: 210, extraMiB: 80, difference: 0 }],
};
const measured: Omit<BenchFacts, 'targets'> = {
  format: 'assay-bench/1',
  machine: {
    processor: 'a processor',
    processors: 2,
    memoryGiB: 24,
    system: 'Linux',
    node: '24.0.0',
    numpy: '2.4.6',
    python: '3.11',
    commit: null,
  },
  rules: [median],
  rowCurve: [],
  dimensionCurve: [],
  rounds: [],
  streams: [],
  storage: null,
};

describe('the bench command', function () {
  this.timeout(60_000);

  it('measures, says what it cannot measure, and writes the facts', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'assay-bench-test-'));
    const file = join(folder, 'facts.json');
    const { stdout } = await bench('--quick', '--only', 'trimmed-mean', '--json', file);
    expect(stdout).to.match(/no-such-python has no numpy/);
    expect(stdout).to.match(/^trimmed mean +20 x 100k /m);
    const facts = JSON.parse(await readFile(file, 'utf8')) as BenchFacts;
    expect(facts.rules.map(({ title, numpy }) => [title, numpy.length])).to.deep.equal([['trimmed mean', 0]]);
    expect(facts.rules[0]!.milliseconds).to.be.above(0);
    expect(facts.rules[0]!.referenceMilliseconds).to.be.above(0);
    await rm(folder, { recursive: true });
  });

  it('refuses what it does not know, and names what it does', async () => {
    const { stderr } = await bench('--only', 'modes').catch((error: { stderr: string }) => error);
    expect(stderr).to.match(/nothing of that name to measure[\s\S]*rules \| rows[\s\S]*fltrust[\s\S]*modes/);
    const option = await bench('--bogus').catch((error: { stderr: string }) => error);
    expect(option.stderr).to.match(/^error: the command line[\s\S]*--only round,stream[\s\S]*'--bogus'/);
    expect((await bench('--help')).stdout).to.match(/--write-docs/);
  });

  it('judges only what was measured, and says by how much', () => {
    expect(judgeTargets(measured)).to.deep.equal([
      { target: 'median against numpy, 20 x 1M', wanted: 'at least 20 x', reached: '21.0 x', isReached: true },
      {
        target: 'median against one read of the bytes, 20 x 1M',
        wanted: 'at most 4 x',
        reached: '5.0 x',
        isReached: false,
      },
    ]);
  });

  it('writes a page that holds every table with something in it, and no other', () => {
    const page = renderPage({ ...measured, targets: judgeTargets(measured) });
    expect(page).to.include('| median | 20 x 1M | 10.0 | 1 | 5.0 x | - | 210 | 80 | 21 x |');
    expect(page).to.include('| median against one read of the bytes, 20 x 1M | at most 4 x | 5.0 x | missed |');
    expect(page.match(/^## .*/gm)).to.deep.equal(['## Targets', '## Rules, 20 x 1M, f = 4']);
  });

  it('takes turns, and medians without the first turn', async () => {
    const order: string[] = [];
    const side = (name: string, ...seconds: number[]) => ({
      name,
      measure: async () => {
        order.push(name);
        return { seconds: seconds.shift()!, extraBytes: 2 ** 20 * seconds.length, peakBytes: null };
      },
    });
    const sides = [side('a', 1, 0.03, 0.01, 0.02), side('b', 2, 0.3, 0.1, 0.2)];
    const taken = await takeTurns(sides, { most: 3, budgetSeconds: 10 });
    expect(order.join('')).to.equal('abababab');
    expect([...taken].map(([name, { milliseconds, extraMiB }]) => [name, milliseconds, extraMiB])).to.deep.equal([
      ['a', 20, 3],
      ['b', 200, 3],
    ]);
  });
});
