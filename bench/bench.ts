/**
 * `npm run bench`: what the rules and a round cost, beside what they are to be compared with, all in one run and in
 * turns: one SIMD read of the same bytes (the floor), plain TypeScript (the reference), numpy where python3 has it, and
 * hashing alone. Trust the ratios.
 *
 * ASSAY_PYTHON names the interpreter that has numpy; without it python3 is asked.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AssayError } from '../protocol/errors.ts';
import { failureText } from '../scripts/output/failure.ts';
import { writeFileAtomic } from '../storage/atomicFile.ts';
import { BenchCases } from './cases.ts';
import {
  type BenchFacts,
  machineFacts,
  type RoundRow,
  type RuleRow,
  type StorageFacts,
  type StreamRow,
} from './facts.ts';
import { readOptions } from './options.ts';
import { renderPage } from './page.ts';
import * as plan from './plan.ts';
import { findPython } from './python.ts';
import { ROUND_COLUMNS, RULE_COLUMNS, STREAM_COLUMNS, TARGET_COLUMNS } from './tables.ts';
import { judgeTargets } from './targets.ts';
import { type Column, headLine, rowLine, size } from './text.ts';

const USAGE = `\
  npm run bench                               everything: about ten minutes on an idle machine
  npm run bench -- --quick                    small sizes, a minute
  npm run bench -- --only round,stream        sections (rules, rows, dimension, round, stream, storage) or rules
  npm run bench -- --json FILE --write-docs   the facts; docs/benchmarks.md from them
  npm run bench -- --from FILE --write-docs   the page from the facts of an earlier run`;

const PAGE = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));
const STORAGE = fileURLToPath(new URL('./storage.ts', import.meta.url));
/** A difference beyond this, in standard deviations of an update, is another rule and not float32. */
const SAME_RULE = 0.05;

interface Wish {
  readonly sections: ReadonlySet<plan.Section>;
  /** Titles; null: all. */
  readonly rules: ReadonlySet<string> | null;
  readonly quick: boolean;
}

/** @throws AssayError `BENCH_ONLY` */
function parseWish(only: readonly string[], quick: boolean): Wish {
  const sections = new Set<plan.Section>();
  const rules = new Set<string>();
  for (const name of only.flatMap((value) => value.split(','))) {
    const section = plan.SECTIONS.find((each) => each === name);
    const rule = [...plan.BENCH_RULES, { ...plan.GRAM, rule: 'gram' }].find((each) => each.rule === name);
    if (section !== undefined) sections.add(section);
    else if (rule !== undefined) rules.add(rule.title);
    else {
      throw new AssayError('BENCH_ONLY', {
        summary: 'there is nothing of that name to measure',
        expected: [...plan.SECTIONS, 'gram', ...plan.BENCH_RULES.map((each) => each.rule)].join(' | '),
        received: name,
      });
    }
  }
  if (rules.size > 0) sections.add('rules');
  return {
    sections: sections.size > 0 ? sections : new Set(plan.SECTIONS),
    rules: rules.size > 0 ? rules : null,
    quick,
  };
}

async function measureAll(cases: BenchCases, wish: Wish, storageFile: string): Promise<BenchFacts> {
  const version = await cases.numpyVersion();
  const machine = machineFacts(version);
  console.log(
    `${machine.processor}, ${machine.processors} processors, Node ${machine.node}${version === null ? '' : `, numpy ${version.numpy} (float32, one thread)`}`,
  );
  const measured = { format: 'assay-bench/1' as const, machine, ...empty() };
  const wanted = (title: string) => wish.rules === null || wish.rules.has(title);
  const { sections, quick } = wish;
  const rules = plan.BENCH_RULES.filter(({ title }) => wanted(title));
  const curve = [plan.GRAM, ...plan.BENCH_RULES.filter(({ title }) => plan.CURVE_RULES.includes(title))];

  if (sections.has('rules')) {
    for (const shape of quick ? plan.QUICK_SHAPES : plan.SHAPES) {
      await table(
        `${size(shape.n, shape.dimension)}, f = ${shape.byzantine}, rows in memory to the next model, one thread`,
        RULE_COLUMNS,
        [...(wanted(plan.GRAM.title) ? [plan.GRAM] : []), ...rules],
        (bench) => cases.rule(bench, shape, true),
        measured.rules,
      );
    }
    const large = { ...(quick ? plan.QUICK_SHAPES : plan.SHAPES)[0]!, spread: plan.LARGE_SPREAD };
    await table(
      `the same with large values (standard deviation ${large.spread} units instead of ${plan.SHAPES[0]!.spread})`,
      RULE_COLUMNS,
      [plan.GRAM, ...plan.BENCH_RULES].filter(({ title }) => plan.LARGE_RULES.includes(title) && wanted(title)),
      async (bench) => ({ ...(await cases.rule(bench, large, false)), title: `${bench.title}, large values` }),
      measured.rules,
    );
  }
  for (const [section, shapes, rows] of [
    ['rows', quick ? plan.QUICK_ROW_CURVE : plan.ROW_CURVE, measured.rowCurve],
    ['dimension', quick ? plan.QUICK_DIMENSION_CURVE : plan.DIMENSION_CURVE, measured.dimensionCurve],
  ] as const) {
    if (!sections.has(section)) continue;
    const points = shapes.flatMap((shape) => curve.map((bench) => ({ bench, shape })));
    const title = section === 'rows' ? 'by number of updates' : 'by size of the model';
    const known = ({ bench, shape }: (typeof points)[number]) =>
      measured.rules.find(
        (row) =>
          row.title === bench.title &&
          row.n === shape.n &&
          row.dimension === shape.dimension &&
          row.spread === shape.spread,
      );
    const measure = async (point: (typeof points)[number]) =>
      known(point) ?? (await cases.rule(point.bench, point.shape, false));
    await table(title, RULE_COLUMNS, points, measure, rows);
  }
  if (sections.has('round')) {
    const shape = quick ? plan.QUICK_SHAPES[0]! : plan.SHAPES[0]!;
    await table(
      'a whole round, rows in memory: commitments and norms, rule, step, next model and its root',
      ROUND_COLUMNS,
      plan.ROUND_RULES,
      (title) => cases.round(title, shape),
      measured.rounds,
    );
  }
  if (sections.has('stream')) {
    const shape = quick ? plan.QUICK_SHAPES[0]! : plan.SHAPES[2]!;
    console.log('\na round from updates on the disk to the model on the disk');
    console.log(headLine(STREAM_COLUMNS));
    for (const title of plan.STREAM_RULES) {
      const rows = await cases.stream(title, shape);
      measured.streams.push(...rows);
      for (const row of rows) console.log(rowLine(STREAM_COLUMNS, row));
    }
  }
  for (const { title, n, dimension, numpy } of [...measured.rules, ...measured.rowCurve, ...measured.dimensionCurve]) {
    for (const { name, difference } of numpy) {
      if (difference === null || difference < SAME_RULE) continue;
      console.log(`note: numpy's ${name} differs from ${title} at ${size(n, dimension)} by ${difference.toFixed(3)}`);
    }
  }
  if (sections.has('storage')) measured.storage = await measureStorage(quick, storageFile);
  const facts: BenchFacts = { ...measured, targets: judgeTargets(measured) };
  printTargets(facts);
  return facts;
}

