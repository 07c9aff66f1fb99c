/** A federation whose participants keep their heads at home: what goes through the contract is a body. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { takeRows } from '../../client/datasets/dataset.ts';
import { decodeSafetensors } from '../../client/export/safetensors.ts';
import { describeModel } from '../../client/models/registry.ts';
import { PERSONAL_MODEL_FILE } from '../../client/node/personalModel.ts';
import { parsePersonalisation } from '../../client/personalisation/settings.ts';
import { createTrainer } from '../../client/training/createTrainer.ts';
import { type Manifest, manifestDimension } from '../../protocol/encoding/manifest.ts';
import { clouds } from '../client/support/smallFederation.ts';
import { startAggregator, startParticipant } from './support/inProcess.ts';
import { startAssay } from './support/processes.ts';
import { SLOW_MACHINE_MS, useWorld, type World } from './support/world.ts';

/** Two of the three clouds, as a table of two classes. */
function data(seed: string) {
  const all = clouds(150, seed);
  const two = takeRows(
    all,
    Array.from({ length: all.size }, (_, row) => row).filter((row) => all.y[row] !== 2),
  );
  return { ...two, classes: 2 };
}

describe('scenario: heads that stay at home', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  it('rounds go through and are audited; the own model is whole; the published one is exported as what it is', async () => {
    const changeManifest = (manifest: Manifest): Manifest => {
      const { head } = describeModel(manifest.model);
      const tensors = manifest.tensors.filter(({ name }) => !head.includes(name));
      return { ...manifest, tensors, training: { ...manifest.training, personal: { kind: 'fedrep' } } };
    };
    const fed = await world.federation({ rounds: 2, changeManifest });
    expect(fed.federation.parameters.dimension).to.equal(4 * 64 + 64);
    const aggregator = await startAggregator(world, fed);
    const trainer = createTrainer({ manifest: fed.manifest, train: data('mine'), test: data('held out') });
    world.test.add(() => trainer.close());
    const personalise = parsePersonalisation('fedrep?epochs=4');
    const own = await startParticipant(world, fed, { seed: 'own', change: { trainer, personalise } });
    for (const seed of ['left', 'right']) await startParticipant(world, fed, { seed });
    await own.ended;
    const made = own.events.flatMap((event) => (event.type === 'personalised' ? [event] : []));
    expect(made.map(({ round, method }) => [round, method])).to.deep.equal([
      [1, 'fedrep'],
      [2, 'fedrep'],
      [2, 'fedrep'],
    ]);
    expect(made.at(-1)!.after!.accuracy).to.be.above(0.8);
    const personal = decodeSafetensors(await readFile(join(own.folder, PERSONAL_MODEL_FILE)));
    expect(personal.tensors).to.deep.equal(describeModel(fed.manifest.model).tensors);
    expect((await world.audit(fed)).findings).to.deep.equal([]);

    const out = await world.newFolder('model');
    const place = ['--rpc-url', world.chain.url, '--federation', fed.address];
    const exported = await startAssay(world, ['model', ...place, '--out', out]).ended;
    expect(exported.status, exported.stderr).to.equal(0);
    expect((await readdir(out)).sort()).to.deep.equal(['manifest.json', 'model.safetensors']);
    const body = decodeSafetensors(await readFile(join(out, 'model.safetensors')));
    expect(body.weights).to.have.length(manifestDimension(fed.manifest));
    await aggregator.stop();
  });
});
