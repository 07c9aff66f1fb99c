/** The plain demonstration: hospitals train a digit classifier, some of them attack. */
import { loadMnist } from '../../../client/datasets/mnist.ts';
import { mnistMlp } from '../../../client/models/presets.ts';
import { chart } from '../../output/chart.ts';
import { type DemoTask, describeAs } from './task.ts';

export const classify: DemoTask = {
  name: 'classify',
  defaults: {},
  check: () => undefined,

  introduce: ({ clients, byzantine, rule, normBound = 'of the model', alpha, seed }) => [
    `Assay: ${clients} hospitals train one digit classifier without sharing an image; ${byzantine} of them attack.`,
    `rule ${rule}, norm bound ${normBound}, Dirichlet(${alpha}) silos of MNIST, seed ${seed}`,
  ],

  async prepare(_, cacheFolder) {
    await loadMnist(cacheFolder);
    return mnistMlp('MNIST demonstration');
  },

  clientData: ({ alpha, seed, clients }, silo) => [
    ...['--dataset', 'mnist', '--partition', `dirichlet:${alpha}`, '--data-seed', seed],
    ...['--silo', String(silo), '--silos', String(clients)],
  ],

  evaluation: () => 'mnist',
  describe: describeAs('classification'),

  showRounds: (rounds) => [
    'Accuracy by round (2,000 held-out digits)',
    ...chart(rounds.map(({ accuracy }) => accuracy)),
  ],
};
