/**
 * One engine of `npm run bench:train` that lives in Node: a process that is told by lines of JSON what to train
 * (bench/child.ts). Time is the processor time of the whole process: what its helper threads do counts.
 */
import { createInterface } from 'node:readline';
import type { AnyDataset } from '../../client/datasets/text/textDataset.ts';
import { describeModel } from '../../client/models/registry.ts';
import type { LocalRun, LocalTraining } from '../../client/training/tfjs/localTraining.ts';
import type { Measured } from '../child.ts';
import { initialWeights, makeData } from './data.ts';
import { type NodeEngine, type OpenEngine, openEngine } from './engines.ts';
import { BATCH, BATCHES, SEED, SETTINGS, TRAIN_CASES } from './plan.ts';

export interface OpenTask {
  readonly do: 'open';
  readonly engine: NodeEngine;
}

export interface LoadTask {
  readonly do: 'load';
  readonly case: string;
}

/** The loss before each of so many steps. */
export interface LossesTask {
  readonly do: 'losses';
  readonly steps: number;
}

export interface RunTask {
  readonly do: 'run';
  readonly steps: number;
}

let engine: OpenEngine | undefined;
let training: LocalTraining | undefined;
let data: AnyDataset | undefined;
let run: Omit<LocalRun, 'steps'> | undefined;

async function answer(task: OpenTask | LoadTask | LossesTask | RunTask): Promise<unknown> {
  switch (task.do) {
    case 'open':
      engine = await openEngine(task.engine);
      return { version: engine.version };
    case 'load': {
      const bench = TRAIN_CASES.find(({ name }) => name === task.case)!;
      training = await engine!.create(bench);
      data = makeData(bench, BATCH * BATCHES);
      run = {
        weights: initialWeights(bench, describeModel(bench.model)),
        settings: { ...SETTINGS, learningRate: bench.learningRate },
        seed: SEED,
      };
      return {};
    }
    case 'losses':
      return { losses: losses(task.steps) };
    case 'run': {
      const before = process.cpuUsage();
      training!.run(data!, { ...run!, steps: task.steps });
      const { user, system } = process.cpuUsage(before);
      return { seconds: (user + system) / 1e6, extraBytes: null, peakBytes: null } satisfies Measured;
    }
  }
}

/** A run tells the mean over its steps: of runs that are longer by one, each says one more. */
function losses(steps: number): number[] {
  const sums = [0];
  for (let taken = 1; taken <= steps; taken++) {
    sums.push(taken * training!.run(data!, { ...run!, steps: taken }).loss);
  }
  return sums.slice(1).map((sum, i) => sum - sums[i]!);
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply: unknown;
  try {
    reply = await answer(JSON.parse(line));
  } catch (error) {
    reply = { error: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
process.exit();
