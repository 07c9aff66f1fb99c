/** The first model of a federation: from the engine, from a kind that Assay knows, or from somebody's own trainer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parseCommand } from '../../../client/training/external/command.ts';
import { DEFAULT_MODEL_FRACTION_BITS, fixedToFloat } from '../../../protocol/encoding/fixedPoint.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { parseManifest } from '../../../protocol/encoding/manifest.ts';
import { verifyModel } from '../../../protocol/round/verifyModel.ts';
import { completeManifest } from '../../../scripts/federation/draftManifest.ts';
import { storeGenesis } from '../../../scripts/federation/storeGenesis.ts';
import { openPayloadStore } from '../../../storage/payloadStore.ts';
import { expectError } from '../../client/support/expectError.ts';
import { smallManifest } from '../../client/support/smallFederation.ts';

const SCRIPT = fileURLToPath(new URL('../../client/training/external/trainers/node.mjs', import.meta.url));
const external = { command: parseCommand(`'${process.execPath}' '${SCRIPT}' ''`) };

describe('first model of a federation', function () {
  this.timeout(30_000);
  const folder = mkdtempSync(join(tmpdir(), 'assay-genesis-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function genesis(...args: Parameters<typeof storeGenesis> extends [unknown, ...infer Rest] ? Rest : never) {
    const store = await openPayloadStore(join(folder, 'store'));
    const stored = await storeGenesis(store, ...args);
    const layout = vectorLayout(stored.dimension);
    const model = verifyModel(await store.readAll(stored.modelCid), layout, stored.modelRoot);
    const manifest = parseManifest(await store.readAll(stored.manifestCid));
    return { manifest, weights: fixedToFloat(model, DEFAULT_MODEL_FRACTION_BITS) };
  }

  it('is the same from the engine and, where every participant brings a trainer, from a known kind', async () => {
    const own = await genesis(smallManifest(), 'seed', 1);
    const brought = await genesis({ ...smallManifest(), engine: 'trainer/1' }, 'seed', 1);
    expect(brought.weights).to.deep.equal(own.weights);
    expect(own.weights.some((weight) => weight !== 0)).to.equal(true);
  });

  it('comes from a trainer, of a kind that Assay does not know', async () => {
    const draft = {
      engine: 'trainer/1',
      task: 'classification',
      model: { kind: 'resnet18', pretrained: false },
      tensors: [
        { name: 'conv1.weight', shape: [2, 3] },
        { name: 'fc.bias', shape: [4] },
      ],
      training: { localEpochs: 1, batchSize: 8, learningRate: 0.1, optimizer: 'sgd' },
      data: { features: 6, classes: 4 },
    };
    const manifest = await completeManifest(draft, { name: 'foreign' });
    const { weights, manifest: stored } = await genesis(manifest, 'seed', 1, {}, external);
    expect(stored.model).to.deep.equal(draft.model);
    expect(weights).to.have.length(10);
    expect(weights[0]).to.be.above(0).and.equal(weights[9]);
    await expectError(() => genesis(manifest, 'seed', 1), 'MODEL_UNKNOWN', /resnet18/);
  });

  it('fills in what follows from a model that it does know, and asks for its tensors otherwise', async () => {
    const { training, data, model } = smallManifest();
    const known = await completeManifest({ engine: 'trainer/1', training, data, model }, { name: 'known' });
    expect(known.tensors).to.deep.equal(smallManifest().tensors);
    const unknown = { engine: 'trainer/1', training, data, model: { kind: 'resnet18' } };
    await expectError(() => completeManifest(unknown, { name: 'x' }), 'MODEL_UNKNOWN');
  });
});
