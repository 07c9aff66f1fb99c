/** The models that a grid can name. */
import type { ModelSpec } from '../models/model.ts';
import { digitsVae, fedAvgCnn, lenet, mnistCnn, mnistMlp, type Preset } from '../models/presets.ts';

export const MODEL_PRESETS = ['mnist-mlp', 'mnist-cnn', 'lenet', 'fedavg-cnn', 'digits-vae'] as const;

const presets: Readonly<Record<(typeof MODEL_PRESETS)[number], () => Preset>> = {
  'mnist-mlp': mnistMlp,
  'mnist-cnn': mnistCnn,
  lenet,
  'fedavg-cnn': fedAvgCnn,
  'digits-vae': digitsVae,
};

/** The settings behind a grid's `model`. */
export function chosenModel(model: (typeof MODEL_PRESETS)[number] | ModelSpec): ModelSpec {
  return typeof model === 'string' ? presets[model]().manifest.model : model;
}
