/** A chain that went on for long between the last commit and the first reveal: the seed's block hash is out of reach. */
import { expect } from 'chai';
import { ZERO_HASH } from '../../protocol/encoding/bytes.ts';
import { commitByHand, craftUpdate, openDesk, runAggregator, untilPhase } from './support/inProcess.ts';
import { SLOW_MACHINE_MS, useWorld, type World } from './support/world.ts';

describe('scenario: a seed that came too late', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  it('the aggregator has it taken from a newer block, and publishes', async () => {
    const fed = await world.federation({ rounds: 1, participants: 1, revealWindow: 3600 });
    const desk = await openDesk(world, fed, 'aggregator');
    const lone = await openDesk(world, fed, 'participant');
    const update = craftUpdate(fed, (i) => (i % 5) - 2);
    const { reveal } = await commitByHand(lone, 1, update);
    await untilPhase(fed, 1, 'reveal');
    // The EVM knows the hashes of 256 blocks.
    await world.mine(300);
    await reveal();
    expect((await fed.federation.round(1)).seed, 'no hash to take it from').to.equal(ZERO_HASH);
    const aggregator = runAggregator(world, desk);
    const published = await aggregator.waitFor('published', 1);
    expect(published.updates).to.equal(1);
    expect((await fed.federation.round(1)).seed).to.not.equal(ZERO_HASH);
    await aggregator.waitFor('ended');
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });
});
