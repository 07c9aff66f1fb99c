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
  if (targets.some(({ target, isReached }) => !isReached && target.startsWith('Multi-Krum')))
    parts.push(WHY_MULTI_KRUM);
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

A round whose updates lie in a file, where each thread reads the blocks that it computes, and whose model is written to a new one: an auditor's once its payloads have been fetched and checked. An aggregator's payload store verifies what it reads once more, at the speed given under Storage. **process MiB**: most memory of the whole process. numpy has its rows in memory.

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

/** From counting its instructions and measuring how many of them the processor of the page does in a nanosecond. */
const WHY_MULTI_KRUM = `Why Multi-Krum misses: it is the exact Gram matrix, and little else. The sum of all rows comes with the matrix, so what is read again is that sum and the f rows that are left out. For 20 x 1M there are 190 products of rows, eight coordinates by two 128-bit operations (multiply, add), 20 norms by three and the sum of 20 rows by one: 57 million operations. The processor this was tuned on does three of them a cycle at 3.1 GHz: 6.2 ms, and rows in its caches take 6.3. The second pass is bound in the same way, 0.6 ms. That is 7 ms if nothing waited for memory; numpy takes 30 to 40, half of it for the matrix product, the rest for a copy of the rows that it selects and their mean. WebAssembly has no wider vectors and no integer multiply-add; numpy's matrix product uses the processor's widest. Both sides are measured from rows in memory to what the rule gives; ours includes the step of the model.`;

/** Rows of one size together, in their order. */
function groups(rows: readonly RuleRow[]): RuleRow[][] {
  return [...Map.groupBy(rows, ({ n, dimension }) => size(n, dimension)).values()];
}

function byTitle(rows: readonly RuleRow[]): RuleRow[] {
  return [...Map.groupBy(rows, ({ title }) => title).values()].flat();
}
