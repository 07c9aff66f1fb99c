/** README.md: its first screen is what the demonstration prints, and its commands are there. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Terminal } from './terminal.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A line without what differs between runs: numbers, hashes, the bars of the chart, the width of columns. */
function shapeOf(line: string): string {
  return line
    .replace(/│.*$/, '│')
    .replace(/0x[0-9a-fA-F.]+/g, 'HASH')
    .replace(/\d[\d.,]*/g, 'N')
    .replace(/\s+/g, ' ')
    .trim();
}

describe('README.md', () => {
  let readme: string;
  before(async () => {
    readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  });

  it('shows the two commands on its first screen', () => {
    const firstScreen = readme.split('\n').slice(0, 60).join('\n');
    expect(firstScreen).to.include('```sh\nnpm run demo\n```').and.to.include('```sh\nnpm test\n```');
  });

  it('shows what the demonstration prints', async function () {
    this.timeout(300_000);
    const folder = await mkdtemp(join(tmpdir(), 'assay-readme-'));
    try {
      const [, shown = ''] = readme.match(/^```text demo\n([\s\S]*?)\n```$/m) ?? [];
      const lines = shown.split('\n').filter((line) => line.trim() !== '' && line.trim() !== '...');
      expect(lines.length).to.be.greaterThan(15);
      const small = '--rounds 2 --clients 3 --byzantine 1';
      const terminal = new Terminal(`npm run -s demo -- ${small} --out ${folder}/run`, ROOT);
      expect(await terminal.ended(), terminal.output).to.equal(0);
      const printed = new Set(terminal.output.split('\n').map(shapeOf));
      for (const line of lines) expect(printed, line).to.include(shapeOf(line));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('shows help that is there', async () => {
    const commands = [...readme.matchAll(/^npx assay (.*--help)$/gm)].map(([, rest = '']) => rest);
    expect(commands.length).to.be.greaterThan(1);
    for (const command of commands) {
      const terminal = new Terminal(`node scripts/assay.ts ${command}`, ROOT);
      expect(await terminal.ended(), terminal.output).to.equal(0);
      expect(terminal.output).to.match(/^Usage: assay/);
    }
  });
});
