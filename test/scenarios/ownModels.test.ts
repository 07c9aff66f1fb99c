/** A federation that trains adapters beside a base whose code its members brought along: commands only, from draft to export. */
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodeSafetensors, encodeSafetensors } from '../../client/export/safetensors.ts';
import { loadModelFile, readModelFile } from '../../client/models/modelFile.ts';
import { describeModel } from '../../client/models/registry.ts';
import { initialWeights } from '../client/support/toyTraining.ts';
import { nodeArgs, nodeFolder, startAssay } from './support/processes.ts';
import { SLOW_MACHINE_MS, type TestFederation, useWorld, type World } from './support/world.ts';

describe('scenario: models of their own', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  it('deploy fills in a draft, nodes fetch the base and run the code they were given, model exports the adapters', async () => {
    const owner = await nodeFolder(world, await world.federation());
    const within = (name: string) => join(owner.folder, name);
    const page = await readFile(new URL('../../docs/models.md', import.meta.url), 'utf8');
    const source = /^```js example=residual\n([\s\S]*?)^```$/m.exec(page)![1]!;
    await writeFile(within('residual.js'), source);
    await loadModelFile(await readModelFile(within('residual.js')));
    const sha256 = createHash('sha256').update(source).digest('hex');
    const base = { kind: 'file', sha256, settings: { inputs: 4, width: 16, blocks: 1, classes: 2 } };
    const { tensors } = describeModel(base);
    const file = encodeSafetensors({ tensors, weights: initialWeights(describeModel(base)), metadata: {} });
    await writeFile(within('base.safetensors'), file);
    const model = { kind: 'lora', base: { model: base }, rank: 2, alpha: 4, targets: ['*/kernel'] };
    const training = { localEpochs: 3, batchSize: 8, learningRate: 0.1, optimizer: 'sgd' };
    await writeFile(within('draft.json'), JSON.stringify({ model, training, data: { features: 4, classes: 2 } }));
    const code = ['--model-file', within('residual.js')];
    const deployed = startAssay(world, [
      ...['deploy', '--rpc-url', world.chain.url, '--state', owner.folder, '--factory', world.factory],
      ...['--manifest', within('draft.json'), '--base-file', within('base.safetensors'), ...code],
      ...['--rule', 'fedavg', '--participants', '1', '--rounds', '1', '--json', within('deploy.json')],
      ...['--commit-window', '120', '--reveal-window', '120', '--aggregate-window', '120', '--challenge-window', '1'],
    ]);
    const { status, stderr } = await deployed.ended;
    expect(status, stderr).to.equal(0);
    const { federation, dimension } = JSON.parse(await readFile(within('deploy.json'), 'utf8'));
    expect(dimension).to.equal(2 * (4 + 16 + 16 + 16 + 16 + 2));
    const fed = { address: federation } as TestFederation;

    const table = within('silo.csv');
    const rows = Array.from({ length: 60 }, (_, i) => `${(i % 7) / 7},${i % 2},${(i % 3) / 3},1,${i % 2}`);
    await writeFile(table, ['a,b,c,d,label', ...rows].join('\n'));
    const data = `csv:${table}?label=label`;
    // It goes on serving after the last round: the adapters are fetched from it.
    const serving = nodeArgs(world, fed, owner.folder).filter((arg) => arg !== '--exit');
    const aggregator = startAssay(world, ['aggregator', ...serving, '--evaluate', data, ...code]);
    const silo = await nodeFolder(world, await world.federation());
    const place = ['client', ...nodeArgs(world, fed, silo.folder), '--dataset', data, '--seed', 'own'];
    const without = await startAssay(world, place).ended;
    expect(without.status).to.equal(1);
    expect(without.stderr).to.contain(`a file whose SHA-256 is ${sha256}`).and.to.contain('--model-file FILE');

    const client = startAssay(world, [...place, ...code]);
    const trained = await client.waitFor('trained', 1);
    expect(trained.samples).to.equal(48);
    expect(Number(trained.loss)).to.be.within(0, 1);
    expect((await aggregator.waitFor('published', 1)).updates).to.equal(1);
    expect((await client.ended).status).to.equal(0);

    const out = await world.newFolder('model');
    const exported = startAssay(world, [
      ...['model', '--rpc-url', world.chain.url, '--federation', federation, '--out', out],
    ]);
    const ended = await exported.ended;
    expect(ended.status, ended.stderr).to.equal(0);
    expect((await readdir(out)).sort()).to.deep.equal(['manifest.json', 'model.safetensors']);
    const adapters = decodeSafetensors(new Uint8Array(await readFile(join(out, 'model.safetensors'))));
    expect(adapters.tensors.map(({ name }) => name)).to.include('block1/kernel/loraB');
  });
});
