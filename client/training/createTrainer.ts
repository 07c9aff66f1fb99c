import type { AnyDataset } from '../datasets/text/textDataset.ts';
import { describeModel } from '../models/registry.ts';
import { checkDataset } from './checkDataset.ts';
import { modelParts } from './modelParts.ts';
import type { ModelMaterial } from './tfjs/engine.ts';
import { WorkerTrainer } from './tfjs/workerTrainer.ts';
import type { Trainer, TrainingManifest } from './trainer.ts';

export interface TrainerOptions {
  readonly manifest: TrainingManifest;
  /** The participant's private samples or text. */
  readonly train: AnyDataset;
  /** Held-out data for `evaluate`. */
  readonly test?: AnyDataset;
  /** What the manifest's model needs and the manifest does not hold. A model file must have been loaded before. */
  readonly material?: ModelMaterial;
}

/**
 * The trainer a manifest asks for, for data of the manifest's shape. One engine is built in, `tfjs-wasm/2`; it checks the
 * manifest's engine when its first task runs.
 *
 * @throws AssayError DATASET_SHAPE, MODEL_UNKNOWN, MODEL_SETTINGS, MODEL_TENSORS, MODEL_FILE
 *
 * @example
 * const trainer = createTrainer({ manifest, train, test });
 * const weights = await trainer.init('seed');
 * const { weights: trained, accuracy } = await trainer.train({ weights, round: 1, seed: 'seed' });
 * await trainer.close();
 */
export function createTrainer(options: TrainerOptions): Trainer {
  checkDataset(options.train, options.manifest);
  if (options.test !== undefined) checkDataset(options.test, options.manifest);
  modelParts(describeModel(options.manifest.model), options.manifest);
  return new WorkerTrainer(options);
}
