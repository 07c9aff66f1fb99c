/** A trainer without an engine: moves every weight a little, the same way for the same seed and round. */
import { createRandom } from '../../../client/random.ts';
import type { Trainer, TrainTask } from '../../../client/training/trainer.ts';

export function standInTrainer(dimension: number, hook?: (task: TrainTask) => Promise<void> | void): Trainer {
  return {
    engine: 'stand-in/1',
    dimension,
    init: async () => new Float32Array(dimension),
    async train(task) {
      await hook?.(task);
      const random = createRandom(task.seed, String(task.round));
      const weights = task.weights.map((weight) => weight + (random.nextInt(2001) - 1000) / 50_000);
      return { weights, memory: {}, samples: 100, steps: 1, loss: 0.5, accuracy: 0.5, seconds: 0 };
    },
    evaluate: async () => ({ loss: 0.5, accuracy: 0.5, samples: 100 }),
    close: async () => undefined,
  };
}
