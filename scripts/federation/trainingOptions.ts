/** The options that change how a preset or a draft is trained. */
import type { Command } from 'commander';
import type { Preset } from '../../client/models/presets.ts';
import { describeModel } from '../../client/models/registry.ts';
import {
  ALGORITHM_EXPECTED,
  type AlgorithmChoice,
  algorithmFields,
  keepsHead,
  parseAlgorithm,
} from '../../client/training/algorithms/algorithmChoice.ts';
import { checkManifest } from '../../protocol/encoding/manifest.ts';
import { decimal, integer } from '../options/values.ts';

export interface TrainingOptions {
  readonly algorithm?: AlgorithmChoice;
  readonly localEpochs?: number;
  readonly localSteps?: number;
  readonly batchSize?: number;
  readonly learningRate?: number;
}

export function withTrainingOptions(command: Command): Command {
  return command
    .option('--algorithm <kind>', `${ALGORITHM_EXPECTED} (docs/algorithms.md); default: the model's`, parseAlgorithm)
    .option('--local-epochs <n>', "passes over the own data in a round; default: the model's", integer(1))
    .option('--local-steps <n>', 'minibatches in a round, instead of passes', integer(1))
    .option('--batch-size <n>', "samples in a minibatch; default: the model's", integer(1))
    .option('--learning-rate <rate>', "of the local steps; default: the model's", decimal(1e-9, 1e6));
}

/**
 * A preset trained as the options say. Where heads stay at home they leave the tensors that are trained jointly.
 * @throws AssayError `MANIFEST` for what does not go together
 */
export function applyTraining({ manifest, ...preset }: Preset, options: TrainingOptions): Preset {
  const { algorithm, localEpochs, localSteps, batchSize, learningRate } = options;
  const { localEpochs: epochs, localSteps: steps, algorithm: before, personal, ...rest } = manifest.training;
  const length =
    localEpochs === undefined && localSteps === undefined
      ? { ...(epochs !== undefined && { localEpochs: epochs }), ...(steps !== undefined && { localSteps: steps }) }
      : { ...(localEpochs !== undefined && { localEpochs }), ...(localSteps !== undefined && { localSteps }) };
  const training = {
    ...rest,
    ...length,
    ...(batchSize !== undefined && { batchSize }),
    ...(learningRate !== undefined && { learningRate }),
    ...(algorithm === undefined ? { ...(before && { algorithm: before }), ...(personal && { personal }) } : {}),
    ...algorithmFields(algorithm),
  };
  if (algorithm === undefined) return { ...preset, manifest: checkManifest({ ...manifest, training }) };
  const model = describeModel(manifest.model);
  const atHome = new Set(keepsHead(algorithm) ? model.head : []);
  const tensors = model.tensors.filter(({ name }) => !atHome.has(name));
  return { ...preset, manifest: checkManifest({ ...manifest, training, tensors }) };
}
