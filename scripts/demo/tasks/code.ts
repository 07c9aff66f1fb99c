/** Companies train a model that completes code, and none shows its code to another. */
import { parsePackages } from '../../../client/datasets/packages/packageSpec.ts';
import { readPackage } from '../../../client/datasets/packages/readPackage.ts';
import type { TextDocument } from '../../../client/datasets/text/textDataset.ts';
import { trainTokenizer } from '../../../client/datasets/text/trainTokenizer.ts';
import { codeTransformer } from '../../../client/models/presets.ts';
import { AssayError } from '../../../protocol/errors.ts';
import { CODE_SILOS, corpusOf, PUBLIC_TEXT, silosOf } from './codeSilos.ts';
import { compareCode } from './compareCode.ts';
import type { DemoTask } from './task.ts';

/** 256 bytes, the end of a document, and merges. */
const VOCABULARY = 512;

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
    const { packages, limit } = parsePackages(PUBLIC_TEXT);
    const documents: TextDocument[] = [];
    for (const { name, extensions } of packages) {
      documents.push(...(await readPackage(name, extensions, limit, 'public text')));
    }
    const tokenizer = trainTokenizer(
      documents.map(({ bytes }) => bytes),
      VOCABULARY,
    );
    return codeTransformer('code demonstration', tokenizer);
  },

  clientData: (options, silo) => [...['--dataset', corpusOf([silosOf(options)[silo]!])], ...['--data-seed', 'assay']],

  evaluation: (options) => corpusOf(silosOf(options)),
  describe: ({ loss }) => ({ name: 'perplexity', value: Math.exp(loss).toFixed(2) }),

  // Round by round and silo by silo stands below, in what `compareCode` tells.
  showRounds: () => ['Perplexity (per token, on the held-out files of all silos)'],

  begin: compareCode,
};
