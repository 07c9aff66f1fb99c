/** What a demonstration trains: the part of it that differs between a classifier, a text and an image generator. */
import type { Preset } from '../../../client/models/presets.ts';
import { measureOf } from '../../../client/training/measure.ts';
import type { Manifest } from '../../../protocol/encoding/manifest.ts';
import type { DemoFacts } from '../demoFacts.ts';
import type { DemoOptions } from '../demoOptions.ts';
import type { DemoTaskName } from './names.ts';

/** What an aggregator measured of its model. */
export interface RoundMetrics {
  readonly accuracy: number;
  readonly loss: number;
}

/** Options that a task sets where the user did not. */
export type TaskDefaults = Partial<
  Pick<DemoOptions, 'rounds' | 'clients' | 'byzantine' | 'rule' | 'server' | 'serverMomentum' | 'serverLearningRate'>
>;

export interface DemoTask {
  readonly name: DemoTaskName;
  readonly defaults: TaskDefaults;
  /** @throws AssayError DEMO_OPTIONS for what this task cannot do */
  check(options: DemoOptions): void;
  /** What happens here, in a line or two. */
  introduce(options: DemoOptions): string[];
  /** Reads the data sets once, so that the nodes need not all do it at the same time, and plans the federation's model. */
  prepare(options: DemoOptions, cacheFolder: string): Promise<Preset>;
  /** Arguments of a client that say which data are its own. */
  clientData(options: DemoOptions, silo: number): string[];
  /** What the aggregator measures its models on. */
  evaluation(options: DemoOptions): string;
  /** A model's quality: `accuracy`, `0.9085`. */
  describe(metrics: RoundMetrics): { readonly name: string; readonly value: string };
  /** The chart or table of all rounds at the end, title first. */
  showRounds(rounds: DemoFacts['rounds']): string[];
  /** What goes on beside the federation and after it; nothing for a task that leaves it out. */
  begin?(stage: CompanionStage): Companion;
}

export interface CompanionStage {
  readonly options: DemoOptions;
  readonly manifest: Manifest;
  readonly cacheFolder: string;
  /** Folder for files of the run. */
  readonly folder: string;
}

/** The published models in order, with those of round 0; weights `[d]`. */
export interface RoundModel {
  readonly round: number;
  readonly weights: Float32Array;
}

export interface TaskResult {
  /** For people, after the rounds. */
  readonly lines: readonly string[];
  readonly facts: Pick<DemoFacts, 'code' | 'digits'>;
  readonly files: Readonly<Record<string, string>>;
}

/** What a task does beside the federation: it is begun with it, and brought to an end once the last round is final. */
export interface Companion {
  finish(models: readonly RoundModel[]): Promise<TaskResult>;
  close(): Promise<void>;
}

/** A model's quality, in what its task is measured by. */
export function describeAs(task: Manifest['task']): DemoTask['describe'] {
  const measure = measureOf(task);
  return (metrics) => ({ name: measure.name, value: measure.format(measure.of(metrics)) });
}
