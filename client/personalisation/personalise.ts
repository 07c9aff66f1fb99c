import type { AnyDataset } from '../datasets/text/textDataset.ts';
import { HEAD } from '../training/modelParts.ts';
import type { Engine } from '../training/tfjs/engine.ts';
import type { LocalRun } from '../training/tfjs/localTraining.ts';
import type { PersonaliseTask, PersonalModel, TrainingManifest } from '../training/trainer.ts';
import { checkPersonalisation } from './settings.ts';

/** Name of the personal model in a participant's memory: a whole model. */
export const PERSONAL = 'personal';

/**
 * A participant's own model, from the federation's and its own data.
 *
 * - `fine-tuning`: steps on the own data from the federation's model.
 * - `ditto` (Li et al. 2021, algorithm 1): a second model goes on from round to round on the own data, held to the
 *   federation's: it minimises `f_i(v) + lambda/2 |v - x_t|^2`. What attackers do to the federation reaches it only
 *   through that pull.
 * - `fedper` (Arivazhagan et al. 2019, section 3): the federation's body under the own head.
 * - `fedrep` (Collins et al. 2021, algorithm 1): the same, the head fitted to that body first.
 * - `per-fedavg` (Fallah et al. 2020): steps of the inner learning rate, without momentum, from a model that was trained to
 *   be a good place to start them.
 * - `reptile` (Nichol et al. 2018): the local steps of training, from a model that was trained to be adapted by them.
 *
 * @throws AssayError PERSONALISATION when the federation does not train what the method needs
 */
export function personalise(
  { parts, local }: Pick<Engine, 'parts' | 'local'>,
  { training }: Pick<TrainingManifest, 'training'>,
  dataset: AnyDataset,
  { settings, weights, memory, round, seed }: PersonaliseTask,
): PersonalModel {
  checkPersonalisation(settings, training);
  const { method, epochs, strength } = settings;
  const shared = parts.join(weights, parts.ownHead(memory, seed));
  if (method === 'fedper') return { weights: shared, memory: {} };
  const learningRate =
    settings.learningRate ??
    (method === 'per-fedavg' && training.algorithm?.kind === 'per-fedavg'
      ? training.algorithm.innerLearningRate
      : training.learningRate);
  const { momentum, ...others } = training;
  const run: LocalRun = {
    weights: shared,
    steps: epochs * local.batchesPerEpoch(dataset, training.batchSize),
    settings: {
      ...others,
      ...(momentum !== undefined && method !== 'per-fedavg' && { momentum }),
      ...(method === 'per-fedavg' && { optimizer: 'sgd' as const }),
      learningRate,
    },
    seed: [seed, method, round],
  };
  switch (method) {
    case 'ditto': {
      const pull = { strength, anchor: parts.byName(weights) };
      const own = local.run(dataset, { ...run, weights: memory?.[PERSONAL] ?? shared, pull }).weights;
      return { weights: own, memory: { [PERSONAL]: own } };
    }
    case 'fedrep': {
      const own = local.run(dataset, { ...run, moving: new Set(parts.head.map(({ name }) => name)) }).weights;
      return { weights: own, memory: { [HEAD]: parts.headOf(own) } };
    }
    default:
      return { weights: local.run(dataset, run).weights, memory: {} };
  }
}
