/** A chain that takes back what it had included: the state folder is then ahead of it. */
import { expect } from 'chai';
import { commitByHand, craftUpdate, openDesk, startParticipant, untilPhase } from './support/inProcess.ts';
import { SLOW_MACHINE_MS, until, useWorld, type World } from './support/world.ts';

describe('scenario: a reorganisation', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  const ask = (method: string, params: readonly unknown[] = []): Promise<unknown> =>
    world.connection.publicClient.request({ method, params } as never);

  it('that takes a reveal back costs no penalty: the node reveals again', async () => {
    const fed = await world.federation({ participants: 2, rounds: 1 });
    await openDesk(world, fed, 'aggregator');
    const other = await openDesk(world, fed, 'participant');
    const node = await startParticipant(world, fed);
    await node.waitFor('committed', 1);
    const before = await ask('evm_snapshot');
    const update = craftUpdate(fed, (i) => i % 5);
    await commitByHand(other, 1, update);
    await node.waitFor('revealed', 1);
    expect(await ask('evm_revert', [before])).to.equal(true);
    expect((await fed.federation.round(1)).phase).to.equal('commit');
    await commitByHand(other, 1, update);
    await untilPhase(fed, 1, 'reveal');
    const reveals = () => node.events.filter(({ type }) => type === 'revealed').length;
    await until('the second reveal', () => reveals() === 2);
    expect(await fed.federation.hasRevealed(1, node.signer.account.address)).to.equal(true);
  });
});
