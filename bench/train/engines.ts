/** The engines that live in Node, each behind what the bench asks of one. */
import type { Compute } from '../../client/models/model.ts';
import { describeModel } from '../../client/models/registry.ts';
import { ENGINE, loadTensorFlow } from '../../client/training/tfjs/backend.ts';
import { composedOps } from '../../client/training/tfjs/ops/composedOps.ts';
import { createPlainTraining, type Training } from './plainTraining.ts';
import type { EngineName, TrainCase } from './plan.ts';
import { loadStockTensorFlow } from './stockTensorFlow.ts';

export type NodeEngine = Exclude<EngineName, 'pytorch'>;

export interface OpenEngine {
  readonly version: string;
  create(bench: TrainCase, weights: Float32Array, batches: number): Promise<Training>;
}

/** @throws whatever keeps the engine from loading */
export async function openEngine(engine: NodeEngine): Promise<OpenEngine> {
  if (engine === 'tfjs-node') throw new Error('not yet');
  const tf = engine === 'stock' ? await loadStockTensorFlow() : await loadTensorFlow();
  const compute: Compute = { tf, ops: composedOps(tf) };
  return {
    version: engine === 'stock' ? `tfjs-backend-wasm ${tf.version_core}` : ENGINE,
    create: async (bench, weights, batches) =>
      createPlainTraining(compute, describeModel(bench.model), bench, weights, batches),
  };
}
