/** What `npm run bench` finds out: its `--json` file, and all that docs/benchmarks.md is written from. */
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';

export interface MachineFacts {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly numpy: string | null;
  readonly python: string | null;
  readonly commit: string | null;
}

/** One rule at one size, one thread: from rows in memory to the next model. */
export interface RuleRow {
  readonly title: string;
  readonly n: number;
  readonly dimension: number;
  readonly byzantine: number;
  readonly spread: number;
  readonly milliseconds: number;
  readonly extraMiB: number | null;
  /** One SIMD read of the same bytes. */
  readonly floorMilliseconds: number;
  /** Plain TypeScript; null where it was not measured. */
  readonly referenceMilliseconds: number | null;
  readonly numpy: readonly NumpyFacts[];
}

export interface NumpyFacts {
  readonly name: string;
  readonly milliseconds: number;
  readonly extraMiB: number | null;
  /** From the exact aggregate, in standard deviations of an update: nineteen of twenty coordinates are nearer. */
  readonly difference: number | null;
}

/** A whole round, or what it is compared with. */
export interface RoundRow {
  readonly title: string;
  readonly n: number;
  readonly dimension: number;
  /** Milliseconds: hashing the updates' bytes into trees and nothing else; one flat SHA-256 of each update. */
  readonly treeMilliseconds: number;
  readonly flatMilliseconds: number;
  /** Commitments and norms of all updates, the rule, the server step, the next model and its root; by threads. */
  readonly oneThread: number;
  readonly twoThreads: number;
  /** The same without the commitments. */
  readonly oneThreadUncommitted: number;
  readonly twoThreadsUncommitted: number;
}

/** A round whose updates stay on the disk; the model is written to a file. */
export interface StreamRow {
  readonly title: string;
  readonly n: number;
  readonly dimension: number;
  readonly threads: number;
  readonly milliseconds: number;
  /** Most memory of the whole process. */
  readonly peakMiB: number | null;
  /** Of the same rule in the same turns, rows in memory. */
  readonly numpy: readonly NumpyFacts[];
}

/** What bench/storage.ts found out. */
export interface StorageFacts {
  readonly mib: number;
  readonly mibPerSecond: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, number>>;
}

export interface TargetRow {
  readonly target: string;
  readonly wanted: string;
  readonly reached: string;
  readonly isReached: boolean;
}

export interface BenchFacts {
  readonly format: 'assay-bench/1';
  readonly machine: MachineFacts;
  readonly rules: readonly RuleRow[];
  readonly rowCurve: readonly RuleRow[];
  readonly dimensionCurve: readonly RuleRow[];
  readonly rounds: readonly RoundRow[];
  readonly streams: readonly StreamRow[];
  /** Null where it was not measured. */
  readonly storage: StorageFacts | null;
  readonly targets: readonly TargetRow[];
}

export function machineFacts(numpy: { readonly numpy: string; readonly python: string } | null): MachineFacts {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    processors: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release().split('.').slice(0, 2).join('.')}`,
    node: process.versions.node,
    numpy: numpy?.numpy ?? null,
    python: numpy?.python ?? null,
    commit: commit(),
  };
}

function commit(): string | null {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null; // not a checkout
  }
}
