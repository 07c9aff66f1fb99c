/** `npm run bench:code`, small: what each training took, and that it learnt. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

const COMMAND = fileURLToPath(new URL('../../bench/code/code.ts', import.meta.url));
const bench = (...args: string[]) => promisify(execFile)(process.execPath, [COMMAND, ...args]);

describe('the code bench', function () {
  this.timeout(120_000);

  it('gives centralised training the same steps, then the same text', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'assay-bench-code-'));
    const file = join(folder, 'facts.json');
    await bench('--silos', '2', '--rounds', '2', '--local-steps', '2', '--json', file);
    const { trainings } = JSON.parse(await readFile(file, 'utf8'));
    await rm(folder, { recursive: true });
    const took = trainings.map(({ steps, windows }: { steps: number; windows: number }) => [steps, windows]);
    const windows = 2 * 4 * 16;
    expect(took).to.deep.equal([
      [4, windows],
      [4, windows / 2],
      [4, windows],
      [8, windows],
    ]);
    const perplexities: number[] = trainings.map(({ perplexity }: { perplexity: number }) => perplexity);
    // Nobody guesses among 512 tokens any more, and no two are the same model.
    for (const perplexity of perplexities) expect(perplexity).to.be.within(1, 400);
    expect(new Set(perplexities)).to.have.property('size', 4);
  });

  it('refuses more silos than there are', async () => {
    const failed = await bench('--silos', '9').catch((error) => error);
    expect(failed.code).to.equal(1);
    expect(failed.stderr).to.match(/--silos cannot be that.*1 to 8/s);
  });
});
