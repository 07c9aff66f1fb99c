/** `assay simulate`: many federations in one process, without a chain. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { attacks } from '../../client/attacks/registry.ts';
import { cellsOf, checkGrid, type Grid, parseGrid } from '../../client/simulation/grid.ts';
import { type FinishedCell, Journal } from '../../client/simulation/journal.ts';
import { MODEL_PRESETS } from '../../client/simulation/modelChoice.ts';
import { runGrid } from '../../client/simulation/runGrid.ts';
import { ALGORITHM_EXPECTED, parseAlgorithm } from '../../client/training/algorithms/algorithmChoice.ts';
import { AssayError } from '../../protocol/errors.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { lockFolder } from '../../storage/folderLock.ts';
import { DEMO_TASKS, type DemoTaskName } from '../demo/tasks/names.ts';
import { stopSignal } from '../node/untilStopped.ts';
import { type FactsOptions, withFacts } from '../options/shared.ts';
import { collect, integer } from '../options/values.ts';
import { toJson, writeFacts } from '../output/facts.ts';
import { seconds, table } from '../output/text.ts';
import { csv, participantsCsv } from '../simulate/csv.ts';
import { defaultGrid } from '../simulate/defaultGrid.ts';
import { plotPage } from '../simulate/plot.ts';
import { GridProgressLine } from '../simulate/progress.ts';
import { resultFacts, type SimulateFacts, simulateFactsSchema } from '../simulate/simulateFacts.ts';
import {
  alphaLabel,
  backdoorRows,
  leftOutRows,
  markdown,
  measureRows,
  ownRows,
  type ResultTable,
  tabulate,
} from '../simulate/tables.ts';

interface SimulateOptions extends FactsOptions {
  readonly task?: DemoTaskName;
  readonly rule: readonly string[];
  readonly attack: readonly string[];
  readonly alpha: readonly string[];
  readonly algorithm: readonly string[];
  readonly model?: string;
  readonly seed: readonly string[];
  readonly participants?: number;
  readonly byzantine?: number;
  readonly rounds?: number;
  readonly workers: number;
  readonly out?: string;
  readonly cache: string;
}

const EXAMPLES = `
Examples:
  $ assay simulate                                               the federation of the demonstration, without its chain
  $ assay simulate --task code                                   the same of companies that train a model of code
  $ assay simulate --rule fedavg --rule nnm+trimmed-mean --attack minMax --attack signFlipping
  $ assay simulate bench/grids/mnist.json --workers 4            a table as the papers print it
  $ assay simulate bench/grids/code.json --workers 2             the same for a model of code
  $ assay simulate grid.json --out runs/grid                     go on where it was stopped: finished cells are kept

Attacks: none, ${attacks.map(({ name }) => name).join(', ')}.
The grid file: docs/simulate.md.`;

export function addSimulateCommand(program: Command): void {
  withFacts(program.command('simulate'))
    .description('Run federations in one process, without a chain: rules against attacks, for research.')
    .argument('[grid]', "grid of experiments, a JSON file; without one: the demonstration's federation")
    .addOption(
      new Option('--task <name>', 'without a grid file: of which demonstration; default: classify').choices(DEMO_TASKS),
    )
    .option('--rule <name>', "aggregation rule instead of the grid's; repeatable", collect, [])
    .option('--attack <name>', "attack instead of the grid's, or none; repeatable", collect, [])
    .option('--algorithm <kind>', `${ALGORITHM_EXPECTED}; repeatable`, collect, [])
    .option('--model <preset>', `model: ${MODEL_PRESETS.join(', ')}`)
    .option(
      '--alpha <a>',
      'Dirichlet concentration of labels (of text: of packages), iid, or natural (text); repeatable',
      collect,
      [],
    )
    .option('--seed <text>', 'seed; repeatable', collect, [])
    .option('--participants <n>', 'participants', integer(1))
    .option('--byzantine <n>', 'how many of them attack; also f of the rule', integer(0))
    .option('--rounds <n>', 'rounds', integer(1, 100_000))
    .option('--workers <n>', 'threads that compute cells', integer(1, 256), 1)
    .option('--out <folder>', 'folder for results, and to go on from; default: runs/simulate-<name of the grid>')
    .option('--cache <folder>', 'folder for prepared data sets', '.cache/datasets')
    .addHelpText('after', EXAMPLES)
    .action(runSimulate);
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Exit status of a run that was interrupted, as shells have it for SIGINT: its results are not there yet. */
const STOPPED = 130;

