/** What a node refuses when it starts: each ends with status 1 and a message that says what to do; nothing was sent. */
import { readdir, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { Federation } from '../../chain/federation.ts';
import { openStateFolder } from '../../storage/stateFolder.ts';
import { expectError } from '../client/support/expectError.ts';
import { openDesk, startAggregator, startParticipant } from './support/inProcess.ts';
import { nodeArgs, nodeFolder, type ProcessWish, startAssay } from './support/processes.ts';
import { startProxy } from './support/proxy.ts';
import { SLOW_MACHINE_MS, type TestFederation, until, World } from './support/world.ts';

const TABLE = ['a,b,c,d,label', ...Array.from({ length: 20 }, (_, i) => `${i % 2},0.5,${-(i % 3)},1,${i % 2}`)];

describe('scenario: nodes that cannot start', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  let fed: TestFederation;
  before(async () => {
    world = await World.start();
    fed = await world.federation();
  });
  afterEach(() => world.test.run());
  after(() => world.stop());

  /** Starts a node that must end by itself, with status 1 and `message` and no trace of a fault of Assay. */
  async function refused(args: readonly string[], message: RegExp, wish: ProcessWish = {}) {
    const { status, stderr } = await startAssay(world, args, wish).ended;
    expect(stderr).to.match(message);
    expect(stderr)
      .to.match(/^error: /)
      .and.not.to.match(/fault of Assay|\n {4}at /);
    expect(status).to.equal(1);
  }

  const transactionsOf = (address: `0x${string}`) =>
    world.connection.publicClient.getTransactionCount({ address, blockTag: 'pending' });

  it('unknown federation: an address without a contract, a contract of another kind, no address', async () => {
    const { folder, address } = await nodeFolder(world, fed);
    const nowhere = '0x00000000000000000000000000000000000000AA';
    const args = nodeArgs(world, fed, folder).map((arg) => (arg === fed.address ? nowhere : arg));
    await refused(['aggregator', ...args], /there is no federation at 0x0+AA on chain 31337[\s\S]*check --federation/);
    expect(await transactionsOf(address)).to.equal(0);
    await expectError(
      () => Federation.at(world.connection, world.factory),
      'UNKNOWN_FEDERATION',
      /a contract of another kind/,
    );
    await expectError(() => Federation.at(world.connection, 'north'), 'FEDERATION_ADDRESS', /Received: north/);
  });

  it('wrong chain id', async () => {
    const { folder } = await nodeFolder(world, fed);
    await refused(
      ['aggregator', ...nodeArgs(world, fed, folder), '--chain-id', '1'],
      /serves another chain\n {2}Expected: chain id 1\n {2}Received: chain id 31337/,
    );
  });

  it('a chain that is not there, and one that accepts and never answers: a clear end after the patience', async () => {
    const { folder } = await nodeFolder(world, fed);
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    world.test.add(() => {
      silent.close();
    });
    for (const port of [9, (silent.address() as AddressInfo).port]) {
      const args = nodeArgs(world, fed, folder, `http://127.0.0.1:${port}`);
      await refused(
        ['aggregator', ...args, '--rpc-patience', '1'],
        // After the patience, not after the longest answer (30 s).
        /the chain at http:\/\/127\.0\.0\.1:\d+ has not answered for 1?\d s[\s\S]*start the node or correct --rpc-url/,
      );
    }
  });

  it('a chain that comes up later is waited for', async () => {
    const proxy = await startProxy(world.chain.url, world.test);
    proxy.cut();
    const own = await world.federation();
    const { folder } = await nodeFolder(world, own);
    const node = startAssay(world, ['aggregator', ...nodeArgs(world, own, folder, proxy.url)]);
    expect((await node.waitFor('note')).text).to.match(/does not answer; waiting for it/);
    proxy.mend();
    await node.waitFor('registered');
    expect(node.lines.map(({ text }) => text).join()).to.match(/answers again/);
    expect((await node.kill('SIGTERM')).status, 'Ctrl-C is a clean end').to.equal(0);
  });

  it('wrong password', async () => {
    const { folder } = await nodeFolder(world, fed);
    await refused(['aggregator', ...nodeArgs(world, fed, folder)], /password/i, { password: 'guess' });
  });

  it('unfunded key', async () => {
    const { folder, address } = await nodeFolder(world, fed, { funded: false });
    await refused(
      ['aggregator', ...nodeArgs(world, fed, folder)],
      /cannot pay the stake and the gas\n {2}Expected: more than 10 ether\n {2}Received: 0 ether[\s\S]*send ether/,
    );
    expect(await transactionsOf(address)).to.equal(0);
  });

  it('not a member', async () => {
    const owner = await world.signer();
    const closed = await world.federation({ members: [owner.account.address] });
    const { folder, address } = await nodeFolder(world, closed);
    await refused(
      ['aggregator', ...nodeArgs(world, closed, folder)],
      new RegExp(`${address} is not a member of the federation[\\s\\S]*addMembers`),
    );
    expect(await transactionsOf(address)).to.equal(0);
  });

  it('stake too low', async () => {
    const { folder, address } = await nodeFolder(world, fed);
    await refused(
      ['aggregator', ...nodeArgs(world, fed, folder), '--stake', '9.5'],
      /stake is too low for an aggregator\n {2}Expected: at least 10 ether\n {2}Received: 9\.5 ether/,
    );
    expect(await transactionsOf(address)).to.equal(0);
  });

  it('gateway port taken; the state folder is free again afterwards', async () => {
    const { folder } = await nodeFolder(world, fed);
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    world.test.add(() => {
      blocker.close();
    });
    const { port } = blocker.address() as AddressInfo;
    await refused(
      ['aggregator', ...nodeArgs(world, fed, folder), '--gateway-port', String(port)],
      new RegExp(`gateway cannot listen on 127\\.0\\.0\\.1:${port}[\\s\\S]*another program listens there`),
    );
    const lock = await openStateFolder(folder, { owner: 'test' });
    await lock.close();
  });

  it('a file where the state folder should be', async () => {
    const { folder } = await nodeFolder(world, fed);
    const file = join(folder, 'file');
    await writeFile(file, '');
    await refused(
      ['aggregator', ...nodeArgs(world, fed, file)],
      /\/file cannot be used\n[\s\S]*To do: {4}choose another path/,
    );
  });

  it('two nodes on one state folder', async () => {
    const { folder } = await nodeFolder(world, fed);
    const first = await openStateFolder(folder, { owner: 'assay client' });
    world.test.add(() => first.close());
    await refused(
      ['aggregator', ...nodeArgs(world, fed, folder)],
      new RegExp(`in use by another node[\\s\\S]*assay client, pid ${process.pid}`),
    );
  });

  it('a CSV with a missing or a non-numeric cell: line and column are named, nothing is half-done', async () => {
    const { folder, address } = await nodeFolder(world, fed);
    await openDesk(world, fed, 'aggregator'); // serves the manifest
    const table = join(folder, 'silo.csv');
    const args = ['client', ...nodeArgs(world, fed, folder), '--dataset', `csv:${table}?label=label`];
    const before = (await readdir(folder)).length;
    for (const [line, message] of [
      ['1,,0,1,1', /line 4 of silo\.csv, column "b": the cell is empty/],
      ['1,0.5,n\\/a,1,1', /line 4 of silo\.csv, column "c": the cell is not a usable number[\s\S]*Received: "n/],
    ] as const) {
      await writeFile(table, [...TABLE.slice(0, 3), line, ...TABLE.slice(3)].join('\n'));
      await refused(args, message);
    }
    expect(await transactionsOf(address)).to.equal(0);
    expect((await readdir(folder)).length, 'only the table is new').to.equal(before + 1);
  });

  it('data that does not fit the model: refused before anything is staked, by a participant and by an aggregator', async () => {
    const { folder, address } = await nodeFolder(world, fed);
    await openDesk(world, fed, 'aggregator'); // serves the manifest
    const table = join(folder, 'silo.csv');
    await writeFile(table, TABLE.join('\n'));
    const dataset = `csv:${table}?label=label&ignore=a`;
    const misfit = /silo\.csv does not fit the federation's model\n.*4 features, 2 classes\n.*3 features, 2 classes/;
    await refused(['client', ...nodeArgs(world, fed, folder), '--dataset', dataset], misfit);
    await refused(['aggregator', ...nodeArgs(world, fed, folder), '--evaluate', dataset], misfit);
    await refused(['aggregator', ...nodeArgs(world, fed, folder), '--evaluate', 'cifar'], /that is not a data set/);
    expect(await transactionsOf(address)).to.equal(0);
  });

  it('NaN in trained weights: refused with the name of the tensor, nothing is committed', async () => {
    const wild = await world.federation({
      changeManifest: (manifest) => ({ ...manifest, training: { ...manifest.training, learningRate: 1e30 } }),
    });
    await startAggregator(world, wild);
    await startParticipant(world, wild);
    await startParticipant(world, wild);
    const { folder, address } = await nodeFolder(world, wild);
    const table = join(folder, 'silo.csv');
    await writeFile(table, TABLE.join('\n'));
    const args = ['client', ...nodeArgs(world, wild, folder), '--dataset', `csv:${table}?label=label`];
    await refused(
      args,
      /of 450 trained weights are not numbers, the first is \w+\/\w+\[[\d, ]+\][\s\S]*lower the learning rate[\s\S]*nothing was sent/,
    );
    expect(await wild.federation.hasCommitted(1, address)).to.equal(false);
    expect(await readdir(folder)).not.to.include('submission.json');
    await until('the others to commit', async () => (await wild.federation.round(1)).committed === 2);
  });
});
