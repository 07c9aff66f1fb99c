import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor1D } from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { Classifier } from '../../../client/models/model.ts';
import { loadModelFile, type ModelFile, readModelFile } from '../../../client/models/modelFile.ts';
import { describeModel } from '../../../client/models/registry.ts';
import { expectError } from '../support/expectError.ts';
import { clouds } from '../support/smallFederation.ts';
import { composedCompute, toyTraining } from '../support/toyTraining.ts';

const settings = { inputs: 4, width: 8, blocks: 2, classes: 3 };
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
const file = (source: string, name = 'own.js'): ModelFile => ({ name, sha256: hashOf(source), source });

describe('client models: files of one own', () => {
  let folder: string;
  let example: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-model-'));
    const page = await readFile(new URL('../../../docs/models.md', import.meta.url), 'utf8');
    example = /^```js example=residual\n([\s\S]*?)^```$/m.exec(page)![1]!;
  });
  after(() => rm(folder, { recursive: true }));

  /** The page's example with a replacement, loaded. */
  const variant = async (from: string | RegExp, to: string) => {
    const changed = example.replace(from, to);
    expect(changed).not.to.equal(example);
    await loadModelFile(file(changed));
    return () => describeModel({ kind: 'file', sha256: hashOf(changed), settings });
  };

  it('the example of the documentation is a model that learns', async () => {
    await writeFile(join(folder, 'residual.js'), example);
    const read = await readModelFile(join(folder, 'residual.js'));
    expect(read).to.deep.equal({ name: 'residual.js', sha256: hashOf(example), source: example });
    await loadModelFile(read);
    const spec = { kind: 'file', sha256: read.sha256, settings };
    const model = describeModel(spec) as Classifier;
    expect(model.spec).to.deep.equal(spec);
    expect(model.dimension).to.equal(4 * 8 + 8 + 2 * 72 + 27);
    const { x, y } = clouds(60, 'own');
    const compute = await composedCompute();
    const { tf, ops } = compute;
    const samples = tf.tensor2d(x as Float32Array, [60, 4]);
    const { losses } = toyTraining(compute, model, 30, 0.02, (weights) =>
      ops.crossEntropy(model.logits(compute, weights, samples), tf.tensor1d(y, 'int32') as Tensor1D),
    );
    expect(losses.at(-1)).to.be.below(losses[0]! / 4);
  });

  it('takes TypeScript as well', async () => {
    const typed = file(example.replace('({ z })', '({ z }: { readonly z: any })'), 'own.ts');
    await loadModelFile(typed);
    expect(describeModel({ kind: 'file', sha256: typed.sha256, settings }).dimension).to.equal(211);
  });

  it('refuses a manifest whose file was not given, or in other bytes', async () => {
    const spec = { kind: 'file', sha256: hashOf('never given'), settings };
    await expectError(() => describeModel(spec), 'MODEL_FILE', /give it with --model-file FILE/);
    await expectError(() => describeModel({ ...spec, sha256: 'AB' }), 'MODEL_SETTINGS', /sha256/);
  });

  it("checks settings by the file's own schema", async () => {
    await loadModelFile(file(example));
    const wrong = { kind: 'file', sha256: hashOf(example), settings: { ...settings, width: 0 } };
    await expectError(() => describeModel(wrong), 'MODEL_SETTINGS', /wrong at width/);
  });

  it('refuses files that are no modules, lack a function, or lean on other files', async () => {
    await expectError(() => readModelFile(join(folder, 'none.js')), 'MODEL_FILE', /ENOENT/);
    await expectError(() => loadModelFile(file('export const x = ;')), 'MODEL_FILE', /own\.js is not a model file/);
    await expectError(() => loadModelFile(file('export const build = 1;')), 'MODEL_FILE', /functions settings/);
    await expectError(() => loadModelFile(file("import './other.js';\n")), 'MODEL_FILE', /imports nothing but/);
    await expectError(() => loadModelFile(file("import 'zod';\n")), 'MODEL_FILE', /imports nothing but/);
    await expectError(() => loadModelFile(file('const a: = 1', 'own.ts')), 'MODEL_FILE');
  });

  it('refuses models that are not whole, and says what is missing', async () => {
    await expectError(await variant("'classification'", "'telepathy'"), 'MODEL_FILE', /task: classification, language/);
    await expectError(await variant('logits(', 'forward('), 'MODEL_FILE', /a function logits/);
    await expectError(await variant('    classes,\n', ''), 'MODEL_FILE', /classes: a whole number/);
    await expectError(await variant("head: ['", "head: ['x"), 'MODEL_FILE', /head.*\n.*xoutput/);
    await expectError(await variant('head:', 'dimension: 7, head:'), 'MODEL_FILE', /dimension: 211/);
    await expectError(await variant('head:', 'frozen: [], head:'), 'MODEL_FILE', /no frozen/);
    const reversed = await variant('head:', 'tensors: kit.listTensors(shapes).tensors.toReversed(), head:');
    await expectError(reversed, 'MODEL_FILE', /sorted bytewise/);
  });
});
