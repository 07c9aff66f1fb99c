/** A federation in which participants bring trainers of their own: what they hand back goes through the rounds like any other. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parseCommand } from '../../client/training/external/command.ts';
import { ExternalTrainer } from '../../client/training/external/externalTrainer.ts';
import { clouds } from '../client/support/smallFederation.ts';
import { startAggregator, startParticipant } from './support/inProcess.ts';
import { nodeArgs, nodeFolder, startAssay } from './support/processes.ts';
import { SLOW_MACHINE_MS, until, useWorld, type World } from './support/world.ts';

const SCRIPT = fileURLToPath(new URL('../client/training/external/trainers/node.mjs', import.meta.url));

describe('scenario: external trainers', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  it("a node trains with a command: two rounds hold before an audit, and the key's password is not seen", async () => {
    const fed = await world.federation({ rounds: 2, changeManifest: (own) => ({ ...own, engine: 'trainer/1' }) });
    const aggregator = await startAggregator(world, fed);
    await startParticipant(world, fed);
    await startParticipant(world, fed);
    const { folder, address } = await nodeFolder(world, fed);
    const table = join(folder, 'silo.csv');
    await writeFile(
      table,
      ['a,b,c,d,label', ...Array.from({ length: 50 }, (_, i) => `${i},1,0,1,${i % 2}`)].join('\n'),
    );
    const place = ['client', ...nodeArgs(world, fed, folder), '--dataset', `csv:${table}?label=label`];

    const without = await startAssay(world, place).ended;
    expect(without.status).to.equal(1);
    expect(without.stderr).to.match(/every participant brings its own trainer\n.*--trainer 'COMMAND'/);
    expect(await fed.federation.participant(address), 'nothing was staked').to.equal(null);

    const node = startAssay(world, [...place, '--trainer', `'${process.execPath}' '${SCRIPT}' shows`]);
    for (const round of [1, 2]) {
      expect(await node.waitFor('trained', round)).to.include({ samples: 40, loss: 0.5 });
      await node.waitFor('revealed', round);
    }
    expect((await aggregator.waitFor('published', 2)).updates).to.equal(3);
    await aggregator.waitFor('ended');
    expect((await node.ended).status).to.equal(0);
    const notes = node.lines.filter(({ type }) => type === 'note').map(({ text }) => String(text));
    expect(notes).to.include('training with node.mjs, an external trainer (trainer/1)');
    const environment = notes.find((text) => text.startsWith('node.mjs: environment '))!;
    expect(environment).to.contain('PATH').and.not.to.contain('ASSAY');
    // What the trainer kept from round 1 was handed to it in round 2.
    const tasks = notes.filter((text) => text.startsWith('node.mjs: task ')).map((text) => JSON.parse(text.slice(15)));
    expect(tasks.map(({ round, files }) => [round, files.join()])).to.deep.equal([
      [1, 'model'],
      [2, 'memory,model'],
    ]);
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });

  it('a trainer that fails costs its participant the round and nobody else anything; the next round has it again', async () => {
    const fed = await world.federation({ rounds: 2 });
    const aggregator = await startAggregator(world, fed);
    await startParticipant(world, fed);
    await startParticipant(world, fed);
    const marker = join(await world.newFolder('trainer'), 'crashed');
    const trainer = new ExternalTrainer({
      manifest: fed.manifest,
      command: parseCommand(`'${process.execPath}' '${SCRIPT}' crashesOnce=${marker}`),
      mode: 'folder',
      train: { ...clouds(40, 'scenario'), classes: 2 },
    });
    world.test.add(() => trainer.close());
    const unlucky = await startParticipant(world, fed, { change: { trainer } });
    expect((await unlucky.waitFor('missed', 1)).reason).to.match(/ended before it had a result[\s\S]*exit status 3/);
    await until('the others to commit', async () => (await fed.federation.round(1)).committed === 2);
    await world.passDeadline(fed, 1);
    expect((await aggregator.waitFor('published', 1)).updates).to.equal(2);
    await unlucky.waitFor('revealed', 2);
    expect((await aggregator.waitFor('published', 2)).updates).to.equal(3);
    await aggregator.waitFor('ended');
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });
});
