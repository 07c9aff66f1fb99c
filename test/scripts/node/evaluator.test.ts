/** What an aggregator measures of its models, and what it cannot. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { describeModel } from '../../../client/models/registry.ts';
import { parseCommand } from '../../../client/training/external/command.ts';
import { floatToFixed } from '../../../protocol/encoding/fixedPoint.ts';
import { checkManifest } from '../../../protocol/encoding/manifest.ts';
import { evaluator } from '../../../scripts/node/evaluator.ts';
import { expectError } from '../../client/support/expectError.ts';
import { smallManifest } from '../../client/support/smallFederation.ts';

describe('the evaluation of an aggregator', () => {
  it('tells of text how perplexed the model is, by token and by byte', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'assay-evaluator-'));
    const said: string[] = [];
    try {
      for (const name of ['a', 'b', 'c', 'd']) await writeFile(join(folder, `${name}.txt`), `${name} word `.repeat(30));
      const model = { kind: 'lstm', vocabulary: 257, context: 8, embedding: 4, hidden: 4, layers: 1 };
      const { tensors, dimension } = describeModel(model);
      const manifest = checkManifest({
        ...smallManifest(),
        task: 'language-model',
        model,
        tensors,
        data: { context: 8, tokenizer: { kind: 'byte-bpe', merges: [] } },
      });
      const parameters = { modelFractionBits: 24 };
      const spec = `text:${folder}?ext=txt&holdout=0.25`;
      const measure = await evaluator(spec, folder, manifest, parameters, {}, (line) => said.push(line));
      try {
        // All weights zero: every token is as likely as any other.
        const { loss, samples } = await measure.evaluate(floatToFixed(new Float32Array(dimension), 24));
        expect(loss).to.be.closeTo(Math.log(257), 1e-4);
        expect(samples % 8).to.equal(0);
      } finally {
        await measure.close();
      }
      expect(said).to.have.length(1);
      expect(said[0]).to.match(/^perplexity 257\.00 per token, 8\.\d{3} bits per byte, on \d+ held-out tokens$/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('refuses a federation whose heads stay at home', async () => {
    const { tensors, training, ...manifest } = smallManifest();
    const body = tensors.filter(({ name }) => name.startsWith('hidden'));
    const personal = { ...manifest, tensors: body, training: { ...training, personal: { kind: 'fedper' as const } } };
    await expectError(
      () => evaluator('mnist', 'x', personal, { modelFractionBits: 24 }),
      'NO_HEAD',
      /--evaluate needs a whole model[\s\S]*--personalise/,
    );
  });

  it("is an external trainer's, on data of its own, where there is one", async () => {
    const script = fileURLToPath(new URL('../../client/training/external/trainers/node.mjs', import.meta.url));
    const external = (fault: string) => ({
      external: { command: parseCommand(`'${process.execPath}' '${script}' '${fault}'`), data: '.' },
    });
    const manifest = { ...smallManifest(), engine: 'trainer/1' };
    const parameters = { modelFractionBits: 24 };
    const right = await evaluator(null, '', manifest, parameters, external(''));
    const wrong = await evaluator(null, '', manifest, parameters, external('refuses'));
    try {
      expect(await right.evaluate(new Int32Array(67))).to.deep.equal({ loss: 0.5, accuracy: 0.75, samples: 40 });
      await expectError(() => wrong.evaluate(new Int32Array(67)), 'TRAINER_FAILED', /no samples of class 3/);
    } finally {
      await right.close();
      await wrong.close();
    }
    await expectError(() => evaluator(null, '', manifest, parameters), 'TRAINER_MISSING');
  });
});
