/** Out of a federation with the stake, by the command that people type. */
import { expect } from 'chai';
import { startAggregator, startParticipant } from './support/inProcess.ts';
import { nodeFolder, startAssay } from './support/processes.ts';
import { ETHER, SLOW_MACHINE_MS, until, useWorld, type World } from './support/world.ts';

describe('scenario: leaving', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  it('the stake stays while it answers for a round that is not final, and comes back whole afterwards', async () => {
    const fed = await world.federation({ rounds: 1, challengeWindow: 3600 });
    const leaver = await nodeFolder(world, fed);
    const aggregator = await startAggregator(world, fed);
    await startParticipant(world, fed, { folder: leaver.folder, signer: leaver.signer });
    for (let i = 0; i < 2; i++) await startParticipant(world, fed);
    await aggregator.waitFor('published', 1);

    const leave = async () => {
      const place = ['--rpc-url', world.chain.url, '--federation', fed.address, '--state', leaver.folder];
      let said = '';
      const run = startAssay(world, ['leave', ...place]);
      run.child.stdout?.on('data', (data: Buffer) => {
        said += data.toString();
      });
      const { status, stderr } = await run.ended;
      return { status, said, stderr };
    };
    const early = await leave();
    expect(early.status, early.stderr).to.equal(0);
    expect(early.said)
      .to.match(/asked to leave in 0x/)
      .and.to.contain('not final yet');
    expect((await fed.federation.participant(leaver.address))?.stake).to.equal(ETHER);

    await world.passDeadline(fed, 1);
    await aggregator.waitFor('finalized', 1);
    const { publicClient } = world.connection;
    const before = await publicClient.getBalance({ address: leaver.address });
    const late = await leave();
    expect(late.status, late.stderr).to.equal(0);
    expect(late.said)
      .to.match(/withdrew 1 ETH in 0x/)
      .and.to.not.contain('asked');
    const gained = (await publicClient.getBalance({ address: leaver.address })) - before;
    expect(gained > (ETHER * 99n) / 100n && gained < ETHER, `${gained} wei`).to.equal(true);
    expect(
      await until('the account is gone', async () => (await fed.federation.participant(leaver.address)) === null),
    ).to.equal(true);

    const again = await leave();
    expect(again.status).to.equal(1);
    expect(again.stderr).to.contain('is no participant of this federation');
  });
});
