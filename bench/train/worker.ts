/**
 * One engine of `npm run bench:train` that lives in Node: a process that is told by lines of JSON what to train
 * (bench/child.ts). Time is the processor time of the whole process: what its helper threads do counts.
 */
import { createInterface } from 'node:readline';
import { describeModel } from '../../client/models/registry.ts';
import type { Measured } from '../child.ts';
import { initialWeights } from './data.ts';
import { type NodeEngine, openEngine } from './engines.ts';
import type { Training } from './plainTraining.ts';
import { BATCHES, TRAIN_CASES, type TrainCase } from './plan.ts';

export interface OpenTask {
  readonly do: 'open';
  readonly engine: NodeEngine;
}

export interface LoadTask {
  readonly do: 'load';
  readonly case: string;
}

export interface LossesTask {
  readonly do: 'losses';
  readonly steps: number;
}

export interface RunTask {
  readonly do: 'run';
  readonly steps: number;
}

let create: ((bench: TrainCase, weights: Float32Array, batches: number) => Promise<Training>) | undefined;
let loaded: { readonly bench: TrainCase; readonly weights: Float32Array; readonly training: Training } | undefined;

async function answer(task: OpenTask | LoadTask | LossesTask | RunTask): Promise<unknown> {
  switch (task.do) {
    case 'open': {
      const engine = await openEngine(task.engine);
      create = engine.create;
      return { version: engine.version };
    }
    case 'load': {
      const bench = TRAIN_CASES.find(({ name }) => name === task.case)!;
      const model = describeModel(bench.model);
      const weights = initialWeights(bench, model);
      loaded = { bench, weights, training: await create!(bench, weights, BATCHES) };
      return {};
    }
    case 'losses':
      return { losses: (await create!(loaded!.bench, loaded!.weights, 1)).losses(task.steps) };
    case 'run': {
      const before = process.cpuUsage();
      loaded!.training.run(task.steps);
      const { user, system } = process.cpuUsage(before);
      return { seconds: (user + system) / 1e6, extraBytes: null, peakBytes: null } satisfies Measured;
    }
  }
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
