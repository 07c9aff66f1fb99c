/** What `npm run bench:train` measures: the models, what each trains on, and what it is to reach. */
import type { ModelSpec } from '../../client/models/model.ts';

/**
 * embedded: ours. stock: the same models on TF.js WASM as it comes. tfjs-node: on native TensorFlow, where it is
 * installed. pytorch: its twins, one thread.
 */
export const ENGINES = ['embedded', 'stock', 'tfjs-node', 'pytorch'] as const;
export type EngineName = (typeof ENGINES)[number];

export interface TrainCase {
  readonly name: string;
  readonly title: string;
  readonly task: 'classification' | 'language-model' | 'image-generation';
  readonly model: ModelSpec;
  readonly learningRate: number;
  /** Of one turn: about a second of the embedded engine. */
  readonly steps: number;
  /** Of one turn of stock TF.js, which is slow. */
  readonly stockSteps: number;
  /** Most of PyTorch's time. */
  readonly atMostTimesPytorch: number;
  /** Least of stock's speed. */
  readonly atLeastTimesStock?: number;
}

export const BATCH = 32;
/** Different batches; a turn goes over them as often as it takes. */
export const BATCHES = 20;
/** Of all cases and engines. */
export const SETTINGS = { batchSize: BATCH, optimizer: 'sgd', momentum: 0.9 } as const;
/** What the order of samples and all noise follow from. */
export const SEED = ['bench:train'] as const;
/** Steps whose losses are compared, from the same weights over the same batches. */
export const COMPARED_STEPS = 5;
/** Losses that differ by more of themselves are of another model. */
export const SAME_LOSS = 1e-3;

const VOCABULARY = 96;
const CONTEXT = 64;

const conv = (filters: number, padding: 'same' | 'valid') => ({
  kind: 'conv',
  size: 5,
  filters,
  strides: 1,
  padding,
  activation: 'relu',
});
const pool = { kind: 'maxPool', size: 2, strides: 2 };
const dense = (units: number) => ({ kind: 'dense', units, activation: 'relu' });

export const TRAIN_CASES: readonly TrainCase[] = [
  {
    name: 'logistic',
    title: 'logistic regression 784-10',
    task: 'classification',
    model: { kind: 'mlp', inputs: 784, hidden: [], classes: 10, activation: 'relu' },
    learningRate: 0.01,
    steps: 800,
    stockSteps: 200,
    atMostTimesPytorch: 2,
  },
  {
    name: 'mlp',
    title: 'MLP 784-128-10',
    task: 'classification',
    model: { kind: 'mlp', inputs: 784, hidden: [128], classes: 10, activation: 'relu' },
    learningRate: 0.01,
    steps: 400,
    stockSteps: 100,
    atMostTimesPytorch: 2,
  },
  {
    name: 'lenet',
    title: 'LeNet-like CNN 28x28',
    task: 'classification',
    model: {
      kind: 'cnn',
      image: [28, 28, 1],
      classes: 10,
      stages: [conv(6, 'same'), pool, conv(16, 'valid'), pool, dense(120), dense(84)],
    },
    learningRate: 0.01,
    steps: 80,
    stockSteps: 20,
    atMostTimesPytorch: 2,
  },
  {
    name: 'fedavg-cnn',
    title: 'CNN of the FedAvg paper',
    task: 'classification',
    model: {
      kind: 'cnn',
      image: [28, 28, 1],
      classes: 10,
      stages: [conv(32, 'same'), pool, conv(64, 'same'), pool, dense(512)],
    },
    learningRate: 0.01,
    steps: 12,
    stockSteps: 3,
    atMostTimesPytorch: 2,
    atLeastTimesStock: 5,
  },
  {
    name: 'lstm',
    title: 'char LSTM, hidden 128, 64 steps',
    task: 'language-model',
    model: { kind: 'lstm', vocabulary: VOCABULARY, context: CONTEXT, embedding: 64, hidden: 128, layers: 1 },
    learningRate: 0.05,
    steps: 25,
    stockSteps: 3,
    atMostTimesPytorch: 2.5,
    atLeastTimesStock: 5,
  },
  {
    name: 'transformer',
    title: 'char transformer, d 64, 2 layers, 64 steps',
    task: 'language-model',
    model: {
      kind: 'transformer',
      vocabulary: VOCABULARY,
      context: CONTEXT,
      width: 64,
      layers: 2,
      heads: 4,
      feedForward: 256,
    },
    learningRate: 0.01,
    steps: 15,
    stockSteps: 3,
    atMostTimesPytorch: 2.5,
    atLeastTimesStock: 5,
  },
  {
    name: 'vae',
    title: 'conditional VAE 784-256-16',
    task: 'image-generation',
    model: { kind: 'vae', inputs: 784, classes: 10, hidden: [256], latent: 16 },
    learningRate: 1e-4,
    steps: 150,
    stockSteps: 30,
    atMostTimesPytorch: 2,
  },
];
