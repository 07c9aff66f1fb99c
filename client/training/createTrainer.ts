import { AssayError } from '../../protocol/errors.ts';
import type { AnyDataset } from '../datasets/text/textDataset.ts';
import { describeModel } from '../models/registry.ts';
import { checkDataset } from './checkDataset.ts';
import { checkModel } from './checkModel.ts';
import { chooseEngine } from './chooseEngine.ts';
import { ExternalTrainer, type ExternalTrainerOptions } from './external/externalTrainer.ts';
import { modelParts } from './modelParts.ts';
import type { ModelMaterial } from './tfjs/engine.ts';
import { WorkerTrainer } from './tfjs/workerTrainer.ts';
import type { Trainer, TrainingManifest } from './trainer.ts';

export interface TrainerOptions {
  readonly manifest: TrainingManifest;
  /** The participant's private samples or text. Needed unless an external trainer has data of its own. */
  readonly train?: AnyDataset;
  /** Held-out data for `evaluate`. */
  readonly test?: AnyDataset;
  /** What the manifest's model needs and the manifest does not hold. A model file must have been loaded before. */
  readonly material?: ModelMaterial;
  /** A command that trains instead of the manifest's engine. */
  readonly external?: Omit<ExternalTrainerOptions, 'manifest' | 'train' | 'test' | 'frozen'>;
}

/**
 * The trainer a manifest asks for, for data of the manifest's shape: the built-in engine, TensorFlow where it is
 * installed, or a command of the participant's own (`chooseEngine` says which). An engine of TF.js runs in a thread of
 * its own and starts with its first task.
 *
 * @throws AssayError DATASET_SHAPE, MODEL_UNKNOWN, MODEL_SETTINGS, MODEL_TENSORS, MODEL_TASK, MODEL_DATA, MODEL_FILE,
 *   TRAINER_MISSING, TRAINER_ENVIRONMENT, ENGINE_UNAVAILABLE, ENGINE_MISMATCH
 *
 * @example
 * const trainer = createTrainer({ manifest, train, test });
 * const weights = await trainer.init('seed');
 * const { weights: trained, accuracy } = await trainer.train({ weights, round: 1, seed: 'seed' });
 * await trainer.close();
 */
export function createTrainer(options: TrainerOptions): Trainer {
  const { manifest, train, test, material, external } = options;
  for (const dataset of [train, test]) if (dataset !== undefined) checkDataset(dataset, manifest);
  const { kind } = chooseEngine(manifest.engine, external?.command);
  if (kind === 'external') {
    const own = {
      ...(train && { train }),
      ...(test && { test }),
      ...(material?.frozen && { frozen: material.frozen }),
    };
    return new ExternalTrainer({ ...external!, manifest, ...own });
  }
  if (train === undefined) {
    throw new AssayError('NO_TRAINING_DATA', {
      summary: 'this engine trains on samples that are handed to it',
      expected: 'a data set',
      received: 'none',
      fix: 'name one with --dataset; a folder of your own data (--data) is for an external trainer',
    });
  }
  const model = describeModel(manifest.model);
  checkModel(model, manifest);
  modelParts(model, manifest);
  return new WorkerTrainer({ manifest, train, ...(test && { test }), ...(material && { material }) });
}
