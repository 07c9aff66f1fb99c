/** Payloads that are not what they should be, or do not come: who counts, what the evidence says, what an audit finds. */
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { AggregatorEvent } from '../../aggregator/events.ts';
import { revertName } from '../../chain/revert.ts';
import { parseEvidence } from '../../protocol/round/evidence.ts';
import { diskFileSystem } from '../../storage/atomicFile.ts';
import { fetchPayload } from '../../storage/fetchPayload.ts';
import { openPayloadStore } from '../../storage/payloadStore.ts';
import { peerSource } from '../../storage/sources/gatewaySource.ts';
import { expectError } from '../client/support/expectError.ts';
import {
  commitByHand,
  craftUpdate,
  openDesk,
  type RunningNode,
  runAggregator,
  startAggregator,
  startParticipant,
  untilPhase,
} from './support/inProcess.ts';
import { type TestFederation, until, useWorld, type World } from './support/world.ts';

describe('scenario: payloads that are wrong or do not come', function () {
  this.timeout(60_000);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  /** What the aggregator said it left out, in its event and in the evidence that it published. */
  async function leftOut(aggregator: RunningNode<AggregatorEvent>, round: number) {
    const { excluded } = await aggregator.waitFor('collected', round);
    const { evidenceCid } = await aggregator.waitFor('published', round);
    const evidence = parseEvidence(await aggregator.payloads.store.readAll(evidenceCid));
    return { excluded, evidence };
  }

  async function findings(fed: TestFederation) {
    const report = await world.audit(fed);
    return {
      ok: report.ok,
      kinds: report.findings.map(({ kind, severity, accused }) => ({ kind, severity, accused })),
    };
  }

  it('corrupt on the disk after the commit: its gateway refuses, the aggregator leaves it out as unavailable', async () => {
    const fed = await world.federation({ rounds: 1, aggregateWindow: 8 });
    const victim = await openDesk(world, fed, 'participant');
    await startParticipant(world, fed);
    await startParticipant(world, fed);
    const aggregator = await startAggregator(world, fed);
    await untilPhase(fed, 1, 'commit');
    const committed = await commitByHand(
      victim,
      1,
      craftUpdate(fed, (i) => (i % 7) - 3),
    );
    const path = join(victim.payloads.store.folder, committed.cid);
    const bytes = await readFile(path);
    bytes[100] = bytes[100]! ^ 1;
    await writeFile(path, bytes);
    await committed.reveal();

    const elsewhere = await openPayloadStore(await world.newFolder('stranger'));
    const error = await expectError(
      () => fetchPayload(committed.cid, [peerSource(victim.gateway.url)], { store: elsewhere }),
      'PAYLOAD_UNAVAILABLE',
      /peer http:\/\/127\.0\.0\.1:\d+: PEER_/,
    );
    expect(error.message).to.contain(committed.cid);
    const { excluded, evidence } = await leftOut(aggregator, 1);
    expect(excluded.map(({ participant, reason }) => [participant, reason])).to.deep.equal([
      [victim.signer.account.address, 'unavailable'],
    ]);
    expect(evidence.submissions.map(({ index }) => index)).not.to.include(0);
    expect(evidence.submissions.map(({ index }) => index)).to.deep.equal([1, 2]);
    const audit = await findings(fed);
    expect(audit).to.deep.equal({
      ok: true,
      kinds: [
        {
          kind: 'payloadUnavailable',
          severity: 'misconduct',
          accused: victim.signer.account.address.toLowerCase(),
        },
      ],
    });
  });

  it('wrong length under its own CID, a root of other bytes: everybody leaves both out as invalid', async () => {
    const fed = await world.federation({ participants: 4, rounds: 1, aggregateWindow: 60 });
    const short = await openDesk(world, fed, 'participant');
    const other = await openDesk(world, fed, 'participant');
    await startParticipant(world, fed);
    await startParticipant(world, fed);
    const aggregator = await startAggregator(world, fed);
    await untilPhase(fed, 1, 'commit');
    const whole = craftUpdate(fed, (i) => i % 5);
    const truncated = { ...whole, payload: whole.payload.subarray(0, whole.payload.length - 2) };
    const lied = { ...craftUpdate(fed, (i) => i % 3), payload: craftUpdate(fed, (i) => -(i % 3)).payload };
    const commits = [await commitByHand(short, 1, truncated), await commitByHand(other, 1, lied)];
    for (const { reveal } of commits) await reveal();

    const { excluded, evidence } = await leftOut(aggregator, 1);
    expect(excluded.map(({ reason }) => reason)).to.deep.equal(['invalid', 'invalid']);
    expect(excluded[0]!.detail).to.match(/wrong length[\s\S]*1024 bytes[\s\S]*1022 bytes/);
    expect(excluded[1]!.detail).to.match(/its root is 0x[0-9a-f]{64}, revealed was 0x/);
    expect(evidence.submissions.map(({ index }) => index)).not.to.include.members([0, 1]);
    const accusedOf = ({ signer }: typeof short) => signer.account.address.toLowerCase();
    expect(await findings(fed)).to.deep.equal({
      ok: true,
      kinds: [
        { kind: 'payloadInvalid', severity: 'misconduct', accused: accusedOf(short) },
        { kind: 'commitmentMismatch', severity: 'misconduct', accused: accusedOf(other) },
      ],
    });
  });

  it('a peer that accepts and never answers holds up neither the others nor the turn', async () => {
    const fed = await world.federation({ rounds: 1, aggregateWindow: 9 });
    const silent = await listen(
      createServer(() => undefined),
      world,
    );
    const aggregator = await startAggregator(world, fed);
    await startParticipant(world, fed);
    await startParticipant(world, fed);
    const staller = await openDesk(world, fed, 'participant', { gatewayUrl: silent });
    await untilPhase(fed, 1, 'commit');
    await (
      await commitByHand(
        staller,
        1,
        craftUpdate(fed, (i) => i % 4),
      )
    ).reveal();
    await aggregator.waitFor('published', 1);
    // The gateway's own idle limit (15 s) is longer than the whole turn.
    expect(await fed.federation.events('TurnMissed')).to.deep.equal([]);
    const { excluded } = await leftOut(aggregator, 1);
    expect(excluded.map(({ participant, reason }) => [participant, reason])).to.deep.equal([
      [staller.signer.account.address, 'unavailable'],
    ]);
  });

  it('a payload whose owner is silent is fetched from another member that has it', async () => {
    const fed = await world.federation({ rounds: 1, aggregateWindow: 60 });
    const dead = await listen(
      createServer((request) => request.socket.destroy()),
      world,
    );
    const owner = await openDesk(world, fed, 'participant', { gatewayUrl: dead });
    const friend = await startParticipant(world, fed);
    await startParticipant(world, fed);
    const aggregator = await startAggregator(world, fed);
    await untilPhase(fed, 1, 'commit');
    const update = craftUpdate(fed, (i) => i % 6);
    await friend.payloads.store.put(update.payload);
    await (await commitByHand(owner, 1, update)).reveal();
    const { excluded, evidence } = await leftOut(aggregator, 1);
    expect(excluded).to.deep.equal([]);
    expect(evidence.submissions).to.have.length(3);
  });

  it('a copy of an earlier update is refused at its reveal, and the round goes on without it', async () => {
    const fed = await world.federation({ rounds: 2, revealWindow: 4 });
    const copycat = await openDesk(world, fed, 'participant');
    const victim = await startParticipant(world, fed);
    await startParticipant(world, fed);
    const aggregator = await startAggregator(world, fed);
    await untilPhase(fed, 1, 'commit');
    await (
      await commitByHand(
        copycat,
        1,
        craftUpdate(fed, (i) => i % 9),
      )
    ).reveal();
    const { root, normSq, cid } = await victim.waitFor('stored', 1);
    await untilPhase(fed, 2, 'commit');
    const payload = await victim.payloads.store.readAll(cid);
    const copy = await commitByHand(copycat, 2, { payload, root, normSq });
    await untilPhase(fed, 2, 'reveal');
    const error = await copy.reveal().catch((failure: unknown) => failure);
    expect(revertName(error)).to.equal('RootAlreadyRevealed');
    expect((error as Error).message).to.match(/train again/);
    expect((await aggregator.waitFor('published', 2)).updates).to.equal(2);
    expect((await aggregator.waitFor('penalised', 2)).participant).to.equal(copycat.signer.account.address);
    expect(await findings(fed)).to.deep.equal({ ok: true, kinds: [] });
  });

  it('a full disk ends a participant with a clear message; with space again it goes on, without a lost stake', async () => {
    const fed = await world.federation({ rounds: 2 });
    let full = false;
    const fileSystem: typeof diskFileSystem = {
      ...diskFileSystem,
      open: async (path, flags, mode) => {
        if (full && flags === 'wx') throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
        return diskFileSystem.open(path, flags, mode);
      },
    };
    const signer = await world.signer();
    const first = await startParticipant(world, fed, {
      signer,
      seed: 'full disk',
      store: { fileSystem },
      onTrain: ({ round }) => {
        full = Number(round) === 2;
      },
    });
    await startParticipant(world, fed);
    await startParticipant(world, fed);
    const aggregator = await startAggregator(world, fed);
    const error = await expectError(() => first.ended, 'DISK_FULL', /the disk is full[\s\S]*goes on where it was/);
    expect(error.message).to.contain(first.folder);
    expect((await fed.federation.participant(signer.account.address))?.committedRound).to.equal(1n);
    await first.stop();

    full = false;
    const again = await startParticipant(world, fed, { signer, seed: 'full disk', folder: first.folder });
    await again.waitFor('revealed', 2);
    await aggregator.waitFor('ended');
    expect(aggregator.events.filter(({ type }) => type === 'penalised')).to.deep.equal([]);
    expect((await findings(fed)).ok).to.equal(true);
  });

  it('an aggregator whose own disk lost a payload fetches it again', async () => {
    const fed = await world.federation({ rounds: 1 });
    const desk = await openDesk(world, fed, 'aggregator');
    const late = await openDesk(world, fed, 'participant');
    const early = await startParticipant(world, fed);
    await startParticipant(world, fed);
    const aggregator = runAggregator(world, desk, {
      evaluate: async () => ({ accuracy: 0, loss: 0, samples: 1 }),
    });
    await untilPhase(fed, 1, 'commit');
    const commit = await commitByHand(
      late,
      1,
      craftUpdate(fed, (i) => i % 8),
    );
    const { cid } = await early.waitFor('stored', 1);
    await early.waitFor('revealed', 1);
    await until('the prefetch', () => desk.payloads.store.has(cid));
    await new Promise((resolve) => setTimeout(resolve, 100)); // verified, too
    const path = join(desk.payloads.store.folder, cid);
    const bytes = await readFile(path);
    bytes[0] = bytes[0]! ^ 0x80;
    await writeFile(path, bytes);
    await commit.reveal();
    expect((await aggregator.waitFor('published', 1)).updates).to.equal(3);
    expect((await findings(fed)).ok).to.equal(true);
  });
});

async function listen(server: Server, world: World): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  world.test.add(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