async function runSimulate(path: string | undefined, options: SimulateOptions): Promise<void> {
  const started = performance.now();
  const signal = stopSignal();
  const grid = await readGrid(path, options);
  const folder = resolve(options.out ?? join('runs', `simulate-${grid.name}`));
  const lock = await lockFolder(folder, 'assay simulate');
  try {
    const journal = await Journal.open(join(folder, 'cells.jsonl'));
    say(describe(grid));
    let computed = 0;
    const progress = new GridProgressLine(say);
    const finished = await runGrid({
      grid,
      journal,
      workers: options.workers,
      cacheFolder: options.cache,
      signal,
      onProgress: (now) => {
        if (now.last !== null) computed++;
        else if (now.finished > 0) say(`${now.finished} of ${now.total} cells were finished before: ${journal.path}`);
        progress.show(now);
      },
    }).finally(() => progress.end());
    if (finished === null) {
      process.exitCode = STOPPED;
      return say(`Stopped. The same command goes on from ${folder}.`);
    }
    const tables = tabulate(finished);
    printTables(tables);
    const files = await writeResults(folder, grid, finished, tables);
    const facts: SimulateFacts = {
      command: 'simulate',
      grid: grid.name,
      folder,
      cells: new Set(finished).size,
      computed,
      seconds: (performance.now() - started) / 1000,
      results: resultFacts(tables),
      files,
    };
    await writeFacts(options.json, simulateFactsSchema.parse(facts));
    say(`${facts.cells} cells, ${computed} of them computed now, in ${seconds(facts.seconds)}`);
    for (const line of table([['', ''], ...Object.entries(files)]).slice(1)) say(`  ${line}`);
  } finally {
    await lock.release();
  }
}

/** The grid of the file, or the default one, with what the options replace. */
async function readGrid(path: string | undefined, options: SimulateOptions): Promise<Grid> {
  const { task, rule, algorithm, model, attack, alpha, seed, participants, byzantine, rounds } = options;
  const changes = {
    ...(rule.length > 0 ? { rules: rule } : {}),
    ...(algorithm.length > 0 ? { algorithms: algorithm.map(parseAlgorithm) } : {}),
    ...(model === undefined ? {} : { model }),
    // Without attackers the attacks of a file have nobody to make them.
    ...(attack.length > 0 ? { attacks: attack } : byzantine === 0 ? { attacks: ['none'] } : {}),
    ...(alpha.length > 0
      ? { alphas: alpha.map((text) => (text === 'iid' || text === 'natural' ? text : Number(text))) }
      : {}),
    ...(seed.length > 0 ? { seeds: seed } : {}),
    ...(participants === undefined ? {} : { participants }),
    ...(byzantine === undefined ? {} : { byzantine }),
    ...(rounds === undefined ? {} : { rounds }),
  };
  if (path === undefined) return checkGrid({ ...defaultGrid(task), ...changes }, 'of the demonstration');
  if (task !== undefined) {
    throw new AssayError('GRID', {
      summary: `the grid ${path} says itself what is trained`,
      expected: "a grid file, or --task for a demonstration's federation",
      received: `both, with --task ${task}`,
      fix: 'leave out one of them',
    });
  }
  const grid = parseGrid(await readFile(path, 'utf8'), path);
  return Object.keys(changes).length === 0 ? grid : checkGrid({ ...grid, ...changes }, path);
}

function describe(grid: Grid): string {
  const { participants, perRound, byzantine, rounds, dataset, view } = grid;
  const present = perRound === undefined ? '' : `, ${perRound} in a round`;
  return `${grid.name}: ${cellsOf(grid).length} cells of ${participants} participants${present}, ${byzantine} Byzantine (${view}), ${rounds} rounds on ${dataset}`;
}

function printTables(tables: readonly ResultTable[]): void {
  for (const results of tables) {
    say('');
    const { measure } = results;
    const title = measure.name === 'accuracy' ? measure.name : measure.title;
    say(`${alphaLabel(results.alpha)}: ${title} of the last model, mean over seeds`);
    for (const line of table(measureRows(results))) say(`  ${line}`);
    const backdoors = backdoorRows(results);
    if (backdoors.length > 0) {
      say('Success of the backdoor');
      for (const line of table(backdoors)) say(`  ${line}`);
    }
    const own = ownRows(results);
    if (own.length > 0) {
      say(`${measure.title} on participants' own held-out ${measure.heldOut}`);
      for (const line of table(own)) say(`  ${line}`);
    }
    say('Honest participants left out (part of the rounds with less than half of an equal share)');
    for (const line of table(leftOutRows(results))) say(`  ${line}`);
  }
  say('');
}

/** Everything but times: the same grid gives the same bytes. */
async function writeResults(
  folder: string,
  grid: Grid,
  finished: readonly FinishedCell[],
  tables: readonly ResultTable[],
): Promise<Record<string, string>> {
  const files: Record<'results' | 'table' | 'markdown' | 'plot', string> & { participants?: string } = {
    results: join(folder, 'results.json'),
    table: join(folder, 'results.csv'),
    markdown: join(folder, 'tables.md'),
    plot: join(folder, 'plot.html'),
    ...(finished.some(({ result }) => result.participants !== undefined) && {
      participants: join(folder, 'participants.csv'),
    }),
  };
  const cells = finished.map(({ key, cell, result }) => ({ key, cell, result }));
  await writeFileAtomic(files.results, `${toJson({ format: 'assay-simulation/1', grid, cells }, 1)}\n`);
  await writeFileAtomic(files.table, csv(finished));
  if (files.participants !== undefined) await writeFileAtomic(files.participants, participantsCsv(finished));
  await writeFileAtomic(files.markdown, markdown(tables));
  await writeFileAtomic(files.plot, plotPage(grid.name, tables));
  return files;
}
