/** The engines that live in Node: the same training, on different kernels. */
import { describeModel } from '../../client/models/registry.ts';
import { plainOptimizer } from '../../client/training/optimizers/plainOptimizer.ts';
import { ENGINE } from '../../client/training/tfjs/backend.ts';
import { createEngine } from '../../client/training/tfjs/engine.ts';
import { type LocalTraining, localTraining } from '../../client/training/tfjs/localTraining.ts';
import { composedOps } from '../../client/training/tfjs/ops/composedOps.ts';
import type { TrainingManifest } from '../../client/training/trainer.ts';
import { type EngineName, SETTINGS, type TrainCase } from './plan.ts';
import { loadStockTensorFlow } from './stockTensorFlow.ts';

export type NodeEngine = Exclude<EngineName, 'pytorch'>;

export interface OpenEngine {
  readonly version: string;
  create(bench: TrainCase): Promise<LocalTraining>;
}

/** @throws whatever keeps the engine from loading */
export async function openEngine(engine: NodeEngine): Promise<OpenEngine> {
  switch (engine) {
    case 'embedded':
      return { version: ENGINE, create: async (bench) => (await createEngine(manifestOf(bench))).local };
    case 'stock': {
      const tf = await loadStockTensorFlow();
      const version = `@tensorflow/tfjs-backend-wasm ${tf.version_core}`;
      const kit = {
        name: version,
        compute: { tf, ops: composedOps(tf) },
        createOptimizer: plainOptimizer.bind(null, tf),
      };
      return { version, create: async (bench) => localTraining(kit, describeModel(bench.model), null) };
    }
    case 'tfjs-node':
      throw new Error('not yet');
  }
}

function manifestOf(bench: TrainCase): TrainingManifest {
  const { task, model } = bench;
  const described = describeModel(model);
  return {
    task,
    model,
    tensors: described.tensors.map(({ name, shape }) => ({ name, shape: [...shape] })),
    training: { ...SETTINGS, learningRate: bench.learningRate, localSteps: 1 },
    // The data are handed over as they are: what a manifest says of them does not matter here.
    data: { features: 784, classes: 10 },
    engine: ENGINE,
  };
}
