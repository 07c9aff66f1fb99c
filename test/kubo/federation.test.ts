/** A federation whose nodes cannot reach each other: every payload goes through one Kubo daemon. */
import { expect } from 'chai';
import { auditFederation } from '../../auditor/auditFederation.ts';
import { payloadCid } from '../../protocol/encoding/cid.ts';
import { openDesk, runAggregator, startParticipant } from '../scenarios/support/inProcess.ts';
import { SLOW_MACHINE_MS, World } from '../scenarios/support/world.ts';
import { findIpfs, type KuboDaemon, startKubo } from './daemon.ts';

/** Nobody listens there: port 1 is reserved. */
const NOWHERE = 'http://127.0.0.1:1';

describe('a federation over a Kubo daemon', function () {
  this.timeout(SLOW_MACHINE_MS);
  let daemon: KuboDaemon | undefined;
  let world: World | undefined;

  before(async function () {
    const binary = findIpfs();
    if (binary === undefined) return this.skip(); // kubo.test.ts says what is missing
    daemon = await startKubo(binary);
    world = await World.start();
  });
  after(async () => {
    await world?.stop();
    await daemon?.stop();
  });

  it('trains, aggregates and audits through the daemon alone', async () => {
    const { rpc, gateway } = daemon!;
    const fed = await world!.federation({ rounds: 2 });
    const wish = { gatewayUrl: NOWHERE, sources: { kuboRpc: rpc } };
    const desk = await openDesk(world!, fed, 'aggregator', wish);
    for (const document of fed.documents) await desk.payloads.share(payloadCid(document));
    const aggregator = runAggregator(world!, desk);
    for (let i = 0; i < 3; i++) await startParticipant(world!, fed, wish);
    await aggregator.waitFor('finalized', 2);

    const through = { rpcUrl: world!.chain.url, federation: fed.address, gateways: [gateway], threads: 1 };
    const report = await auditFederation(through);
    expect(report.findings).to.deep.equal([]);
    expect(report.rounds.map(({ verified, updates }) => [verified, updates])).to.deep.equal([
      ['replayed', 3],
      ['replayed', 3],
    ]);
    const without = await auditFederation({ ...through, gateways: [] });
    expect(without.ok, 'the announced gateways serve nothing').to.equal(false);
  });
});
