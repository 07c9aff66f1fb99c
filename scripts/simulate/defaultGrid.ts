import { codeTransformer, digitsVae, mnistMlp, type Preset } from '../../client/models/presets.ts';
import { GRID_FORMAT } from '../../client/simulation/grid.ts';
import { CODE_SILOS, corpusOf } from '../demo/tasks/codeSilos.ts';
import type { DemoTaskName } from '../demo/tasks/names.ts';

/** What `assay simulate` runs without a file: the federation of `npm run demo`, which ends with the same model. */
export function defaultGrid(task: DemoTaskName = 'classify'): Record<string, unknown> {
  switch (task) {
    case 'classify': {
      const preset = mnistMlp();
      const { localEpochs, batchSize, learningRate, momentum } = preset.manifest.training;
      return {
        ...federation('demo', preset),
        dataset: 'mnist',
        hidden: preset.manifest.model.hidden,
        participants: 10,
        byzantine: 2,
        rounds: 10,
        training: { localEpochs, batchSize, learningRate, momentum },
        rules: ['nnm+trimmed-mean'],
        attacks: ['signFlipping'],
        alphas: [0.5],
      };
    }
    case 'code': {
      const silos = CODE_SILOS.slice(0, 6);
      return {
        ...federation('demo-code', codeTransformer('code', { kind: 'byte-bpe', merges: [] })),
        ...GENERATIVE,
        dataset: corpusOf(silos),
        model: 'code-transformer',
        participants: silos.length,
        rounds: 10,
        alphas: ['natural'],
      };
    }
    case 'digits':
      return {
        ...federation('demo-digits', digitsVae()),
        ...GENERATIVE,
        dataset: 'mnist',
        model: 'digits-vae',
        participants: 10,
        rounds: 15,
        alphas: [0.5],
      };
  }
}

/** As the demonstrations of generators have it. */
const GENERATIVE = { byzantine: 0, rules: ['fedavg'], server: { optimizer: 'fedAvgM', momentum: 0.5 } };

function federation(name: string, { manifest, maxUpdateNorm }: Preset): Record<string, unknown> {
  return {
    format: GRID_FORMAT,
    name,
    view: 'lone',
    training: manifest.training,
    normBound: maxUpdateNorm,
    seeds: ['assay'],
  };
}
