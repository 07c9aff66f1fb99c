/**
 * What each action costs, measured on sent transactions with calldata that looks like the real one. A value that moves by
 * more than 0.5 % fails; `UPDATE_GAS=1` writes the new ones.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { World } from './support/world.ts';

const SNAPSHOT = fileURLToPath(new URL('./gas.snapshot.json', import.meta.url));
const TOLERANCE = 0.005;
const COMMIT_AND_REVEAL_LIMIT = 110_000;
const PUBLISH_LIMIT = 250_000;

const mean = (values: readonly number[]) => Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);

describe('gas', () => {
  const measured: Record<string, number> = {};

  before(async () => {
    const n = 10;
    const parameters = { minParticipants: n, minUpdates: 5, maxParticipants: n };
    const world = await World.create({ parameters, participants: 0, aggregators: 0 });
    const gas = async (receipt: Promise<{ gasUsed: bigint }>) => Number((await receipt).gasUsed);
    const people = Array.from({ length: n }, (_, i) => world.participant(i));
    const registrations: number[] = [];
    for (const person of people) registrations.push(await gas(world.register(person)));
    measured.registerParticipant = registrations[1]!;
    measured.registerAggregator = await gas(world.registerAggregator(world.aggregator(0)));
    await world.registerAggregator(world.aggregator(1));

    for (const round of [1, 2, 3]) {
      const commits: number[] = [];
      const reveals: number[] = [];
      for (const person of people) commits.push(await gas(world.commit(person, round)));
      for (const person of people) reveals.push(await gas(world.reveal(person, round)));
      const publish = await gas(world.publish(await world.leader(round), round));
      const label = round === 1 ? 'firstRound' : 'steadyRound';
      if (round === 2) continue;
      measured[`${label}.commit.first`] = commits[0]!;
      measured[`${label}.commit`] = commits[1]!;
      measured[`${label}.commit.last`] = commits[n - 1]!;
      measured[`${label}.reveal.first`] = reveals[0]!;
      measured[`${label}.reveal`] = reveals[1]!;
      measured[`${label}.reveal.last`] = reveals[n - 1]!;
      measured[`${label}.commitAndReveal.mean`] = mean(commits) + mean(reveals);
      measured[`${label}.publish`] = publish;
    }
    await world.passDeadline(1);
    measured.finalize = await gas(world.send(people[0]!, 'finalizeRound', [1n]));
    measured.requestExit = await gas(world.send(people[0]!, 'requestExit', [0]));
    await world.passDeadline(2);
    await world.finalize(2);
    await world.finalize(3);
    await world.increase(100);
    measured.withdraw = await gas(world.send(people[0]!, 'withdraw', [0]));
    measured.createFederation = await gas(world.requestFederation());
    await world.close();
  });

  it('commit + reveal stay below the limit, for the average participant and for everybody after the first round', () => {
    expect(measured['steadyRound.commitAndReveal.mean']).to.be.at.most(COMMIT_AND_REVEAL_LIMIT);
    expect(measured['steadyRound.commit']! + measured['steadyRound.reveal']!).to.be.at.most(COMMIT_AND_REVEAL_LIMIT);
  });

  it('publish stays below the limit, and it opens the next round', () => {
    expect(measured['firstRound.publish']).to.be.at.most(PUBLISH_LIMIT);
    expect(measured['steadyRound.publish']).to.be.at.most(PUBLISH_LIMIT);
  });

  it('no action moved against the snapshot', async () => {
    const table = Object.entries(measured).map(([action, gas]) => `    ${action.padEnd(36)}${String(gas).padStart(9)}`);
    console.log(table.join('\n'));
    if (process.env.UPDATE_GAS === '1') await writeFileAtomic(SNAPSHOT, `${JSON.stringify(measured, null, 2)}\n`);
    const snapshot = JSON.parse(readFileSync(SNAPSHOT, 'utf8')) as Record<string, number>;
    expect(Object.keys(measured)).to.deep.equal(Object.keys(snapshot));
    for (const [action, expected] of Object.entries(snapshot)) {
      const moved = Math.abs(measured[action]! - expected) / expected;
      expect(moved, `${action}: ${expected} -> ${measured[action]} (UPDATE_GAS=1 accepts it)`).to.be.at.most(TOLERANCE);
    }
  });
});
