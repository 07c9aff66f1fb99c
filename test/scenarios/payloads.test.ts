/** Payloads that are not what they should be, or do not come: who counts, what the evidence says, what an audit finds. */
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { AggregatorEvent } from '../../aggregator/events.ts';
import { PROOF_KINDS } from '../../protocol/dispute/fraudProof.ts';
import { parseEvidence } from '../../protocol/round/evidence.ts';
import { diskFileSystem } from '../../storage/atomicFile.ts';
import { fetchPayload } from '../../storage/fetchPayload.ts';
import { openPayloadStore } from '../../storage/payloadStore.ts';
import { peerSource } from '../../storage/sources/gatewaySource.ts';
import { expectError } from '../client/support/expectError.ts';
import {
  commitByHand,
  craftUpdate,
  type Desk,
  openDesk,
  type RunningNode,
  runAggregator,
  startAggregator,
  startParticipant,
  untilHeld,
  untilPhase,
} from './support/inProcess.ts';
import { ETHER, SLOW_MACHINE_MS, type TestFederation, until, useWorld, type World } from './support/world.ts';

describe('scenario: payloads that are wrong or do not come', function () {
  this.timeout(SLOW_MACHINE_MS);
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

  /** Who was slashed for what, and who had asked. */
  async function slashes(fed: TestFederation) {
    const events = await fed.federation.events('Slashed');
    return events.map(({ args }) => [args.account, PROOF_KINDS[args.proof], args.amount, args.challenger]);
  }

  async function findings(fed: TestFederation) {
    const report = await world.audit(fed);
    return {
      ok: report.ok,
      kinds: report.findings.map(({ kind, severity, accused }) => ({ kind, severity, accused })),
    };
  }

  /** Ends the share of the turn in which an aggregator waits for payloads that do not come. */
  async function passPatience(fed: TestFederation) {
    await untilPhase(fed, 1, 'aggregate');
    await world.passTime(fed.federation.parameters.aggregateWindowSeconds / 2);
  }

  /** The aggregator asks each of them on the chain, nobody answers, and the round goes on without them. */
  async function expectSilenceToCost(fed: TestFederation, aggregator: RunningNode<AggregatorEvent>, silent: Desk[]) {
    // Whenever something is asked, the time for its answer passes. A turn begins anew with the end of that time.
    await until('the round without them', async () => {
      const times = aggregator.events.flatMap((event) => (event.type === 'challenged' ? [event.answerBy] : []));
      const left = Math.max(0, ...times) - (await fed.federation.chainTime());
      if (left > 0) await world.passTime(left);
      return aggregator.events.some(({ type }) => type === 'published');
    });
    const { updates } = await aggregator.waitFor('published', 1);
    expect(updates).to.equal(fed.federation.parameters.minParticipants - silent.length);
    const asked = aggregator.events.flatMap((event) => (event.type === 'challenged' ? [event.participant] : []));
    const accounts = silent.map(({ signer }) => signer.account.address);
    expect(asked).to.have.members(accounts);
    const asker = aggregator.signer.account.address;
    expect(await slashes(fed)).to.have.deep.members(accounts.map((account) => [account, 'unavailable', ETHER, asker]));
    expect(await fed.federation.events('TurnMissed')).to.deep.equal([]);
  }

  it('corrupt on the disk after the commit: its gateway refuses; asked on the chain its owner is silent, and pays', async () => {
    const fed = await world.federation({ rounds: 1 });
    const victim = await openDesk(world, fed, 'participant');
    const honest = [await startParticipant(world, fed), await startParticipant(world, fed)];
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
    await untilHeld(fed, aggregator, 1, honest);
    await committed.reveal();

    const elsewhere = await openPayloadStore(await world.newFolder('stranger'));
    const error = await expectError(
      () => fetchPayload(committed.cid, [peerSource(victim.gateway.url)], { store: elsewhere }),
      'PAYLOAD_UNAVAILABLE',
      /peer http:\/\/127\.0\.0\.1:\d+: PEER_/,
    );
    expect(error.message).to.contain(committed.cid);
    await passPatience(fed);
    await expectSilenceToCost(fed, aggregator, [victim]);
    const { evidence } = await leftOut(aggregator, 1);
    expect(evidence.submissions.map(({ index }) => index)).to.deep.equal([1, 2]);
    expect(await findings(fed)).to.deep.equal({ ok: true, kinds: [] });
  });

  it('wrong length under its own CID, a root of other bytes: their owners cannot answer for what they committed to', async () => {
    const fed = await world.federation({ participants: 4, rounds: 1 });
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

    const { excluded } = await aggregator.waitFor('collected', 1);
    const details = new Map(excluded.map(({ participant, detail }) => [participant, detail]));
    expect(details.get(short.signer.account.address)).to.match(/wrong length[\s\S]*1024 bytes[\s\S]*1022 bytes/);
    expect(details.get(other.signer.account.address)).to.match(/its root is 0x[0-9a-f]{64}, revealed was 0x/);
    await expectSilenceToCost(fed, aggregator, [short, other]);
    expect(await findings(fed)).to.deep.equal({ ok: true, kinds: [] });
  });

  it('a peer that accepts and never answers holds up neither the others nor the turn', async () => {
    const fed = await world.federation({ rounds: 1, aggregateWindow: 30 });
    const silent = await listen(
      createServer(() => undefined),
      world,
    );
    const aggregator = await startAggregator(world, fed);
    const honest = [await startParticipant(world, fed), await startParticipant(world, fed)];
    const staller = await openDesk(world, fed, 'participant', { gatewayUrl: silent });
    await untilPhase(fed, 1, 'commit');
    await (
      await commitByHand(
        staller,
        1,
        craftUpdate(fed, (i) => i % 4),
      )
    ).reveal();
    await untilHeld(fed, aggregator, 1, honest);
    // The gateway's own idle limit (15 s) is longer than its share of the turn (12 s).
    await expectSilenceToCost(fed, aggregator, [staller]);
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

  it('a copy of an earlier update is taken out before the round is aggregated, and its owner pays', async () => {
    const fed = await world.federation({ rounds: 2 });
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
    await (await commitByHand(copycat, 2, { payload, root, normSq })).reveal();
    expect((await aggregator.waitFor('copyVoided', 2)).participant).to.equal(copycat.signer.account.address);
    expect((await aggregator.waitFor('published', 2)).updates).to.equal(2);
    const poorer = await fed.federation.participant(copycat.signer.account.address);
    expect(poorer?.stake).to.equal((9n * ETHER) / 10n);
    const asker = aggregator.signer.account.address;
    expect(await slashes(fed)).to.deep.equal([
      [copycat.signer.account.address, 'copiedUpdate', ETHER / 10n, asker], // a penalty: all of it burned
    ]);
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