/** A command of its own, which prints its own table. */
async function measureStorage(quick: boolean, file: string): Promise<StorageFacts> {
  console.log('');
  const args = [STORAGE, '--json', file, ...(quick ? ['--mib', '8', '--repeats', '3'] : [])];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${STORAGE} ended with status ${status}`);
  return JSON.parse(await readFile(file, 'utf8')) as StorageFacts;
}

function printTargets({ targets }: BenchFacts): void {
  if (targets.length === 0) return;
  console.log(`\n${headLine(TARGET_COLUMNS)}`);
  for (const row of targets) console.log(rowLine(TARGET_COLUMNS, row));
}

function empty() {
  return {
    rules: [] as RuleRow[],
    rowCurve: [] as RuleRow[],
    dimensionCurve: [] as RuleRow[],
    rounds: [] as RoundRow[],
    streams: [] as StreamRow[],
    storage: null as StorageFacts | null,
  };
}

/** Measures one row after the other; each is printed as soon as it is known, on a terminal announced before. */
async function table<Input, Row>(
  title: string,
  columns: readonly Column<Row>[],
  inputs: readonly Input[],
  measure: (input: Input) => Promise<Row>,
  into: Row[],
): Promise<void> {
  if (inputs.length === 0) return;
  console.log(`\n${title}\n${headLine(columns)}`);
  for (const [i, input] of inputs.entries()) {
    if (process.stderr.isTTY) process.stderr.write(`[${i + 1}/${inputs.length}] measuring\r`);
    const row = await measure(input);
    if (process.stderr.isTTY) process.stderr.write('\x1b[2K');
    into.push(row);
    console.log(rowLine(columns, row));
  }
}

async function main(): Promise<void> {
  const values = readOptions(USAGE, {
    json: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    quick: { type: 'boolean', default: false },
    from: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
  });
  if (values.from !== undefined) {
    const { targets: _, ...measured } = JSON.parse(await readFile(values.from, 'utf8')) as BenchFacts;
    const facts = { ...measured, targets: judgeTargets(measured) };
    printTargets(facts);
    if (values['write-docs']) await writeFileAtomic(PAGE, renderPage(facts));
    return;
  }
  const wish = parseWish(values.only, values.quick);
  const folder = await mkdtemp(join(tmpdir(), 'assay-bench-'));
  const turns = values.quick ? { most: 3, budgetSeconds: 1 } : { most: 9, budgetSeconds: 2 };
  const cases = new BenchCases(folder, findPython('numpy'), turns);
  let isStopped = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      isStopped = true; // what the processes complain about now is nobody's fault
      void rm(folder, { recursive: true, force: true }).finally(() => process.exit(130));
    });
  }
  try {
    const facts = await measureAll(cases, wish, join(folder, 'storage.json'));
    if (values.json !== undefined) await writeFileAtomic(values.json, `${JSON.stringify(facts, null, 2)}\n`);
    if (values['write-docs']) await writeFileAtomic(PAGE, renderPage(facts));
  } catch (error) {
    if (!isStopped) throw error;
  } finally {
    await cases.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

await main().catch((error) => {
  console.error(failureText(error));
  process.exitCode = 1;
});
