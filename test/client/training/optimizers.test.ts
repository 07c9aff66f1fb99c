import type { Tensor } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { TensorFlow } from '../../../client/models/model.ts';
import { createRandom } from '../../../client/random.ts';
import { fusedOptimizer } from '../../../client/training/optimizers/fusedOptimizer.ts';
import type { OptimizerSettings } from '../../../client/training/optimizers/optimizer.ts';
import { plainOptimizer } from '../../../client/training/optimizers/plainOptimizer.ts';
import { loadTensorFlow } from '../../../client/training/tfjs/backend.ts';

/** Sizes with whole vectors, without, and with both. */
const SIZES = [1, 3, 4, 8, 131];
const STEPS = 6;

describe('optimisers', () => {
  let tf: TensorFlow;

  before(async function () {
    this.timeout(20_000);
    tf = await loadTensorFlow();
  });

  function values(key: string, length: number): Float32Array {
    const random = createRandom('optimizers', key);
    return Float32Array.from({ length }, () => 2 * random.nextFloat() - 1);
  }

  /** Weights after some steps along gradients that change from step to step. */
  function walk(create: typeof plainOptimizer, settings: OptimizerSettings): Float32Array[] {
    const optimizer = create(tf, settings);
    let weights: Tensor[] = SIZES.map((size) => tf.tensor1d(values(`w${size}`, size)));
    for (let step = 0; step < STEPS; step++) {
      const next = tf.tidy(() =>
        optimizer.step(
          weights,
          SIZES.map((size) => tf.tensor1d(values(`g${size} ${step}`, size))),
        ),
      );
      weights.forEach((weight, i) => {
        if (weight !== next[i]) weight.dispose();
      });
      weights = next;
    }
    const end = weights.map((weight) => weight.dataSync<'float32'>().slice());
    tf.dispose(weights);
    optimizer.dispose();
    return end;
  }

  const cases: readonly [string, OptimizerSettings][] = [
    ['sgd', { optimizer: 'sgd', learningRate: 0.3, momentum: 0 }],
    ['sgd with momentum', { optimizer: 'sgd', learningRate: 0.1, momentum: 0.9 }],
    ['adam', { optimizer: 'adam', learningRate: 0.01, momentum: 0 }],
    ['adam of its own', { optimizer: 'adam', learningRate: 0.1, momentum: 0, beta1: 0.5, beta2: 0.9, epsilon: 1e-3 }],
  ];

  for (const [name, settings] of cases) {
    it(`${name}: written over in place as in plain operations`, () => {
      const before = tf.memory().numTensors;
      const wanted = walk(plainOptimizer, settings);
      const got = walk(fusedOptimizer, settings);
      wanted.forEach((tensor, i) => {
        tensor.forEach((value, j) => {
          expect(got[i]![j], `tensor of ${SIZES[i]}, place ${j}`).to.be.closeTo(value, 3e-6);
        });
      });
      expect(tf.memory().numTensors).to.equal(before);
    });
  }
});
