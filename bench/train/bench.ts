/**
 * `npm run bench:train`: what a step of training costs, by model and engine, all engines in turns in one run. Trust the
 * ratios.
 *
 * ASSAY_PYTHON names the interpreter that has torch; without it python3 is asked.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssayError } from '../../protocol/errors.ts';
import { failureText } from '../../scripts/output/failure.ts';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { machineFacts } from '../facts.ts';
import { readCount, readOptions } from '../options.ts';
import { findPython } from '../python.ts';
import { TARGET_COLUMNS } from '../tables.ts';
import { headLine, rowLine } from '../text.ts';
import type { EngineFacts, TrainBenchFacts, TrainRow } from './facts.ts';
import { replaceTables } from './page.ts';
import { ENGINES, type EngineName, TRAIN_CASES, type TrainCase } from './plan.ts';
import { measureCase, openSide, type TrainSide } from './sides.ts';
import { trainColumns } from './tables.ts';
import { differingLosses, judgeTraining } from './targets.ts';

const USAGE = `\
  npm run bench:train                               everything: about six minutes on an idle machine
  npm run bench:train -- --only lstm,vae            models
  npm run bench:train -- --engine embedded          engines; repeatable
  npm run bench:train -- --steps 5                  of a turn, instead of about a second's worth
  npm run bench:train -- --json FILE --write-docs   the facts; the tables of docs/training.md from them
  npm run bench:train -- --from FILE --write-docs   the tables from the facts of an earlier run`;

const PAGE = fileURLToPath(new URL('../../docs/training.md', import.meta.url));

interface Wish {
  readonly cases: readonly TrainCase[];
  readonly engines: readonly EngineName[];
  /** Of a turn; null: as the case says. */
  readonly steps: number | null;
}

/** The values of a list that were asked for, all of them when none was. @throws AssayError `BENCH_ONLY` */
function choose<Value>(wanted: readonly string[], all: readonly Value[], nameOf: (value: Value) => string): Value[] {
  const names = wanted.flatMap((text) => text.split(','));
  const unknown = names.find((name) => !all.some((value) => nameOf(value) === name));
  if (unknown !== undefined) {
    throw new AssayError('BENCH_ONLY', {
      summary: 'there is nothing of that name to measure',
      expected: all.map(nameOf).join(' | '),
      received: unknown,
    });
  }
  return all.filter((value) => names.length === 0 || names.includes(nameOf(value)));
}

/** Engines that load; a line for each that does not. */
async function openSides(engines: readonly EngineName[]): Promise<TrainSide[]> {
  const sides: TrainSide[] = [];
  for (const engine of engines) {
    const python = engine === 'pytorch' ? findPython('torch') : null;
    if (engine === 'pytorch' && python === null) continue;
    try {
      sides.push(await openSide(engine, python));
    } catch (error) {
      console.log(`${engine} is left out: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
    }
  }
  return sides;
}

async function measureAll(sides: readonly TrainSide[], wish: Wish, folder: string): Promise<TrainBenchFacts> {
  const { numpy: _numpy, python: _python, ...machine } = machineFacts(null);
  const engines: EngineFacts[] = sides.map(({ engine, version }) => ({ engine, version }));
  console.log(`${machine.processor}, ${machine.processors} processors, Node ${machine.node}`);
  for (const { engine, version } of engines) console.log(`  ${engine}: ${version}`);
  const columns = trainColumns(engines.map(({ engine }) => engine));
  console.log(`\nprocessor milliseconds per optimiser step\n${headLine(columns)}`);
  const rows: TrainRow[] = [];
  for (const bench of wish.cases) {
    if (process.stderr.isTTY) process.stderr.write(`[${rows.length + 1}/${wish.cases.length}] measuring\r`);
    const row = await measureCase(sides, bench, wish.steps, folder);
    if (process.stderr.isTTY) process.stderr.write('\x1b[2K');
    rows.push(row);
    console.log(rowLine(columns, row));
    for (const line of differingLosses(row)) console.log(line);
  }
  const facts: TrainBenchFacts = {
    format: 'assay-bench-train/1',
    machine,
    engines,
    rows,
    targets: judgeTraining(rows),
  };
  printTargets(facts);
  return facts;
}

function printTargets({ targets }: TrainBenchFacts): void {
  if (targets.length === 0) return;
  console.log(`\n${headLine(TARGET_COLUMNS)}`);
  for (const row of targets) console.log(rowLine(TARGET_COLUMNS, row));
}

async function writeDocs(facts: TrainBenchFacts): Promise<void> {
  await writeFileAtomic(PAGE, replaceTables(await readFile(PAGE, 'utf8'), facts));
}

async function main(): Promise<void> {
  const values = readOptions(USAGE, {
    json: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    engine: { type: 'string', multiple: true, default: [] },
    steps: { type: 'string' },
    from: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
  });
  if (values.from !== undefined) {
    const { targets: _, ...measured } = JSON.parse(await readFile(values.from, 'utf8')) as TrainBenchFacts;
    const facts = { ...measured, targets: judgeTraining(measured.rows) };
    printTargets(facts);
    if (values['write-docs']) await writeDocs(facts);
    return;
  }
  const wish: Wish = {
    cases: choose(values.only, TRAIN_CASES, ({ name }) => name),
    engines: choose(values.engine, ENGINES, (name) => name),
    steps: values.steps === undefined ? null : readCount('steps', values.steps),
  };
  const folder = await mkdtemp(join(tmpdir(), 'assay-bench-train-'));
  let isStopped = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      isStopped = true; // what the processes complain about now is nobody's fault
      void rm(folder, { recursive: true, force: true }).finally(() => process.exit(130));
    });
  }
  const sides = await openSides(wish.engines);
  try {
    const facts = await measureAll(sides, wish, folder);
    if (values.json !== undefined) await writeFileAtomic(values.json, `${JSON.stringify(facts, null, 2)}\n`);
    if (values['write-docs']) await writeDocs(facts);
  } catch (error) {
    if (!isStopped) throw error;
  } finally {
    await Promise.all(sides.map((side) => side.end()));
    await rm(folder, { recursive: true, force: true });
  }
}

await main().catch((error) => {
  console.error(failureText(error));
  process.exitCode = 1;
});
