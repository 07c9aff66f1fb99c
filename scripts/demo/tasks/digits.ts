/** Hospitals train a model that draws digits, each of which has seen few of some kinds. */
import { join } from 'node:path';
import { loadMnist } from '../../../client/datasets/mnist.ts';
import { drawImages } from '../../../client/generation/drawImages.ts';
import { layOut } from '../../../client/generation/imageSheet.ts';
import { isGenerator, openModel } from '../../../client/generation/openModel.ts';
import { encodePng } from '../../../client/generation/png.ts';
import { digitsVae } from '../../../client/models/presets.ts';
import { createRandom } from '../../../client/random.ts';
import { writeFileAtomic } from '../../../storage/atomicFile.ts';
import { table } from '../../output/text.ts';
import { classify } from './classify.ts';
import { type DemoTask, describeAs } from './task.ts';

const SIDE = 28;
const CLASSES = 10;
const PER_CLASS = 10;
/** Of drawing: below the prior's 1, where more images are of the class that was asked for. */
const TEMPERATURE = 0.7;

export const digits: DemoTask = {
  name: 'digits',
  defaults: { byzantine: 0, rule: 'fedavg', rounds: 15, server: 'fedAvgM', serverMomentum: 0.5 },
  check: () => undefined,

  introduce: ({ clients, byzantine, rule, alpha, seed }) => [
    `Assay: ${clients} hospitals train one model that draws digits without sharing an image${byzantine > 0 ? `; ${byzantine} of them attack` : ''}.`,
    `rule ${rule}, Dirichlet(${alpha}) silos of MNIST, seed ${seed}`,
  ],

  async prepare(_, cacheFolder) {
    await loadMnist(cacheFolder);
    return digitsVae('digits demonstration');
  },

  clientData: classify.clientData,
  evaluation: () => 'mnist',
  describe: describeAs('image-generation'),

  showRounds: (rounds) => [
    'Evidence lower bound by round (nats per image, 2,000 held-out digits; higher is better)',
    ...table([['round', 'ELBO'], ...rounds.map(({ round, loss }) => [String(round), (-loss).toFixed(1)])]).map(
      (line) => `  ${line}`,
    ),
  ],

  begin: ({ options, manifest, folder }) => ({
    async finish(models) {
      const open = await openModel(manifest.model, models.at(-1)!.weights);
      isGenerator(open, 'image-generation');
      const labels = Array.from({ length: CLASSES * PER_CLASS }, (_, i) => Math.floor(i / PER_CLASS));
      const pixels = drawImages(open, labels, createRandom(options.seed, 'sheet'), TEMPERATURE);
      open.close();
      const images = labels.map((_, i) => pixels.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE));
      const sheet = join(folder, 'digits.png');
      await writeFileAtomic(sheet, encodePng(layOut(images, SIDE, PER_CLASS)));
      return {
        lines: ['', `Digits of the federated model, ${PER_CLASS} of each kind: ${sheet}`],
        facts: { code: null, digits: { sheet, images: images.length } },
        files: { 'digits, PNG': sheet },
      };
    },
    close: async () => undefined,
  }),
};
