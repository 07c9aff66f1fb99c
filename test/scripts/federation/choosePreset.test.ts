/** From options and drafts to manifests: what is filled in, what stays, what is refused. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { encodeSafetensors } from '../../../client/export/safetensors.ts';
import { describeModel } from '../../../client/models/registry.ts';
import { payloadCid } from '../../../protocol/encoding/cid.ts';
import { checkManifest, manifestDimension } from '../../../protocol/encoding/manifest.ts';
import { choosePreset, PRESETS, type PresetOptions } from '../../../scripts/federation/choosePreset.ts';
import { modelMaterial } from '../../../scripts/node/modelMaterial.ts';
import { expectError } from '../../client/support/expectError.ts';
import { initialWeights } from '../../client/support/toyTraining.ts';

const TOKENIZER = { kind: 'byte-bpe', merges: [[104, 101]] };
const TRAINING = { localSteps: 3, batchSize: 4, learningRate: 0.1, optimizer: 'sgd' };
const MLP = { kind: 'mlp', inputs: 3, hidden: [4], classes: 2, activation: 'relu' };

describe('the model of a new federation', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-draft-'));
    await write('tokenizer.json', JSON.stringify(TOKENIZER));
  });
  after(() => rm(folder, { recursive: true }));

  const write = async (name: string, content: string | Uint8Array) => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };
  const choose = (change: Partial<PresetOptions>) =>
    choosePreset({ name: 'wards', model: 'mnist', hidden: 5, ...change });
  const fromDraft = async (draft: unknown, change: Partial<PresetOptions> = {}) =>
    (await choose({ manifest: await write('draft.json', JSON.stringify(draft)), ...change })).manifest;

  for (const model of PRESETS) {
    it(`the preset ${model} is a whole manifest`, async () => {
      const tokenizer = join(folder, 'tokenizer.json');
      const { manifest } = await choose({ model, tokenizer, features: 3, classes: 2 });
      expect(checkManifest(manifest)).to.deep.equal(manifest);
      expect(manifest.name).to.equal('wards');
    });
  }

  it('asks for what a preset needs', async () => {
    await expectError(() => choose({ model: 'mlp', features: 3 }), 'MODEL_OPTIONS', /--features N and --classes N/);
    await expectError(() => choose({ model: 'code-transformer' }), 'MODEL_OPTIONS', /--tokenizer FILE/);
    const nothing = join(folder, 'nothing.json');
    await expectError(() => choose({ model: 'code-transformer', tokenizer: nothing }), 'JSON_FILE', /ENOENT/);
  });

  it('fills in what follows from the model, and leaves what the draft says', async () => {
    const manifest = await fromDraft({ model: MLP, training: TRAINING, data: { features: 3, classes: 2 } });
    expect(manifest).to.include({ format: 'assay-manifest/1', name: 'wards', task: 'classification' });
    expect(manifest.engine).to.match(/^tfjs-wasm\//);
    expect(manifestDimension(manifest)).to.equal(26);
    const named = await fromDraft({ ...manifest, name: 'own', engine: 'trainer/1' });
    expect(named).to.include({ name: 'own', engine: 'trainer/1' });
    const personal = { ...TRAINING, personal: { kind: 'fedper' } };
    const body = await fromDraft({ model: MLP, training: personal, data: { features: 3, classes: 2 } });
    expect(body.tensors.map(({ name }) => name)).to.deep.equal(['hidden1/bias', 'hidden1/kernel']);
  });

  it('gives a language model its tokeniser and what follows from it', async () => {
    const model = { kind: 'transformer', width: 8, layers: 1, heads: 2, feedForward: 8 };
    const draft = { model, training: TRAINING, data: { context: 6 } };
    const manifest = await fromDraft(draft, { tokenizer: join(folder, 'tokenizer.json') });
    expect(manifest.task).to.equal('language-model');
    expect(manifest.data).to.deep.equal({ context: 6, tokenizer: TOKENIZER });
    expect(manifest.model).to.deep.equal({ ...model, vocabulary: 258, context: 6 });
    const merges = [[104, 300]];
    await expectError(
      () => fromDraft({ ...draft, data: { context: 6, tokenizer: { kind: 'byte-bpe', merges } } }),
      'MANIFEST',
      /merges\.0/,
    );
  });

  it("names a model's own file by its hash", async () => {
    const page = await readFile(new URL('../../../docs/models.md', import.meta.url), 'utf8');
    const source = /^```js example=residual\n([\s\S]*?)^```$/m.exec(page)![1]!;
    const modelFile = await write('residual.js', source);
    const settings = { inputs: 3, width: 4, blocks: 1, classes: 2 };
    const draft = { model: { kind: 'file', settings }, training: TRAINING, data: { features: 3, classes: 2 } };
    const manifest = await fromDraft(draft, { modelFile });
    const sha256 = createHash('sha256').update(source).digest('hex');
    expect(manifest.model).to.deep.equal({ kind: 'file', sha256, settings });
    const material = await modelMaterial(manifest, { modelFile }, null);
    expect(material).to.deep.equal({ modelFile: { name: 'residual.js', sha256, source } });
  });

  it('names the base of adapters by CID and hash, and nodes take no other', async () => {
    const { tensors, dimension } = describeModel(MLP);
    const weights = initialWeights(describeModel(MLP));
    const file = encodeSafetensors({ tensors, weights, metadata: {} });
    const baseFile = await write('base.safetensors', file);
    const model = { kind: 'lora', base: { model: MLP }, rank: 2, alpha: 4, targets: ['*/kernel'] };
    const draft = { model, training: TRAINING, data: { features: 3, classes: 2 } };
    const manifest = await fromDraft(draft, { baseFile });
    const sha256 = createHash('sha256').update(file).digest('hex');
    expect(manifest.model).to.deep.equal({ ...model, base: { cid: payloadCid(file), sha256, model: MLP } });
    const { frozen } = await modelMaterial(manifest, { baseFile }, null);
    expect(frozen).to.deep.equal(weights).and.to.have.length(dimension);
    await expectError(() => modelMaterial(manifest, {}, null), 'BASE_FILE', /--base-file FILE/);
    await expectError(() => modelMaterial(manifest, { baseFile: folder }, null), 'BASE_FILE', /EISDIR/);
    const other = await write(
      'other.safetensors',
      file.map((byte, i) => (i === file.length - 1 ? byte ^ 1 : byte)),
    );
    await expectError(() => modelMaterial(manifest, { baseFile: other }, null), 'BASE_MODEL', new RegExp(sha256));
  });

  it('refuses drafts without a model, or of no JSON', async () => {
    await expectError(() => fromDraft([]), 'MANIFEST', /"model", "training" and "data"/);
    await expectError(() => fromDraft({ model: MLP, data: { features: 3, classes: 2 } }), 'MANIFEST', /training/);
    await expectError(() => fromDraft({ model: { kind: 'gan' } }), 'MODEL_UNKNOWN');
    const broken = await write('broken.json', '{');
    await expectError(() => choose({ manifest: broken }), 'JSON_FILE', /broken\.json cannot be read/);
  });
});
