/** What `npm run bench:train` finds out: its `--json` file, and all that its tables are written from. */
import type { MachineFacts, TargetRow } from '../facts.ts';
import type { EngineName } from './plan.ts';

export interface EngineFacts {
  readonly engine: EngineName;
  /** Version, as the engine says it. */
  readonly version: string;
}

/** One engine on one model. */
export interface TrainingFacts {
  readonly engine: EngineName;
  /** Processor time of the process per optimiser step: median over the turns. */
  readonly milliseconds: number;
  readonly turns: number;
  /** Before each of the first steps from the same weights over the same batches. */
  readonly losses: readonly number[];
}

export interface TrainRow {
  readonly name: string;
  readonly title: string;
  /** d: weights of the model. */
  readonly dimension: number;
  readonly engines: readonly TrainingFacts[];
}

export interface TrainBenchFacts {
  readonly format: 'assay-bench-train/1';
  readonly machine: Omit<MachineFacts, 'numpy' | 'python'>;
  readonly engines: readonly EngineFacts[];
  readonly rows: readonly TrainRow[];
  readonly targets: readonly TargetRow[];
}

export function timeOf(row: TrainRow, engine: EngineName): number | null {
  return row.engines.find((facts) => facts.engine === engine)?.milliseconds ?? null;
}

/** The largest difference of an engine's losses from the embedded engine's, as part of the loss. */
export function lossDifference(row: TrainRow, engine: EngineName): number | null {
  const ours = row.engines.find((facts) => facts.engine === 'embedded')?.losses;
  const theirs = row.engines.find((facts) => facts.engine === engine)?.losses;
  if (ours === undefined || theirs === undefined || engine === 'embedded') return null;
  return Math.max(...ours.map((loss, i) => Math.abs(loss - theirs[i]!) / Math.abs(loss)));
}
