/** The commands around a federation: what they refuse or find decides their exit status, which scripts rely on. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { Federation } from '../../chain/federation.ts';
import { expectFields, factsExample, readFacts } from '../docs/factsExamples.ts';
import { startAggregator, startParticipant } from './support/inProcess.ts';
import { nodeFolder, startAssay } from './support/processes.ts';
import { ETHER, SLOW_MACHINE_MS, type TestFederation, useWorld, type World } from './support/world.ts';

describe('scenario: commands', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  /** Runs a command to its end. */
  async function assay(...args: string[]) {
    const run = startAssay(world, args);
    let said = '';
    run.child.stdout?.on('data', (data: Buffer) => {
      said += data.toString();
    });
    return { ...(await run.ended), said };
  }

  const place = (fed: TestFederation) => ['--rpc-url', world.chain.url, '--federation', fed.address];

  /** A federation of two rounds whose aggregator lies in the second; everybody goes on serving. */
  async function liedTo(): Promise<TestFederation> {
    const fed = await world.federation({ rounds: 2, challengeWindow: 1 });
    const aggregator = await startAggregator(world, fed, {
      change: {
        sabotage: (round, model) => {
          if (round === 2) model[300]! += 1;
        },
      },
    });
    for (let i = 0; i < 3; i++) await startParticipant(world, fed);
    await aggregator.waitFor('ended');
    return fed;
  }

  it('audit ends with 1 where a round does not hold, with 0 where those that were asked for do; model gives any round', async () => {
    const fed = await liedTo();
    const all = await assay('audit', ...place(fed), '--threads', '1');
    expect(all.status, all.stderr).to.equal(1);
    expect(all.said).to.contain('modelMismatch').and.to.contain('300');
    for (const scope of [
      ['--round', '1'],
      ['--to', '1'],
    ]) {
      const part = await assay('audit', ...place(fed), '--threads', '1', ...scope);
      expect(part.status, scope.join(' ')).to.equal(0);
    }
    const rest = await assay('audit', ...place(fed), '--threads', '1', '--from', '2');
    expect(rest.status).to.equal(1);

    const out = await world.newFolder('model');
    for (const round of [0, 1, 2]) {
      const facts = join(out, `${round}.json`);
      const fetched = await assay('model', ...place(fed), '--out', out, '--round', String(round), '--json', facts);
      expect(fetched.status, fetched.stderr).to.equal(0);
      const { modelRoot } = JSON.parse(await readFile(facts, 'utf8')) as { modelRoot: string };
      const expected =
        round === 0 ? fed.federation.parameters.genesisModelRoot : (await fed.federation.round(round)).modelRoot;
      expect(modelRoot, `round ${round}`).to.equal(expected);
    }
    const later = await assay('model', ...place(fed), '--out', out, '--round', '3');
    expect(later.status).to.equal(1);
    expect(later.stderr).to.match(/round 3 has no model yet\n {2}Expected: a round from 0 to 2/);
  });

  it('model --final gives the newest model that can not be voided any more', async () => {
    const fed = await world.federation({ rounds: 1, challengeWindow: 3600 });
    const aggregator = await startAggregator(world, fed);
    for (let i = 0; i < 3; i++) await startParticipant(world, fed);
    await aggregator.waitFor('published', 1);
    const out = await world.newFolder('model');
    expect((await assay('model', ...place(fed), '--out', out)).said).to.match(/^round 1, /);
    expect((await assay('model', ...place(fed), '--out', out, '--final')).said).to.match(/^round 0, /);
  });

  it('export ends with 1 and names the payloads that nobody serves', async () => {
    const fed = await world.federation({ rounds: 1 });
    const aggregator = await startAggregator(world, fed);
    const participants = [];
    for (let i = 0; i < 3; i++) participants.push(await startParticipant(world, fed));
    await aggregator.waitFor('ended');
    const out = await world.newFolder('bundle');
    const whole = await assay('export', ...place(fed), '--out', join(out, 'whole.car'));
    expect(whole.status, whole.stderr).to.equal(0);
    expect(whole.said).to.not.contain('missing');
    const { cid } = await participants[0]!.waitFor('stored', 1);
    await participants[0]!.stop();
    await aggregator.stop();
    const part = await assay('export', ...place(fed), '--out', join(out, 'part.car'));
    expect(part.status).to.equal(1);
    expect(part.said).to.contain(`missing: nobody served ${cid}`);
  });

  it('deploy with --member makes a federation that nobody else can join', async () => {
    const signer = await world.signer();
    const member = (await world.signer({ funded: false })).account.address;
    const owner = await nodeFolder(world, await world.federation());
    const facts = join(owner.folder, 'deploy.json');
    const deployed = await assay(
      ...['deploy', '--rpc-url', world.chain.url, '--state', owner.folder, '--factory', world.factory],
      ...['--model', 'mlp', '--features', '4', '--classes', '2', '--hidden', '8', '--rounds', '3'],
      ...['--member', member, '--json', facts],
    );
    expect(deployed.status, deployed.stderr).to.equal(0);
    const { federation: address } = JSON.parse(await readFile(facts, 'utf8')) as { federation: string };
    const federation = await Federation.at(world.connection, address);
    expect(federation.parameters).to.include({ openMembership: false, totalRounds: 3 });
    expect(await federation.isMember(member)).to.equal(true);
    expect(await federation.isMember(signer.account.address)).to.equal(false);
  });

  it('rewards: anybody funds the pool, a final round is paid out of it, who earned withdraws; status shows the rest', async () => {
    const fed = await world.federation({ rounds: 1, roundReward: ETHER, aggregatorShare: 0.25 });
    const sponsor = await nodeFolder(world, fed);
    const north = await nodeFolder(world, fed);
    const as = ({ folder }: typeof north) => [...place(fed), '--state', folder];
    const facts = join(await world.newFolder('facts'), 'facts.json');
    const funded = await assay('rewards', 'fund', ...as(sponsor), '--amount', '1.5', '--json', facts);
    expect(funded.said, funded.stderr).to.match(/added 1\.5 ETH in 0x[0-9a-f]{64}; the pool holds 1\.5 ETH/);
    expectFields(await readFacts(facts), factsExample('rewardsFund'), 'rewards fund');
    const aggregator = await startAggregator(world, fed);
    await startParticipant(world, fed, { folder: north.folder, signer: north.signer });
    for (let i = 0; i < 2; i++) await startParticipant(world, fed);
    await aggregator.waitFor('rewarded', 1);
    await aggregator.waitFor('ended');

    const distributed = await assay('rewards', 'distribute', ...as(sponsor));
    expect(distributed.said, distributed.stderr).to.contain('nothing to distribute');
    const withdrawn = await assay('rewards', 'withdraw', ...as(north), '--json', facts);
    expect(withdrawn.said, withdrawn.stderr).to.match(/withdrew 0\.25 ETH in 0x/);
    expectFields(await readFacts(facts), factsExample('rewardsWithdraw'), 'rewards withdraw');
    expect((await assay('rewards', 'withdraw', ...as(north))).said).to.contain('has nothing to withdraw');
    expect((await assay('status', ...place(fed))).said).to.contain(
      'rewards 1 ETH a round, 25 % of it to the aggregator, 0 % of the rest by contribution; 0.5 ETH in the pool',
    );
    expect((await assay('rewards', 'reclaim', ...as(sponsor))).status, 'the owner only').to.equal(1);
  });
});
