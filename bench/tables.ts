/** The columns of the tables, the same on the terminal and in docs/benchmarks.md. */
import type { NumpyFacts, RoundRow, RuleRow, StreamRow, TargetRow } from './facts.ts';
import { type Column, figure, size, times } from './text.ts';

export const RULE_COLUMNS: readonly Column<RuleRow>[] = [
  { title: 'rule', width: 38, cell: ({ title }) => title },
  { title: 'n x d', width: 9, cell: ({ n, dimension }) => size(n, dimension) },
  { title: 'ms', width: 7, cell: ({ milliseconds }) => figure(milliseconds) },
  { title: 'MiB', width: 5, cell: ({ extraMiB }) => memory(extraMiB) },
  { title: 'reads', width: 7, cell: (row) => times(row.milliseconds / row.floorMilliseconds) },
  {
    title: 'plain TS',
    width: 8,
    cell: ({ milliseconds, referenceMilliseconds: plain }) => (plain === null ? '-' : times(plain / milliseconds)),
  },
  { title: 'numpy ms', width: 13, cell: ({ numpy }) => each(numpy, ({ milliseconds }) => figure(milliseconds)) },
  { title: 'numpy MiB', width: 13, cell: ({ numpy }) => each(numpy, ({ extraMiB }) => memory(extraMiB)) },
  {
    title: 'numpy / ours',
    width: 12,
    cell: ({ milliseconds, numpy }) => each(numpy, (facts) => times(facts.milliseconds / milliseconds)),
  },
];

export const ROUND_COLUMNS: readonly Column<RoundRow>[] = [
  { title: 'rule', width: 26, cell: ({ title }) => title },
  { title: 'n x d', width: 9, cell: ({ n, dimension }) => size(n, dimension) },
  { title: 'trees ms', width: 8, cell: ({ treeMilliseconds }) => figure(treeMilliseconds) },
  { title: 'flat ms', width: 8, cell: ({ flatMilliseconds }) => figure(flatMilliseconds) },
  { title: 'round ms', width: 8, cell: ({ oneThread }) => figure(oneThread) },
  { title: '/ trees', width: 8, cell: ({ oneThread, treeMilliseconds }) => times(oneThread / treeMilliseconds) },
  { title: '2 threads', width: 9, cell: ({ twoThreads }) => figure(twoThreads) },
  { title: 'gain', width: 6, cell: ({ oneThread, twoThreads }) => times(oneThread / twoThreads) },
  { title: 'no commitments', width: 14, cell: ({ oneThreadUncommitted }) => figure(oneThreadUncommitted) },
  { title: '2 threads', width: 9, cell: ({ twoThreadsUncommitted }) => figure(twoThreadsUncommitted) },
  { title: 'gain', width: 6, cell: (row) => times(row.oneThreadUncommitted / row.twoThreadsUncommitted) },
];

export const STREAM_COLUMNS: readonly Column<StreamRow>[] = [
  { title: 'rule', width: 26, cell: ({ title }) => title },
  { title: 'n x d', width: 9, cell: ({ n, dimension }) => size(n, dimension) },
  { title: 'threads', width: 7, cell: ({ threads }) => String(threads) },
  { title: 'ms', width: 7, cell: ({ milliseconds }) => figure(milliseconds) },
  { title: 'process MiB', width: 11, cell: ({ peakMiB }) => memory(peakMiB) },
  { title: 'numpy ms', width: 13, cell: ({ numpy }) => each(numpy, ({ milliseconds }) => figure(milliseconds)) },
  { title: 'numpy MiB', width: 13, cell: ({ numpy }) => each(numpy, ({ extraMiB }) => memory(extraMiB)) },
  {
    title: 'numpy / ours',
    width: 12,
    cell: ({ milliseconds, numpy }) => each(numpy, (facts) => times(facts.milliseconds / milliseconds)),
  },
];

export const TARGET_COLUMNS: readonly Column<TargetRow>[] = [
  { title: 'what', width: 86, cell: ({ target }) => target },
  { title: 'target', width: 14, cell: ({ wanted }) => wanted },
  { title: 'reached', width: 9, cell: ({ reached }) => reached },
  { title: '', width: 6, cell: ({ isReached }) => (isReached ? 'yes' : 'missed') },
];

function memory(mebibytes: number | null): string {
  return mebibytes === null ? '-' : mebibytes.toFixed(0);
}

/** Several ways of numpy in one cell. */
function each(numpy: readonly NumpyFacts[], text: (facts: NumpyFacts) => string): string {
  return numpy.length === 0 ? '-' : numpy.map(text).join(' / ');
}
