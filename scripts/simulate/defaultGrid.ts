import { mnistMlp } from '../../client/models/presets.ts';
import { GRID_FORMAT } from '../../client/simulation/grid.ts';

/** What `assay simulate` runs without a file: the federation of `npm run demo`, which ends with the same model. */
export function defaultGrid(): Record<string, unknown> {
  const { manifest, maxUpdateNorm } = mnistMlp();
  const { localEpochs, batchSize, learningRate, momentum } = manifest.training;
  return {
    format: GRID_FORMAT,
    name: 'demo',
    dataset: 'mnist',
    hidden: manifest.model.hidden,
    participants: 10,
    byzantine: 2,
    view: 'lone',
    rounds: 10,
    training: { localEpochs, batchSize, learningRate, momentum },
    normBound: maxUpdateNorm,
    rules: ['nnm+trimmed-mean'],
    attacks: ['signFlipping'],
    alphas: [0.5],
    seeds: ['assay'],
  };
}
