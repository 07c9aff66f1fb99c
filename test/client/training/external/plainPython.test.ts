/** The Python module without any package: wherever there is a python3 at all. */
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Dataset } from '../../../../client/datasets/dataset.ts';
import { describeModel } from '../../../../client/models/registry.ts';
import { createTrainer } from '../../../../client/training/createTrainer.ts';
import { parseCommand } from '../../../../client/training/external/command.ts';
import { clouds, smallManifest } from '../../support/smallFederation.ts';

const SCRIPT = fileURLToPath(new URL('./trainers/plain.py', import.meta.url));
const MODULE = fileURLToPath(new URL('../../../../client/training/external/python/assay_trainer.py', import.meta.url));

describe('Python module without packages', function () {
  this.timeout(30_000);
  before(function () {
    if (spawnSync('python3', ['--version']).status !== 0) this.skip();
  });

  const model = { kind: 'mlp', inputs: 4, hidden: [], classes: 3, activation: 'relu' };
  const tensors = describeModel(model).tensors.map(({ name, shape }) => ({ name, shape: [...shape] }));
  // Every sample in one batch, and no momentum: what the script does.
  const manifest = { ...smallManifest({ batchSize: 60, momentum: 0, localEpochs: 4 }), model, tensors };
  // As bytes, as images are: what a byte means, its scale, must arrive to the last bit.
  const data = { train: inBytes(clouds(60, 'plain')), test: inBytes(clouds(30, 'plain test')) };

  for (const mode of ['persistent', 'folder'] as const) {
    it(`makes the built-in engine's steps: ${mode}`, async () => {
      const builtIn = createTrainer({ manifest, ...data });
      const log: string[] = [];
      const progress: number[] = [];
      const plain = createTrainer({
        manifest,
        ...data,
        external: {
          // -S: no site packages, so no numpy even where it is installed.
          command: parseCommand(`python3 -S '${SCRIPT}'`),
          mode,
          environment: { ...process.env, PYTHONPATH: dirname(MODULE) },
          onLog: (line) => log.push(line),
        },
      });
      try {
        const weights = await builtIn.init('plain');
        const task = { weights, round: 1, seed: 's' };
        const [expected, result] = [
          await builtIn.train(task),
          await plain.train({ ...task, onProgress: ({ epoch }) => progress.push(epoch) }),
        ];
        for (const [i, weight] of result.weights.entries()) expect(weight).to.be.closeTo(expected.weights[i]!, 1e-5);
        expect(result.weights).not.to.deep.equal(weights);
        expect(progress).to.deep.equal([1, 2, 3, 4]);
        expect(result.memory).to.deep.equal({ kept: Float32Array.of(1) });
        const next = await plain.train({ ...task, round: 2, memory: result.memory });
        expect(next.memory).to.deep.equal({ kept: Float32Array.of(2) });
        const [here, there] = [
          await builtIn.evaluate({ weights: result.weights }),
          await plain.evaluate({ weights: result.weights }),
        ];
        expect(there.loss).to.be.closeTo(here.loss, 1e-5);
        expect(there).to.include({ accuracy: here.accuracy, samples: 30 });
        expect((await plain.init('a')).length).to.equal(15);
      } finally {
        await plain.close();
        await builtIn.close();
      }
      expect(log).to.include('plain.py: trained in plain Python');
    });
  }
});

function inBytes(dataset: Dataset): Dataset {
  const x = Uint8Array.from(dataset.x, (value) => Math.max(0, Math.min(255, Math.round(60 * (value + 1)))));
  return { ...dataset, x, scale: 1 / 60 };
}
