/** The relay as people start it: one command for the aggregator, one for the participant that sends nothing itself. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { startParticipant } from './support/inProcess.ts';
import { nodeArgs, nodeFolder, startAssay } from './support/processes.ts';
import { SLOW_MACHINE_MS, useWorld, type World } from './support/world.ts';

const TABLE = [
  'a,b,c,d,label',
  ...Array.from({ length: 40 }, (_, i) => `${(i % 2) - 0.5},${(i % 7) / 7},${-(i % 3)},${Math.sin(i)},${i % 2}`),
].join('\n');

describe('scenario: a participant behind a relay', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  it('registers by itself and sends nothing else; its updates are in every round', async () => {
    const fed = await world.federation({ participants: 2, rounds: 2 });
    const table = join(await world.newFolder('table'), 'silo.csv');
    await writeFile(table, TABLE);
    const leader = await nodeFolder(world, fed);
    const aggregator = startAssay(world, ['aggregator', ...nodeArgs(world, fed, leader.folder)]);
    await aggregator.waitFor('registered');
    const url = (await fed.federation.gateways()).get(leader.address)!;
    await startParticipant(world, fed);
    const behind = await nodeFolder(world, fed);
    const dataset = ['--dataset', `csv:${table}?label=label`, '--relay', url];
    const client = startAssay(world, ['client', ...nodeArgs(world, fed, behind.folder), ...dataset]);
    for (const round of [1, 2]) {
      await client.waitFor('revealed', round);
      expect((await aggregator.waitFor('published', round)).updates).to.equal(2);
    }
    const relayed = aggregator.lines.filter(({ type }) => type === 'relayed');
    expect(relayed.map(({ kind }) => kind)).to.have.members(['commit', 'reveal', 'commit', 'reveal']);
    const { publicClient } = world.connection;
    expect(await publicClient.getTransactionCount({ address: behind.address }), 'its registration').to.equal(1);
    expect((await client.ended).status).to.equal(0);
  });
});
