/**
 * A trainer without an engine: moves every weight a little, the same way for the same seed and round. Half of the step
 * is the round's, the same for everybody, as honest updates have it: they point one way (cosines about 1/2), whatever
 * the seeds, so that rules which look at directions find somebody to trust.
 */
import { createRandom } from '../../../client/random.ts';
import type { Trainer, TrainTask } from '../../../client/training/trainer.ts';

export function standInTrainer(dimension: number, hook?: (task: TrainTask) => Promise<void> | void): Trainer {
  return {
    engine: 'stand-in/1',
    dimension,
    init: async () => new Float32Array(dimension),
    async train(task) {
      await hook?.(task);
      const shared = createRandom('stand-in', String(task.round));
      const own = createRandom(task.seed, String(task.round));
      const step = () => (shared.nextInt(1001) + own.nextInt(1001) - 1000) / 50_000;
      const weights = task.weights.map((weight) => weight + step());
      return { weights, memory: {}, samples: 100, steps: 1, loss: 0.5, accuracy: 0.5, seconds: 0 };
    },
    evaluate: async () => ({ loss: 0.5, accuracy: 0.5, samples: 100 }),
    close: async () => undefined,
  };
}
