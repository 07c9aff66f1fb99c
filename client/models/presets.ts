import {
  type Manifest,
  type SampleData,
  type TextData,
  type TrainingSettings,
  vocabularySize,
} from '../../protocol/encoding/manifest.ts';
import type { ModelSpec } from './model.ts';
import { describeModel } from './registry.ts';

/** Settings that work out of the box: what a manifest is made from. */
export interface Preset {
  readonly manifest: Manifest;
  /** L2 norm every update is held to, float units; the contract's bound is its square in quantisation steps. */
  readonly maxUpdateNorm: number;
}

const MNIST: SampleData = { features: 784, classes: 10 };
const SGD: TrainingSettings = { localEpochs: 2, batchSize: 32, learningRate: 0.05, optimizer: 'sgd', momentum: 0.9 };

/** MNIST digits, 784-64-10. Chosen with `assay simulate`. */
export function mnistMlp(name = 'mnist'): Preset {
  const model = { kind: 'mlp', inputs: 784, hidden: [64], classes: 10, activation: 'relu' };
  return preset(name, model, SGD, MNIST, 3);
}

/**
 * MNIST digits, two small convolutions: more right digits than the MLP with less than half of its parameters. Chosen with
 * `assay simulate` for ten clients of whom two attack: with fewer local epochs it ends lower under a robust rule.
 */
export function mnistCnn(name = 'mnist'): Preset {
  const stages = [conv(8, 'same'), MAX_POOL, conv(16, 'same'), MAX_POOL, dense(24)];
  return preset(name, mnistNetwork(stages), { ...SGD, localEpochs: 4 }, MNIST, 5);
}

/** LeNet-5 (LeCun et al. 1998) with rectifiers and largest values instead of its squashing functions and means. */
export function lenet(name = 'mnist'): Preset {
  const stages = [conv(6, 'same'), MAX_POOL, conv(16, 'valid'), MAX_POOL, dense(120), dense(84)];
  return preset(name, mnistNetwork(stages), SGD, MNIST, 3);
}

/** The network of McMahan et al. 2017, section 3, with 1,663,370 parameters. */
export function fedAvgCnn(name = 'mnist'): Preset {
  const stages = [conv(32, 'same'), MAX_POOL, conv(64, 'same'), MAX_POOL, dense(512)];
  return preset(name, mnistNetwork(stages), SGD, MNIST, 6);
}

export interface TableShape {
  readonly features: number;
  readonly classes: number;
  /** Width of the hidden layer. */
  readonly hidden: number;
}

/** A table of numbers with one label column: one hidden layer. */
export function tabularMlp(name: string, { features, classes, hidden }: TableShape): Preset {
  const model = { kind: 'mlp', inputs: features, hidden: [hidden], classes, activation: 'relu' };
  return preset(name, model, SGD, { features, classes }, 3);
}

/** Text, recurrent: an embedding of 64 and one layer of 128. */
export function charLstm(name: string, tokenizer: TextData['tokenizer'], context = 64): Preset {
  const vocabulary = vocabularySize({ tokenizer });
  const model = { kind: 'lstm', vocabulary, context, embedding: 64, hidden: 128, layers: 1 };
  const training: TrainingSettings = {
    localSteps: 40,
    batchSize: 16,
    learningRate: 0.005,
    optimizer: 'adam',
    maxGradientNorm: 1,
  };
  return preset(name, model, training, { context, tokenizer }, 50);
}

/**
 * Source code: a transformer of two blocks, width 64, four heads; meant for about 1024 tokens. Sixty steps of Adam move it
 * by 26 in the first round and by 17 in the tenth.
 */
export function codeTransformer(name: string, tokenizer: TextData['tokenizer'], context = 64): Preset {
  const vocabulary = vocabularySize({ tokenizer });
  const model = { kind: 'transformer', vocabulary, context, width: 64, layers: 2, heads: 4, feedForward: 256 };
  const training: TrainingSettings = {
    localSteps: 60,
    batchSize: 16,
    learningRate: 0.005,
    optimizer: 'adam',
    maxGradientNorm: 1,
  };
  return preset(name, model, training, { context, tokenizer }, 30);
}

/** Drawing MNIST digits by their class: a conditional variational autoencoder, 16 latent coordinates. */
export function digitsVae(name = 'digits'): Preset {
  const model = { kind: 'vae', inputs: 784, classes: 10, hidden: [256], latent: 16 };
  const training: TrainingSettings = { localEpochs: 2, batchSize: 32, learningRate: 0.002, optimizer: 'adam' };
  return preset(name, model, training, MNIST, 20);
}

/** Models of samples that need to know nothing more, by the names that commands and grids give them. */
export const SAMPLE_PRESETS = { 'mnist-cnn': mnistCnn, lenet, 'fedavg-cnn': fedAvgCnn, 'digits-vae': digitsVae };

/** Models of text, for a tokeniser. */
export const TEXT_PRESETS = { 'code-transformer': codeTransformer, 'char-lstm': charLstm };

const MAX_POOL = { kind: 'maxPool', size: 2, strides: 2 } as const;

/** A 5 x 5 convolution with rectifiers. */
function conv(filters: number, padding: 'same' | 'valid') {
  return { kind: 'conv', size: 5, filters, strides: 1, padding, activation: 'relu' } as const;
}

function dense(units: number) {
  return { kind: 'dense', units, activation: 'relu' } as const;
}

function mnistNetwork(stages: readonly unknown[]): ModelSpec {
  return { kind: 'cnn', image: [28, 28, 1], classes: 10, stages };
}

function preset(
  name: string,
  spec: ModelSpec,
  training: TrainingSettings,
  data: SampleData | TextData,
  maxUpdateNorm: number,
): Preset {
  const { task, tensors } = describeModel(spec);
  return {
    manifest: {
      format: 'assay-manifest/1',
      name,
      task,
      model: { ...spec },
      tensors: tensors.map((tensor) => ({ name: tensor.name, shape: [...tensor.shape] })),
      training,
      data,
      engine: 'tfjs-wasm/3',
    },
    maxUpdateNorm,
  };
}
