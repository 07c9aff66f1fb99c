/** Companies train a model that completes code, and none shows its code to another. */
import { publicTokenizer } from '../../../client/datasets/text/publicText.ts';
import { codeTransformer } from '../../../client/models/presets.ts';
import { AssayError } from '../../../protocol/errors.ts';
import { CODE_SILOS, corpusOf, silosOf } from './codeSilos.ts';
import { compareCode } from './compareCode.ts';
import { type DemoTask, describeAs } from './task.ts';

export const code: DemoTask = {
  name: 'code',
  defaults: { clients: 6, byzantine: 0, rule: 'fedavg', rounds: 10, server: 'fedAvgM', serverMomentum: 0.5 },

  check({ clients, attack, byzantine }) {
    if (clients > CODE_SILOS.length) {
      throw new AssayError('DEMO_OPTIONS', {
        summary: 'there are not as many silos of code',
        expected: `--clients up to ${CODE_SILOS.length}`,
        received: String(clients),
      });
    }
    if (byzantine > 0 && attack === 'labelFlipping') {
      throw new AssayError('DEMO_OPTIONS', {
        summary: 'text has no labels that could be flipped',
        expected: 'another --attack, such as signFlipping',
        received: attack,
      });
    }
  },

  introduce: ({ clients, byzantine, rule, seed }) => [
    `Assay: ${clients} companies train one model that completes code without sharing a line of theirs${byzantine > 0 ? `; ${byzantine} of them attack` : ''}.`,
    `each the sources of one installed package; rule ${rule}, seed ${seed}`,
  ],

  async prepare() {
    return codeTransformer('code demonstration', await publicTokenizer());
  },

  clientData: (options, silo) => [...['--dataset', corpusOf([silosOf(options)[silo]!])], ...['--data-seed', 'assay']],

  evaluation: (options) => corpusOf(silosOf(options)),
  describe: describeAs('language-model'),

  // Round by round and silo by silo stands below, in what `compareCode` tells.
  showRounds: () => ['Perplexity (per token, on the held-out files of all silos)'],

  begin: compareCode,
};
