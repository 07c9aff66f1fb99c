/** The processes that take turns: which they are, what they are told, and what a case's turns came to. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeSafetensors } from '../../client/export/safetensors.ts';
import type { Model } from '../../client/models/model.ts';
import { describeModel } from '../../client/models/registry.ts';
import { Child, type Measured } from '../child.ts';
import { type Side, takeTurns } from '../measure.ts';
import { encodeData, initialWeights } from './data.ts';
import type { TrainRow } from './facts.ts';
import { encodeFirstBatches } from './firstBatches.ts';
import { BATCH, BATCHES, COMPARED_STEPS, type EngineName, SETTINGS, type TrainCase } from './plan.ts';
import type { LoadTask, LossesTask, OpenTask, RunTask } from './worker.ts';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));
const TORCH_WORKER = fileURLToPath(new URL('./torch/worker.py', import.meta.url));
/** Turns that count, and when a side that has taken three stops. */
const TURNS = { most: 7, budgetSeconds: 8 };

export interface TrainSide {
  readonly engine: EngineName;
  readonly version: string;
  ask<Answer = Measured>(task: unknown): Promise<Answer>;
  end(): Promise<void>;
}

/** @param python for PyTorch: the interpreter that has it. @throws Error with what keeps the engine from loading */
export async function openSide(engine: EngineName, python: string | null): Promise<TrainSide> {
  const child = python === null ? new Child(process.execPath, [WORKER]) : new Child(python, [TORCH_WORKER]);
  try {
    const open = engine === 'pytorch' ? { do: 'version' } : ({ do: 'open', engine } satisfies OpenTask);
    const { version } = await child.ask<{ version: string }>(open);
    return { engine, version, ask: (task) => child.ask(task), end: () => child.end() };
  } catch (error) {
    await child.end();
    throw error;
  }
}

/** One model on every engine, from the same weights. A side that cannot train it is left out, with a line. */
export async function measureCase(
  sides: readonly TrainSide[],
  bench: TrainCase,
  wantedSteps: number | null,
  folder: string,
): Promise<TrainRow> {
  const model = describeModel(bench.model);
  const losses = new Map<EngineName, readonly number[]>();
  for (const side of sides) {
    const load: LoadTask | TorchLoadTask =
      side.engine === 'pytorch' ? await writeFiles(bench, model, folder) : { do: 'load', case: bench.name };
    const task: LossesTask = { do: 'losses', steps: COMPARED_STEPS };
    try {
      await side.ask(load);
      losses.set(side.engine, (await side.ask<{ losses: number[] }>(task)).losses);
    } catch (error) {
      console.log(`${side.engine} cannot train ${bench.title}: ${error instanceof Error ? error.message : error}`);
    }
  }
  const able = sides.filter(({ engine }) => losses.has(engine));
  const stepsOf = (engine: EngineName) => wantedSteps ?? (engine === 'stock' ? bench.stockSteps : bench.steps);
  const turns = able.map((side): Side => {
    const task: RunTask = { do: 'run', steps: stepsOf(side.engine) };
    return { name: side.engine, measure: () => side.ask(task) };
  });
  const taken = await takeTurns(turns, TURNS);
  return {
    name: bench.name,
    title: bench.title,
    dimension: model.dimension,
    engines: able.map(({ engine }) => {
      const { milliseconds, turns } = taken.get(engine)!;
      return { engine, milliseconds: milliseconds / stepsOf(engine), turns, losses: losses.get(engine)! };
    }),
  };
}

/** What Python is told: it does not know how we make weights and samples. */
interface TorchLoadTask {
  readonly do: 'load';
  readonly case: string;
  /** Safetensors files. */
  readonly weights: string;
  readonly data: string;
  /** The first batches of our engines. */
  readonly first: string;
  readonly batch: number;
  readonly learningRate: number;
  readonly momentum: number;
}

async function writeFiles(bench: TrainCase, model: Model, folder: string): Promise<TorchLoadTask> {
  const [weights, data, first] = ['weights', 'data', 'first'].map((name) => join(folder, `${name}.safetensors`)) as [
    string,
    string,
    string,
  ];
  const { tensors } = model;
  await writeFile(weights, encodeSafetensors({ tensors, weights: initialWeights(bench, model), metadata: {} }));
  await writeFile(data, encodeData(bench, BATCH * BATCHES));
  await writeFile(first, await encodeFirstBatches(bench, COMPARED_STEPS));
  const { name, learningRate } = bench;
  return { do: 'load', case: name, weights, data, first, batch: BATCH, learningRate, momentum: SETTINGS.momentum };
}
