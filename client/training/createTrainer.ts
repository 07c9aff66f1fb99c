import type { Dataset } from '../datasets/dataset.ts';
import { checkDataset } from './checkDataset.ts';
import { WorkerTrainer } from './tfjs/workerTrainer.ts';
import type { Trainer, TrainingManifest } from './trainer.ts';

export interface TrainerOptions {
  readonly manifest: TrainingManifest;
  /** The participant's private samples. */
  readonly train: Dataset;
  /** Held-out samples for `evaluate`. */
  readonly test?: Dataset;
}

/**
 * The trainer a manifest asks for, for data of the manifest's shape. One engine is built in, `tfjs-wasm/2`; it checks the
 * manifest's engine and model when its first task runs.
 *
 * @throws AssayError DATASET_SHAPE, MODEL_UNKNOWN, MODEL_SETTINGS
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
  return new WorkerTrainer(options);
}
