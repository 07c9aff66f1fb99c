/** How an account joins a federation and stays known in it. */
import { expect } from 'chai';
import { ensureRegistered } from '../../chain/ensureRegistered.ts';
import { expectError } from '../client/support/expectError.ts';
import { ETHER, SLOW_MACHINE_MS, useWorld, type World } from './support/world.ts';

const GATEWAY = 'http://127.0.0.1:4100';

describe('scenario: joining', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  it('with what the federation asks for, or with as much more as was offered', async () => {
    const { federation } = await world.federation();
    for (const [offered, stake] of [
      [undefined, ETHER],
      [3n * ETHER, 3n * ETHER],
    ] as const) {
      const signer = await world.signer();
      const joined = await ensureRegistered(federation, signer, 'participant', GATEWAY, offered);
      expect(joined.stake).to.equal(stake);
      expect(joined.transactions).to.have.length(1);
      expect((await federation.participant(signer.account.address))?.stake).to.equal(stake);
    }
  });

  it('again sends nothing; from another address it announces that one, and only that', async () => {
    const { federation } = await world.federation();
    const signer = await world.signer();
    const { address } = signer.account;
    await ensureRegistered(federation, signer, 'aggregator', GATEWAY);
    const again = await ensureRegistered(federation, signer, 'aggregator', GATEWAY);
    expect(again).to.deep.equal({ transactions: [], gasUsed: null, stake: 10n * ETHER });
    const moved = await ensureRegistered(federation, signer, 'aggregator', 'http://127.0.0.1:4200');
    expect(moved.transactions).to.have.length(1);
    expect((await federation.gateways()).get(address)).to.equal('http://127.0.0.1:4200');
    expect((await federation.aggregator(address))?.stake).to.equal(10n * ETHER);
  });

  it('after asking to leave is refused, and says what can be done', async () => {
    const { federation } = await world.federation();
    const signer = await world.signer();
    await ensureRegistered(federation, signer, 'aggregator', GATEWAY);
    await federation.requestExit(signer, 'aggregator');
    await expectError(
      () => ensureRegistered(federation, signer, 'aggregator', GATEWAY),
      'LEFT',
      /has asked to leave[\s\S]*assay leave/,
    );
  });
});
