/** The measurements themselves: which processes, what they are told, in which turns. */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child, type Measured } from './child.ts';
import type { NumpyFacts, RoundRow, RuleRow, StreamRow } from './facts.ts';
import { type Side, type Taken, type Turns, takeTurns } from './measure.ts';
import { BENCH_RULES, type BenchRule, type BenchShape, type GRAM, REFERENCE_VALUES, USUAL_LENGTH } from './plan.ts';
import { rowBytes, writeRows } from './rowsFile.ts';
import type { RunTask } from './worker.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
const NUMPY_WORKER = fileURLToPath(new URL('./numpy/worker.py', import.meta.url));
/** Coordinates by which two versions of a rule are compared. */
const SAMPLE = 512;
/** Ways that would take minutes: all subsets of the rows; the indices of what is nearest, coordinate by coordinate. */
const NUMPY_MOST_ROWS: Readonly<Record<string, number>> = { mda: 20, meamed: 20, bulyan: 20 };
const NUMPY_MOST_VALUES: Readonly<Record<string, number>> = { meamed: 2e7, bulyan: 2e7 };

export class BenchCases {
  private readonly folder: string;
  /** The interpreter that has numpy; null: it is not measured. */
  private readonly python: string | null;
  private readonly turns: Turns;
  private readonly children = new Set<Child>();

  constructor(folder: string, python: string | null, turns: Turns) {
    this.folder = folder;
    this.python = python;
    this.turns = turns;
  }

  /** Ends the processes of whatever is being measured. */
  async stop(): Promise<void> {
    await Promise.all([...this.children].map((child) => child.end()));
  }

  /** A rule (or the Gram matrix) beside the floor, numpy and, where asked for, the plain reference. */
  async rule(bench: BenchRule | typeof GRAM, shape: BenchShape, withReference: boolean): Promise<RuleRow> {
    const ours = await this.ours(shape, true);
    const theirs = await this.numpySides(bench, shape);
    const isRule = 'rule' in bench;
    const task: RunTask = isRule
      ? { do: 'run', what: 'rule', ...ruleTask(bench, shape), sample: SAMPLE }
      : { do: 'run', what: 'gram' };
    const sides: Side[] = [
      { name: 'floor', measure: () => ours.ask({ do: 'run', what: 'floor' } satisfies RunTask) },
      { name: 'ours', measure: () => ours.ask(task) },
      ...theirs.sides,
    ];
    const plain = isRule && withReference && shape.n * shape.dimension <= REFERENCE_VALUES;
    if (plain) {
      const reference = { ...task, what: 'reference' } satisfies RunTask;
      sides.push({ name: 'reference', once: true, measure: () => ours.ask(reference) });
    }
    const taken = await takeTurns(sides, this.turns);
    await this.end(ours, theirs.child);
    const [own, floor] = [taken.get('ours')!, taken.get('floor')!];
    return {
      title: bench.title,
      ...shape,
      milliseconds: own.milliseconds,
      extraMiB: own.extraMiB,
      floorMilliseconds: floor.milliseconds,
      referenceMilliseconds: taken.get('reference')?.milliseconds ?? null,
      numpy: numpyFacts(theirs.names, taken, isRule ? (own.result as number[]) : null, shape),
    };
  }

  /** Everything that an auditor computes in a round, rows in memory, beside hashing alone. */
  async round(title: string, shape: BenchShape): Promise<RoundRow> {
    const ours = await this.ours(shape, true);
    const rule = ruleTask(benchRule(title), shape);
    const round = (threads: number, commit: boolean): Side => ({
      name: `${threads} ${commit}`,
      measure: () => ours.ask({ do: 'run', what: 'round', ...rule, threads, commit } satisfies RunTask),
    });
    const sides: Side[] = [
      { name: 'tree', measure: () => ours.ask({ do: 'run', what: 'tree' } satisfies RunTask) },
      { name: 'flat', measure: () => ours.ask({ do: 'run', what: 'flat' } satisfies RunTask) },
      ...[round(1, true), round(2, true), round(1, false), round(2, false)],
    ];
    const taken = await takeTurns(sides, this.turns);
    await this.end(ours);
    const ms = (name: string) => taken.get(name)!.milliseconds;
    agree(
      sides.slice(2).map(({ name }) => taken.get(name)!.result),
      title,
    );
    return {
      title,
      n: shape.n,
      dimension: shape.dimension,
      treeMilliseconds: ms('tree'),
      flatMilliseconds: ms('flat'),
      oneThread: ms('1 true'),
      twoThreads: ms('2 true'),
      oneThreadUncommitted: ms('1 false'),
      twoThreadsUncommitted: ms('2 false'),
    };
  }

  /** A round over updates on the disk: what an aggregator computes. One process for each number of threads. */
  async stream(title: string, shape: BenchShape): Promise<StreamRow[]> {
    const bench = benchRule(title);
    const theirs = await this.numpySides(bench, shape);
    const children: Child[] = [];
    const sides: Side[] = [];
    for (const threads of [1, 2]) {
      const child = await this.ours(shape, false);
      const output = join(this.folder, `model-${threads}`);
      const task: RunTask = { do: 'run', what: 'stream', ...ruleTask(bench, shape), threads, output };
      children.push(child);
      sides.push({ name: String(threads), measure: () => child.ask(task) });
    }
    const taken = await takeTurns([...sides, ...theirs.sides], this.turns);
    await this.end(...children, theirs.child);
    agree(
      sides.map(({ name }) => taken.get(name)!.result),
      title,
    );
    const numpy = numpyFacts(theirs.names, taken, null, shape);
    return sides.map(({ name }): StreamRow => {
      const { milliseconds, peakMiB } = taken.get(name)!;
      return { title, n: shape.n, dimension: shape.dimension, threads: Number(name), milliseconds, peakMiB, numpy };
    });
  }

