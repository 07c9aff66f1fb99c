/**
 * What each action costs, measured on sent transactions with calldata that looks like the real one. A value that moves by
 * more than 0.5 % fails; `UPDATE_GAS=1` writes the new ones.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { writeFileAtomic } from '../../storage/atomicFile.ts';
import { gramRound, scattered } from './support/gramRound.ts';
import { commitAll, revealAll, signCommit, signReveal, type Wallet } from './support/signed.ts';
import { hash, STAKE, World } from './support/world.ts';

const SNAPSHOT = fileURLToPath(new URL('./gas.snapshot.json', import.meta.url));
const TOLERANCE = 0.005;
const COMMIT_AND_REVEAL_LIMIT = 110_000;
const PUBLISH_LIMIT = 250_000;
/** A participant's part of a batch: commit and reveal, with the transactions that carry them. */
const RELAYED_LIMIT = 50_000;
const BATCH = 20;
/** EIP-7825. */
const TRANSACTION_CAP = 16_777_216;

const mean = (values: readonly number[]) => Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);

/** Everybody signs, one account sends: what a participant's part of the two batches costs. */
async function measureRelay(measured: Record<string, number>): Promise<void> {
  const parameters = { minParticipants: BATCH, minUpdates: 5, maxParticipants: BATCH };
  const world = await World.create({ parameters, participants: BATCH });
  const people = Array.from({ length: BATCH }, (_, i) => world.participant(i));
  for (const round of [1, 2, 3]) {
    const commits = await Promise.all(people.map((person) => signCommit(world, person, round)));
    const committed = await commitAll(world, world.wallets[0]!, round, commits);
    const reveals = await Promise.all(people.map((person) => signReveal(world, person, round)));
    const revealed = await revealAll(world, world.wallets[0]!, round, reveals);
    expect((await world.round(round)).revealed).to.equal(BATCH);
    await world.publish(await world.leader(round), round);
    if (round === 2) continue;
    const label = round === 1 ? 'firstRound' : 'steadyRound';
    measured[`${label}.relay.commitOf20`] = Math.round(Number(committed.gasUsed) / BATCH);
    measured[`${label}.relay.revealOf20`] = Math.round(Number(revealed.gasUsed) / BATCH);
  }
  await world.close();
}

/** A round of twenty that is paid for, by equal shares and by the Gram matrix. */
async function measureRewards(measured: Record<string, number>): Promise<void> {
  for (const contributionRewardBps of [0, 5_000]) {
    const label = contributionRewardBps === 0 ? 'equally' : 'byContribution';
    const parameters = {
      minParticipants: BATCH,
      minUpdates: 5,
      maxParticipants: BATCH,
      roundReward: STAKE,
      contributionRewardBps,
    };
    const world = await World.create({ parameters, participants: BATCH });
    const funded = await world.fundRewards(world.wallets[0]!, 3n * STAKE);
    const made = await gramRound(BATCH, scattered('gas'));
    await world.contribute(1, BATCH);
    const publication = { ...(await world.publication(1)), gramRoot: made.gramRoot };
    await world.send(await world.leader(1), 'publishRound', [1n, publication]);
    await world.passDeadline(1);
    const final = await world.send(world.wallets[0]!, 'finalizeRound', [1n]);
    const opening = contributionRewardBps === 0 ? '0x' : made.opening;
    const args = [1n, await world.reveals(1), publication, opening];
    const distributed = await world.send(world.wallets[0]!, 'distributeRewards', args);
    const withdrawn = await world.send(world.participant(0), 'withdrawCredit');
    measured[`rewards.distributeTo20.${label}`] = Number(distributed.gasUsed);
    if (contributionRewardBps === 0) {
      measured['rewards.fund'] = Number(funded.gasUsed);
      measured['rewards.finalize'] = Number(final.gasUsed);
      measured['rewards.withdrawCredit'] = Number(withdrawn.gasUsed);
    }
    await world.close();
  }
}

/** The largest federation there may be, paid by a Gram matrix whose every byte is dense. */
async function measureLargestRewards(measured: Record<string, number>): Promise<void> {
  const n = 100;
  const parameters = {
    minParticipants: n,
    minUpdates: 5,
    maxParticipants: n,
    roundReward: STAKE,
    contributionRewardBps: 5_000,
  };
  const world = await World.create({ parameters, participants: 0 });
  const chain = await world.connection.viem.getTestClient();
  const people: Wallet[] = [];
  for (let i = 0; i < n; i++) {
    const address = `0x${hash('participant', i).slice(-40)}` as const;
    await chain.impersonateAccount({ address });
    await chain.setBalance({ address, value: 10n * STAKE });
    people.push(await world.connection.viem.getWalletClient(address));
  }
  await world.fundRewards(world.wallets[0]!, STAKE);
  for (const person of people) await world.register(person);
  for (const person of people) await world.commit(person, 1);
  for (const person of people) await world.reveal(person, 1);
  const made = await gramRound(n, scattered('gas', 63));
  const publication = { ...(await world.publication(1)), gramRoot: made.gramRoot };
  await world.send(await world.leader(1), 'publishRound', [1n, publication]);
  await world.finalize(1);
  const args = [1n, await world.reveals(1), publication, made.opening];
  const distributed = await world.send(world.wallets[0]!, 'distributeRewards', args);
  measured['rewards.distributeTo100.byContribution'] = Number(distributed.gasUsed);
  await world.close();
}

describe('gas', () => {
  const measured: Record<string, number> = {};

  before(async function () {
    // A thousand transactions, among them those of a hundred participants.
    this.timeout(300_000);
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
    await measureRelay(measured);
    await measureRewards(measured);
    await measureLargestRewards(measured);
  });

  it('commit + reveal stay below the limit, for the average participant and for everybody after the first round', () => {
    expect(measured['steadyRound.commitAndReveal.mean']).to.be.at.most(COMMIT_AND_REVEAL_LIMIT);
    expect(measured['steadyRound.commit']! + measured['steadyRound.reveal']!).to.be.at.most(COMMIT_AND_REVEAL_LIMIT);
  });

  it('publish stays below the limit, and it opens the next round', () => {
    expect(measured['firstRound.publish']).to.be.at.most(PUBLISH_LIMIT);
    expect(measured['steadyRound.publish']).to.be.at.most(PUBLISH_LIMIT);
  });

  it('a batch of twenty stays below the limit for each, transactions included, in the first round and after', () => {
    for (const label of ['firstRound', 'steadyRound']) {
      const part = measured[`${label}.relay.commitOf20`]! + measured[`${label}.relay.revealOf20`]!;
      expect(part, label).to.be.at.most(RELAYED_LIMIT);
    }
  });

  it('rewards of a hundred fit in one transaction', () => {
    expect(measured['rewards.distributeTo100.byContribution']).to.be.below(TRANSACTION_CAP);
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
