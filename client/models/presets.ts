import type { Manifest } from '../../protocol/encoding/manifest.ts';
import { describeModel } from './registry.ts';

/** Settings that work out of the box: what a manifest is made from. */
export interface Preset {
  readonly manifest: Manifest;
  /** L2 norm every update is held to, float units; the contract's bound is its square in quantisation steps. */
  readonly maxUpdateNorm: number;
}

/** MNIST digits, 784-64-10. Chosen with `assay simulate`. */
export function mnistMlp(name = 'mnist'): Preset {
  const model = { kind: 'mlp', inputs: 784, hidden: [64], classes: 10, activation: 'relu' };
  return {
    manifest: {
      format: 'assay-manifest/1',
      name,
      task: 'classification',
      model,
      tensors: describeModel(model).tensors.map(({ name, shape }) => ({ name, shape: [...shape] })),
      training: { localEpochs: 2, batchSize: 32, learningRate: 0.05, optimizer: 'sgd', momentum: 0.9 },
      data: { features: 784, classes: 10 },
      engine: 'tfjs-wasm/2',
    },
    maxUpdateNorm: 3,
  };
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
  const { manifest, maxUpdateNorm } = mnistMlp(name);
  const tensors = describeModel(model).tensors.map((tensor) => ({ name: tensor.name, shape: [...tensor.shape] }));
  return { manifest: { ...manifest, model, tensors, data: { features, classes } }, maxUpdateNorm };
}
