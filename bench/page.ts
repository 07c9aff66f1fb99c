/** docs/benchmarks.md, written by the command from what it measured. */
import type { BenchFacts, RuleRow } from './facts.ts';
import { ROUND_COLUMNS, RULE_COLUMNS, STREAM_COLUMNS, TARGET_COLUMNS } from './tables.ts';
import { markdown, size } from './text.ts';

export function renderPage(facts: BenchFacts): string {
  const { machine, rules, rowCurve, dimensionCurve, rounds, streams, storage, targets } = facts;
  const numpy = machine.numpy === null ? 'numpy was not there' : `numpy ${machine.numpy} (Python ${machine.python})`;
  const parts = [
    `# Benchmarks

Written by \`npm run bench -- --write-docs\`; not edited by hand. ${machine.processor}, ${machine.processors} processors, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}, ${numpy}${machine.commit === null ? '' : `, after commit ${machine.commit}`}.

All sides of a row are measured in turns in one run, each in a process of its own; the figures are medians. Absolute times are this machine's: trust the ratios.

- **ms**: Assay's kernels, one thread, from int16 rows in memory to the next model: exact, to the same bits on every machine. **MiB**: memory beyond the rows.
- **reads**: how many times as long as the floor, one SIMD read of the same bytes.
- **plain TS**: how many times as long the reference in plain TypeScript takes.
- **numpy**: the same rule in float32, one thread (\`bench/numpy/rules.py\`). Two figures: two ways of writing it. Median: \`np.median\` / sorting. Geometric median: over the data / on \`U @ U.T\`. NNM: neighbours gathered and averaged / \`W @ U\`.

Updates are Gaussian with a standard deviation of ${rules[0]?.spread ?? 300} units around a common direction, a fifth of them its opposite.`,
  ];
  if (targets.length > 0) parts.push(`## Targets\n\n${markdown(TARGET_COLUMNS, targets)}`);
  for (const group of groups(rules)) {
    const { n, dimension, byzantine } = group[0]!;
    parts.push(`## Rules, ${size(n, dimension)}, f = ${byzantine}\n\n${markdown(RULE_COLUMNS, group)}`);
  }
  if (rowCurve.length > 0) parts.push(`## By number of updates\n\n${markdown(RULE_COLUMNS, byTitle(rowCurve))}`);
  if (dimensionCurve.length > 0) {
    parts.push(`## By size of the model\n\n${markdown(RULE_COLUMNS, byTitle(dimensionCurve))}`);
  }
  if (rounds.length > 0) {
    parts.push(`## A whole round

Everything an auditor computes, updates in memory: commitments and norms of all of them, the rule, the server step, the next model and its root. **trees**: hashing the same bytes into their trees and nothing else; **flat**: one SHA-256 of each update by Node's own, which commits to no chunk.

${markdown(ROUND_COLUMNS, rounds)}`);
  }
  if (streams.length > 0) {
    parts.push(`## From the disk

An aggregator's round: updates are read from a file block by block, the model is written to one. **process MiB**: most memory of the whole process. numpy has its rows in memory.

${markdown(STREAM_COLUMNS, streams)}`);
  }
  if (storage !== null) {
    const speeds = Object.entries(storage.mibPerSecond).map(([name, speed]) => `| ${name} | ${speed.toFixed(0)} |`);
    const ratios = Object.entries(storage.ratios).map(([name, ratio]) => `| ${name} | ${ratio.toFixed(2)} |`);
    parts.push(`## Storage

A payload of ${storage.mib} MiB, put and read with every block verified, beside the same without.

| what | MiB/s |
| --- | ---: |
${speeds.join('\n')}

| ratio | |
| --- | ---: |
${ratios.join('\n')}`);
  }
  return `${parts.join('\n\n')}\n`;
}

/** Rows of one size together, in their order. */
function groups(rows: readonly RuleRow[]): RuleRow[][] {
  return [...Map.groupBy(rows, ({ n, dimension }) => size(n, dimension)).values()];
}

function byTitle(rows: readonly RuleRow[]): RuleRow[] {
  return [...Map.groupBy(rows, ({ title }) => title).values()].flat();
}