  async numpyVersion(): Promise<{ readonly numpy: string; readonly python: string } | null> {
    if (this.python === null) return null;
    const child = this.start(this.python, [NUMPY_WORKER]);
    const version = await child.ask<{ numpy: string; python: string }>({ do: 'version' });
    await this.end(child);
    return version;
  }

  private async numpySides({ numpy }: Pick<BenchRule, 'numpy'>, shape: BenchShape) {
    const within = (limits: Readonly<Record<string, number>>, name: string, value: number) =>
      value <= (limits[name] ?? Number.POSITIVE_INFINITY);
    const names = numpy.filter(
      (name) =>
        within(NUMPY_MOST_ROWS, name, shape.n) &&
        within(NUMPY_MOST_VALUES, name, shape.n * shape.dimension) &&
        numpyBytes(name, shape) < process.availableMemory(),
    );
    if (this.python === null || names.length === 0) return { names: [], sides: [], child: null };
    const child = this.start(this.python, [NUMPY_WORKER]);
    const { n, dimension, byzantine } = shape;
    await child.ask({ do: 'load', file: await this.rowsFile(shape), n, dimension, rowBytes: rowBytes(dimension) });
    const options = { radius: usualLength(shape) / 2 ** 16 };
    const sides = names.map((what): Side => {
      const task = { do: 'run', what, byzantine, options, sample: SAMPLE };
      return { name: what, measure: () => child.ask<Measured>(task) };
    });
    return { names, sides, child };
  }

  private async ours(shape: BenchShape, inMemory: boolean): Promise<Child> {
    const child = this.start(process.execPath, [WORKER]);
    const { n, dimension } = shape;
    await child.ask({ do: 'load', file: await this.rowsFile(shape), n, dimension, inMemory });
    return child;
  }

  private start(command: string, args: readonly string[]): Child {
    const child = new Child(command, args);
    this.children.add(child);
    return child;
  }

  private async end(...children: readonly (Child | null)[]): Promise<void> {
    for (const child of children) {
      await child?.end();
      if (child !== null) this.children.delete(child);
    }
  }

  /** Made when first needed; the one before it goes, so that only one takes room on the disk. */
  private async rowsFile(shape: BenchShape): Promise<string> {
    const path = join(this.folder, `rows-${shape.n}-${shape.dimension}-${shape.spread}`);
    if (path !== this.present) {
      if (this.present !== null) await rm(this.present, { force: true });
      this.present = path;
      await writeRows(path, shape);
    } else await stat(path);
    return path;
  }

  private present: string | null = null;
}

function benchRule(title: string): BenchRule {
  return BENCH_RULES.find((bench) => bench.title === title)!;
}

function ruleTask({ rule, options }: BenchRule, shape: BenchShape): Pick<RunTask, 'rule' | 'byzantine' | 'options'> {
  const filled = options?.radius === USUAL_LENGTH ? { ...options, radius: usualLength(shape) } : options;
  return { rule, byzantine: shape.byzantine, ...(filled === undefined ? {} : { options: filled }) };
}

/** The L2 norm of an update, in units. */
function usualLength({ spread, dimension }: BenchShape): number {
  return Math.round(spread * Math.sqrt(dimension));
}

/** Memory that a way takes at most, roughly: rows, copies and, where it gathers neighbours, n - f rows for each. */
function numpyBytes(name: string, { n, dimension, byzantine }: BenchShape): number {
  const rows = 4 * n * dimension;
  return (name.endsWith('gathered') ? n - byzantine + 3 : name === 'meamed' || name === 'bulyan' ? 8 : 4) * rows;
}

function numpyFacts(
  names: readonly string[],
  taken: ReadonlyMap<string, Taken>,
  exact: readonly number[] | null,
  { spread }: BenchShape,
): NumpyFacts[] {
  return names.map((name) => {
    const { milliseconds, extraMiB, result } = taken.get(name)!;
    const unit = spread * 2 ** -16;
    const difference = exact === null ? null : usualDifference(exact, result as readonly number[]) / unit;
    return { name, milliseconds, extraMiB, difference };
  });
}

/**
 * All but the largest twentieth of the differences are below it: which of two values as near the median is taken is
 * nothing that numpy's rules promise.
 */
function usualDifference(exact: readonly number[], theirs: readonly number[]): number {
  const differences = exact.map((value, k) => Math.abs(value - theirs[k]!)).sort((a, b) => a - b);
  return differences[Math.floor(0.95 * differences.length)]!;
}

/** @throws Error when rounds that are to give the same model did not */
function agree(roots: readonly unknown[], title: string): void {
  if (new Set(roots).size !== 1) throw new Error(`${title}: the model depends on the threads: ${roots.join(', ')}`);
}
