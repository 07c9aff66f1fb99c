import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { cellsOf, type Grid } from '../../../client/simulation/grid.ts';
import { Journal } from '../../../client/simulation/journal.ts';
import { type GridProgress, runGrid } from '../../../client/simulation/runGrid.ts';
import type { CellResult } from '../../../client/simulation/simulateCell.ts';
import { expectError } from '../support/expectError.ts';
import { clouds } from '../support/smallFederation.ts';
import { smallGrid } from './support.ts';

describe('client simulation: a grid', function () {
  this.timeout(120_000);
  let folder: string;
  let grid: Grid;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-grid-'));
    const { x, y, size } = clouds(300, 'table');
    const rows = Array.from({ length: size }, (_, row) => [...x.subarray(4 * row, 4 * row + 4), y[row]].join(','));
    await writeFile(join(folder, 'clouds.csv'), ['a,b,c,d,class', ...rows].join('\n'));
    grid = smallGrid({
      dataset: `csv:${folder}/clouds.csv?label=class`,
      rules: ['fedavg', 'nnm+trimmed-mean'],
      attacks: ['none', 'minMax'],
      seeds: [1, 2],
    });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const run = (
    journal: Journal,
    { workers = 1, signal = new AbortController().signal, onProgress = (_: GridProgress): void => {} } = {},
  ) => runGrid({ grid, journal, workers, cacheFolder: folder, signal, onProgress });
  const withoutTimes = (finished: Awaited<ReturnType<typeof run>>) =>
    finished!.map(({ key, cell, result }) => ({ key, cell, result }));

  it('stopped, cut off and started again: finished cells stay, the others follow, the results are the same', async () => {
    const whole = await run(await Journal.open(join(folder, 'whole.jsonl')), { workers: 2 });
    expect(whole).to.have.length(8);

    const path = join(folder, 'parts.jsonl');
    const controller = new AbortController();
    const stopped = await run(await Journal.open(path), {
      signal: controller.signal,
      onProgress: ({ finished }) => {
        if (finished === 3) controller.abort();
      },
    });
    expect(stopped).to.equal(null);
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(lines).to.have.length(3);
    await appendFile(path, '{"key":"cut of'); // the crash came while the fourth was written
    const seen: number[] = [];
    const again = await run(await Journal.open(path), {
      onProgress: ({ finished }) => {
        seen.push(finished);
      },
    });
    expect(seen).to.deep.equal([3, 4, 5, 6, 7, 8]);
    expect(withoutTimes(again)).to.deep.equal(withoutTimes(whole));
    expect(
      (await readFile(path, 'utf8')).startsWith(`${lines.join('\n')}\n`),
      'what was finished is not done again',
    ).to.equal(true);
    expect(again!.map(({ cell }) => cell)).to.deep.equal(cellsOf(grid));
  });

  it('an error in a worker is told as it is', async () => {
    const path = join(folder, 'broken.jsonl');
    const journal = await Journal.open(path);
    const missing = { ...grid, dataset: `csv:${folder}/none.csv?label=class` };
    await expectError(
      () =>
        runGrid({
          grid: missing,
          journal,
          workers: 1,
          cacheFolder: folder,
          signal: new AbortController().signal,
          onProgress: () => undefined,
        }),
      'CSV_READ',
      /none\.csv/,
    );
  });

  it('the loss of a ruined model is the same before and after the journal is read again', async () => {
    const path = join(folder, 'ruined.jsonl');
    const journal = await Journal.open(path);
    const accuracy = [{ round: 1, accuracy: 0, loss: Number.NaN }];
    const result = { accuracy, finalAccuracy: 0 } as unknown as CellResult;
    await journal.add({ key: 'a', cell: cellsOf(grid)[0]!, result, seconds: 1 });
    expect(journal.get('a')).to.deep.equal((await Journal.open(path)).get('a'));
  });

  it('a line that is no finished cell is refused by its place', async () => {
    const path = join(folder, 'foreign.jsonl');
    await writeFile(path, '{"key":"a"}\n');
    await expectError(() => Journal.open(path), 'JOURNAL', /foreign\.jsonl:1/);
  });
});
