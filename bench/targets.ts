/** What the aggregation is to reach, judged by one run. Only what was measured is judged. */
import type { BenchFacts, RuleRow, TargetRow } from './facts.ts';
import { size } from './text.ts';

type Measured = Omit<BenchFacts, 'targets'>;

/** Times as fast as numpy, at least. */
const AGAINST_NUMPY: readonly (readonly [title: string, atLeast: number])[] = [
  ['mean', 1],
  ['median', 20],
  ['trimmed mean', 8],
  ['Gram matrix', 1.5],
  ['Multi-Krum', 5],
  ['geometric median', 5],
];
const TARGET_SIZES: readonly (readonly [n: number, dimension: number])[] = [
  [20, 1e6],
  [20, 1e7],
];
const MOST_FLOORS = 4;
const STREAMED = 'NNM + trimmed mean';
const STREAMED_AT_LEAST = 15;
const STREAMED_MOST_MIB = 1024;
const MOST_HASHINGS = 3;
const TWO_THREADS_AT_LEAST = 1.6;

export function judgeTargets(facts: Measured): TargetRow[] {
  const rows: TargetRow[] = [];
  const at = (title: string, n: number, dimension: number): RuleRow | undefined =>
    facts.rules.find((row) => row.title === title && row.n === n && row.dimension === dimension);
  for (const [title, wanted] of AGAINST_NUMPY) {
    for (const [n, dimension] of TARGET_SIZES) {
      const row = at(title, n, dimension);
      const numpy = row?.numpy[0];
      if (row === undefined || numpy === undefined) continue;
      const what = `${title} against numpy, ${size(n, dimension)}`;
      rows.push(atLeast(what, wanted, numpy.milliseconds / row.milliseconds));
    }
  }
  for (const title of ['trimmed mean', 'median']) {
    for (const [n, dimension] of TARGET_SIZES) {
      const row = at(title, n, dimension);
      if (row === undefined) continue;
      const what = `${title} against one read of the bytes, ${size(n, dimension)}`;
      rows.push(atMost(what, MOST_FLOORS, row.milliseconds / row.floorMilliseconds));
    }
  }
  for (const row of facts.streams) {
    if (row.title !== STREAMED || row.dimension !== 1e7 || row.threads !== 1) continue;
    for (const numpy of row.numpy) {
      const what = `${row.title} from the disk against numpy (${numpy.name.split(', ').at(-1)}), ${size(row.n, row.dimension)}`;
      rows.push(atLeast(what, STREAMED_AT_LEAST, numpy.milliseconds / row.milliseconds));
    }
  }
  for (const row of facts.streams) {
    if (row.title !== STREAMED || row.dimension !== 1e7 || row.peakMiB === null) continue;
    rows.push({
      target: `${row.title} from the disk, memory of the process, ${row.threads === 1 ? 'one thread' : 'two threads'}`,
      wanted: `below ${STREAMED_MOST_MIB} MiB`,
      reached: `${row.peakMiB.toFixed(0)} MiB`,
      isReached: row.peakMiB < STREAMED_MOST_MIB,
    });
  }
  for (const row of facts.rounds) {
    const what = `whole round (${row.title}) against hashing its updates alone, ${size(row.n, row.dimension)}`;
    if (row.dimension === 1e6) rows.push(atMost(what, MOST_HASHINGS, row.oneThread / row.treeMilliseconds));
  }
  for (const row of facts.rounds) {
    if (row.dimension < 1e6) continue;
    const what = `whole round (${row.title}), two threads against one, ${size(row.n, row.dimension)}`;
    rows.push(atLeast(what, TWO_THREADS_AT_LEAST, row.oneThread / row.twoThreads));
  }
  for (const row of facts.streams) {
    const one = facts.streams.find(({ title, threads }) => title === row.title && threads === 1);
    if (row.threads !== 2 || row.dimension < 1e6 || one === undefined) continue;
    const what = `${row.title} from the disk, two threads against one, ${size(row.n, row.dimension)}`;
    rows.push(atLeast(what, TWO_THREADS_AT_LEAST, one.milliseconds / row.milliseconds));
  }
  return rows;
}

function atLeast(target: string, wanted: number, reached: number): TargetRow {
  return { target, wanted: `at least ${wanted} x`, reached: `${reached.toFixed(1)} x`, isReached: reached >= wanted };
}

function atMost(target: string, wanted: number, reached: number): TargetRow {
  return { target, wanted: `at most ${wanted} x`, reached: `${reached.toFixed(1)} x`, isReached: reached <= wanted };
}
