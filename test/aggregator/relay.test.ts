/** A participant without a coin takes part through an aggregator's relay; nobody can misuse the relay. */
import { expect } from 'chai';
import type { AggregatorEvent } from '../../aggregator/events.ts';
import { RelayDesk, type RelayDeskOptions } from '../../aggregator/relay/relayDesk.ts';
import { relayRoute } from '../../aggregator/relay/relayRoute.ts';
import { commitUpdateTypedData, signTypedMessage } from '../../chain/typedData.ts';
import { relaySender } from '../../client/node/relaySender.ts';
import { ownTransactions } from '../../client/node/sender.ts';
import { type Gateway, startGateway } from '../../storage/gateway.ts';
import { type Desk, openDesk, runAggregator, startParticipant, untilPhase } from '../scenarios/support/inProcess.ts';
import { SLOW_MACHINE_MS, type TestFederation, until, useWorld, type World } from '../scenarios/support/world.ts';

describe('aggregator: relay', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  async function openRelay(fed: TestFederation, limits: Partial<RelayDeskOptions> = {}) {
    const desk = await openDesk(world, fed, 'aggregator');
    const events: AggregatorEvent[] = [];
    const report = (event: AggregatorEvent) => void events.push(event);
    const relay = new RelayDesk({ ...desk, report, waitMs: 60, ...limits });
    const gateway = await startGateway({ store: desk.payloads.store, beside: relayRoute(relay) });
    world.test.add(() => gateway.close());
    return { desk, gateway, events };
  }

  /** A registered participant that has spent its last coin. */
  async function penniless(fed: TestFederation, gateway: Gateway, failures: string[] = []) {
    const signer = await world.signer();
    const desk = await openDesk(world, fed, 'participant', { signer });
    await desk.close();
    await spendAll(desk);
    const sender = relaySender({
      url: gateway.url,
      federation: fed.federation,
      signer,
      instead: ownTransactions(fed.federation, signer),
      onFailure: (message) => failures.push(message),
    });
    const { url } = desk.gateway;
    return { wish: { signer, folder: desk.folder, gatewayUrl: url, change: { sender } }, signer, url };
  }

  async function spendAll({ signer }: Desk): Promise<void> {
    const { publicClient } = world.connection;
    const { address } = signer.account;
    const balance = await publicClient.getBalance({ address });
    const gasPrice = 4n * (await publicClient.getGasPrice());
    const hash = await signer.wallet.sendTransaction({
      to: '0x00000000000000000000000000000000000000bb',
      value: balance - 21_000n * gasPrice,
      gas: 21_000n,
      gasPrice,
    });
    await publicClient.waitForTransactionReceipt({ hash });
    expect(await publicClient.getBalance({ address })).to.equal(0n);
  }

  async function post(gateway: Gateway, body: unknown, init: RequestInit = {}) {
    const response = await fetch(`${gateway.url}/relay`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
    });
    return { status: response.status, ...((await response.json()) as { accepted: boolean; reason: string }) };
  }

  it('two participants without a coin commit and reveal in batches; the round is made of their updates', async () => {
    const fed = await world.federation({ participants: 2, rounds: 1 });
    const { gateway, events } = await openRelay(fed);
    const failures: string[] = [];
    const poor = [await penniless(fed, gateway, failures), await penniless(fed, gateway, failures)];
    for (const { wish } of poor) await startParticipant(world, fed, wish);
    await untilPhase(fed, 1, 'aggregate');
    expect(failures).to.deep.equal([]);
    const relayed = await until('four messages to be relayed', () => {
      const batches = events.filter((event) => event.type === 'relayed');
      return batches.reduce((sum, { messages }) => sum + messages, 0) === 4 ? batches : undefined;
    });
    expect(new Set(relayed.map(({ kind }) => kind))).to.deep.equal(new Set(['commit', 'reveal']));
    const reveals = await fed.federation.submissions(await fed.federation.round(1));
    expect(reveals.map(({ participant }) => participant)).to.have.members(
      poor.map(({ signer }) => signer.account.address),
    );
  });

  it('when the relay is away, who has coin sends for itself and who has none waits for it', async () => {
    const fed = await world.federation({ participants: 2, rounds: 1 });
    const { gateway } = await openRelay(fed);
    const failures: string[] = [];
    const poor = await penniless(fed, gateway, failures);
    await gateway.close();
    const rich = await world.signer();
    const sender = relaySender({
      url: gateway.url,
      federation: fed.federation,
      signer: rich,
      instead: ownTransactions(fed.federation, rich),
    });
    await startParticipant(world, fed, { signer: rich, change: { sender } });
    const waiting = await startParticipant(world, fed, poor.wish);
    expect((await waiting.waitFor('waiting')).reason).to.match(/for a relay, since this account has no coin/);
    await until('the commit of who has coin', async () => (await fed.federation.round(1)).committed === 1);
  });

  it('refuses what is no message, what others signed, strangers, and too much of anybody', async () => {
    const fed = await world.federation({ participants: 2, rounds: 1 });
    const { gateway } = await openRelay(fed, { perMinute: 2 });
    const member = await openDesk(world, fed, 'participant');
    const other = await openDesk(world, fed, 'participant');
    const view = await untilPhase(fed, 1, 'open');
    const place = { chainId: fed.federation.connection.chainId, federation: fed.address };
    const sealed = { round: 1n, opening: view.opening, commitHash: `0x${'12'.repeat(32)}` as const };
    const signatureOf = ({ signer }: Desk) => signTypedMessage(signer, commitUpdateTypedData(place, sealed));
    const message = async (from: Desk, by: Desk = from) => ({
      type: 'commit',
      participant: from.signer.account.address,
      ...sealed,
      round: 1,
      signature: await signatureOf(by),
    });

    expect((await post(gateway, '{')).status).to.equal(400);
    expect(await post(gateway, { type: 'commit' })).to.include({ status: 400, accepted: false });
    expect((await post(gateway, {}, { headers: { 'content-type': 'text/plain' } })).status).to.equal(415);
    expect((await post(gateway, `"${'x'.repeat(70_000)}"`)).status).to.equal(413);
    expect((await post(gateway, '', { method: 'PUT' })).status).to.equal(405);

    expect(await post(gateway, await message(member, other))).to.include({ status: 409, reason: 'BadSignature' });
    const stranger = { ...member, signer: await world.signer() };
    expect(await post(gateway, await message(stranger))).to.include({ status: 409, reason: 'NotRegistered' });

    expect(await post(gateway, await message(member))).to.include({ status: 200, accepted: true });
    expect(await fed.federation.hasCommitted(1, member.signer.account.address)).to.equal(true);
    expect(await post(gateway, await message(member))).to.include({ status: 409, reason: 'AlreadyCommitted' });
    expect(await post(gateway, await message(member))).to.include({ status: 429, reason: 'RATE_LIMIT' });
    // Whose share is used up is nobody else's business.
    expect(await post(gateway, await message(other))).to.include({ status: 200, accepted: true });
  });

  it('says whom it serves, and goes on serving payloads', async () => {
    const fed = await world.federation({ participants: 2, rounds: 1 });
    const { desk, gateway } = await openRelay(fed);
    const described = await (await fetch(`${gateway.url}/relay`)).json();
    expect(described).to.deep.equal({
      federation: fed.address,
      chainId: fed.federation.connection.chainId,
      account: desk.signer.account.address,
    });
    const { cid } = await desk.payloads.store.put(Uint8Array.of(1, 2, 3));
    const block = await fetch(`${gateway.url}/ipfs/${cid}?format=raw`);
    expect([...new Uint8Array(await block.arrayBuffer())]).to.deep.equal([1, 2, 3]);
  });

  it('answers to challenges go through it, too, and the relay is paid the bond', async () => {
    const fed = await world.federation({ participants: 2, rounds: 1, answerWindow: 20, aggregateWindow: 20 });
    const { desk, gateway, events } = await openRelay(fed);
    const poor = await penniless(fed, gateway);
    const dark = await startParticipant(world, fed, { ...poor.wish, gatewayUrl: poor.url });
    await startParticipant(world, fed);
    const aggregator = runAggregator(world, desk);
    await aggregator.waitFor('published', 1);
    await dark.waitFor('answered', 1);
    expect(events.some((event) => event.type === 'relayed' && event.kind === 'answer')).to.equal(true);
    const paid = await fed.federation.events('ChallengeAnswered');
    expect(new Set(paid.map(({ args }) => args.payee))).to.deep.equal(new Set([desk.signer.account.address]));
  });
});
