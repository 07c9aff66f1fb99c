import { spawn } from 'node:child_process';
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What became of a suite. A suite that crashed or ran nothing has failed, whatever its exit status says. */
export interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
}

/** How to run a suite. */
export interface SuiteOptions {
  /** More arguments for the runner. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** After this the suite is stopped and has failed. */
  readonly limitSeconds?: number;
}

/** Runs mocha over the files of some glob patterns. */
export async function runMocha(
  name: string,
  patterns: readonly string[],
  options: SuiteOptions = {},
): Promise<Outcome> {
  const files = await testFiles(patterns);
  const folder = await mkdtemp(join(tmpdir(), 'assay-test-'));
  const countsFile = join(folder, 'counts.json');
  try {
    const { status, seconds } = await runTool(
      join(ROOT, 'node_modules', 'mocha', 'bin', 'mocha.js'),
      [
        ...['--exit', '--reporter', join(ROOT, 'scripts', 'test', 'countingReporter.cjs')],
        ...['--reporter-option', `countsFile=${countsFile}`, ...(options.args ?? []), ...files],
      ],
      options,
    );
    const counts = await readFile(countsFile, 'utf8').then(
      (text) => JSON.parse(text) as { passed: number; failed: number; skipped: number },
      () => ({ passed: 0, failed: 0, skipped: 0 }),
    );
    return settle({ name, ...counts, seconds }, status);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the Solidity tests (unit, fuzz, invariant) with Hardhat's own runner. */
export async function runSolidity(options: SuiteOptions = {}): Promise<Outcome> {
  const hardhat = join(ROOT, 'node_modules', 'hardhat', 'dist', 'src', 'cli.js');
  const args = ['test', 'solidity', ...(options.args ?? [])];
  const { status, seconds, output } = await runTool(hardhat, args, options, true);
  return settle({ name: 'solidity', ...countSolidity(output), seconds }, status);
}

/** The counts in the summary of Hardhat's Solidity runner: the last "N passing", "N failing", "N skipped". */
export function countSolidity(output: string): { passed: number; failed: number; skipped: number } {
  const last = (word: string) => Number([...output.matchAll(new RegExp(`(\\d+) ${word}\\b`, 'g'))].at(-1)?.[1] ?? 0);
  return { passed: last('passing'), failed: last('failing'), skipped: last('skipped') };
}

/** The exit status of a check that says: what it needs cannot be had on this machine; nothing was checked. */
export const UNAVAILABLE = 69;

/** Runs a tool that either holds or does not: it counts as one. */
export async function runCheck(name: string, file: string, args: readonly string[] = []): Promise<Outcome> {
  const { status, seconds } = await runTool(join(ROOT, file), args, { limitSeconds: 600 });
  if (status === UNAVAILABLE) {
    console.log(`skipped: ${name}`);
    return { name, passed: 0, failed: 0, skipped: 1, seconds };
  }
  return { name, passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0, seconds };
}

/**
 * The counts, corrected by how the process ended: a bad status without a failed test (a crash, a time-out, a load
 * error) and a run without a single test each count as one failure.
 */
export function settle(counted: Outcome, status: number | null): Outcome {
  const silent = counted.failed === 0 && (status !== 0 || counted.passed + counted.skipped === 0);
  return silent ? { ...counted, failed: 1 } : counted;
}

async function testFiles(patterns: readonly string[]): Promise<string[]> {
  const files = new Set<string>();
  for (const pattern of patterns) {
    if (!pattern.startsWith('!')) for await (const file of glob(pattern, { cwd: ROOT })) files.add(file);
  }
  for (const pattern of patterns) {
    if (pattern.startsWith('!')) for (const file of files) if (file.startsWith(pattern.slice(1))) files.delete(file);
  }
  return [...files].sort();
}

/** Runs a JavaScript or TypeScript file with this Node, its output shown (and kept when asked), stdin closed. */
async function runTool(
  file: string,
  args: readonly string[],
  { env = {}, limitSeconds = 1500 }: SuiteOptions,
  keep = false,
): Promise<{ status: number | null; seconds: number; output: string }> {
  const started = performance.now();
  const child = spawn(process.execPath, [file, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', keep ? 'pipe' : 'inherit', keep ? 'pipe' : 'inherit'],
  });
  let output = '';
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const) {
    from?.on('data', (chunk: Buffer) => {
      output += chunk;
      to.write(chunk);
    });
  }
  const limit = setTimeout(() => {
    process.stderr.write(`\nstopped: not finished after ${limitSeconds} s\n`);
    child.kill('SIGKILL');
  }, limitSeconds * 1000);
  const status = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(127));
    child.once('close', resolve);
  });
  clearTimeout(limit);
  return { status, seconds: (performance.now() - started) / 1000, output };
}

/** One line per suite, and the sum. */
export function printSummary(outcomes: readonly Outcome[]): { passed: number; failed: number } {
  console.log('');
  for (const { name, passed, failed, skipped, seconds } of outcomes) {
    const more = skipped > 0 ? `, ${skipped} skipped` : '';
    console.log(
      `  ${failed > 0 ? '✖' : '✔'} ${name.padEnd(18)} ${passed} passed, ${failed} failed${more} (${seconds.toFixed(1)} s)`,
    );
  }
  const sum = (pick: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + pick(outcome), 0);
  return { passed: sum((outcome) => outcome.passed), failed: sum((outcome) => outcome.failed) };
}
