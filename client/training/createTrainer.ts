import type { Dataset } from '../datasets/dataset.ts';
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
 * The trainer a manifest asks for. One engine is built in, `tfjs-wasm/1`; it checks the manifest's engine, model and
 * data when its first task runs.
 *
 * @throws AssayError MODEL_UNKNOWN, MODEL_SETTINGS
 *
 * @example
 * const trainer = createTrainer({ manifest, train, test });
 * const weights = await trainer.init('seed');
 * const { weights: trained, accuracy } = await trainer.train({ weights, round: 1, seed: 'seed' });
 * await trainer.close();
 */
export function createTrainer(options: TrainerOptions): Trainer {
  return new WorkerTrainer(options);
}
