/** The engines that live in Node: the same training, on different kernels. */
import { describeModel } from '../../client/models/registry.ts';
import { plainOptimizer } from '../../client/training/optimizers/plainOptimizer.ts';
import { embeddedKit } from '../../client/training/tfjs/engine.ts';
import { type EngineKit, type LocalTraining, localTraining } from '../../client/training/tfjs/localTraining.ts';
import { composedOps } from '../../client/training/tfjs/ops/composedOps.ts';
import { installedPackage, tfjsNodeKit } from '../../client/training/tfjsNode/kit.ts';
import type { EngineName, TrainCase } from './plan.ts';
import { loadStockTensorFlow } from './stockTensorFlow.ts';

export type NodeEngine = Exclude<EngineName, 'pytorch'>;

export interface OpenEngine {
  readonly version: string;
  create(bench: TrainCase): Promise<LocalTraining>;
}

/** @throws whatever keeps the engine from loading */
export async function openEngine(engine: NodeEngine): Promise<OpenEngine> {
  const kit = engine === 'embedded' ? await embeddedKit() : engine === 'stock' ? await stockKit() : nativeKit();
  return { version: kit.name, create: async (bench) => localTraining(kit, describeModel(bench.model), null) };
}

async function stockKit(): Promise<EngineKit> {
  const tf = await loadStockTensorFlow();
  return {
    name: `@tensorflow/tfjs-backend-wasm ${tf.version_core}`,
    compute: { tf, ops: composedOps(tf) },
    createOptimizer: (settings) => plainOptimizer(tf, settings),
  };
}

function nativeKit(): EngineKit {
  if (installedPackage.find() === undefined) throw new Error('@tensorflow/tfjs-node is not installed');
  return tfjsNodeKit();
}
