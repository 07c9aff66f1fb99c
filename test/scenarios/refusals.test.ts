/** What the contract refuses a running participant is said once, and the node goes on serving its payloads. */
import { expect } from 'chai';
import { parseLoneAttack } from '../../client/attacks/registry.ts';
import type { ParticipantContext } from '../../client/node/context.ts';
import type { ParticipantEvent } from '../../client/node/events.ts';
import { participate } from '../../client/node/participate.ts';
import type { TrainTask } from '../../client/training/trainer.ts';
import { fetchPayload } from '../../storage/fetchPayload.ts';
import { openPayloadStore } from '../../storage/payloadStore.ts';
import { peerSource } from '../../storage/sources/gatewaySource.ts';
import { openDesk, startAggregator, startParticipant, untilRevealed } from './support/inProcess.ts';
import { standInTrainer } from './support/standInTrainer.ts';
import { ETHER, SLOW_MACHINE_MS, type TestFederation, until, useWorld, type World } from './support/world.ts';

describe('scenario: a participant that the contract refuses', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  /**
   * A participant's work on a desk that is registered already; `change` makes it somebody particular, and `last` is the
   * event after which it does nothing more.
   */
  function work(
    fed: TestFederation,
    desk: Awaited<ReturnType<typeof openDesk>>,
    change: Partial<ParticipantContext> = {},
    last?: ParticipantEvent['type'],
  ) {
    const events: ParticipantEvent[] = [];
    const controller = new AbortController();
    const ended = participate({
      ...desk,
      manifest: fed.manifest,
      trainer: standInTrainer(desk.federation.parameters.dimension),
      seed: desk.signer.account.address,
      report: (event) => {
        events.push(event);
        if (event.type === last) controller.abort();
      },
      signal: controller.signal,
      pollMs: 40,
      ...change,
    });
    ended.catch(() => undefined);
    world.test.add(async () => {
      controller.abort();
      await ended;
    });
    const seen = (type: ParticipantEvent['type']) =>
      until(
        () => `${type}; seen ${events.map((event) => event.type)}`,
        () => events.find((event) => event.type === type),
      );
    return { events, ended, seen };
  }

  /**
   * A participant that trains for that round when it is let go: the round waits for what a refused node has to say. On a
   * busy machine it would be over before that.
   */
  async function startPatient(fed: TestFederation, round: number): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const onTrain = async (task: TrainTask) => {
      if (Number(task.round) === round) await promise;
    };
    await startParticipant(world, fed, { onTrain });
    world.test.add(resolve);
    return resolve;
  }

  it('with too little stake after a penalty: it says so once, stays, and the federation goes on without it', async () => {
    const fed = await world.federation({ rounds: 3 });
    const aggregator = await startAggregator(world, fed);
    const desk = await openDesk(world, fed, 'participant');
    await startParticipant(world, fed);
    const letGo = await startPatient(fed, 3);
    const first = work(fed, desk, {}, 'committed');
    await first.ended;
    await untilRevealed(fed, 1, 2);
    await world.passDeadline(fed, 1);
    await aggregator.waitFor('penalised', 1);

    const second = work(fed, desk);
    await second.seen('waiting');
    letGo();
    await aggregator.waitFor('ended');
    await second.ended;
    const told = second.events.filter((event) => event.type === 'waiting');
    expect(told.map((event) => event.reason)).to.deep.equal([
      'for a stake that suffices: a penalty was charged; start this node again and it tops up',
    ]);
    expect((await fed.federation.participant(desk.signer.account.address))?.stake).to.equal(ETHER - ETHER / 10n);

    const [stored] = first.events.filter((event) => event.type === 'stored');
    const store = await openPayloadStore(await world.newFolder('stranger'));
    await fetchPayload(stored!.cid, [peerSource(desk.gateway.url)], { store });
    expect(await store.has(stored!.cid), 'it still serves its payloads').to.equal(true);
  });

  it('with an update that somebody revealed before: it does not count, and costs a penalty but no stake', async () => {
    const fed = await world.federation({ rounds: 2 });
    const aggregator = await startAggregator(world, fed);
    // Two silos that learn nothing in round 1 send the same zeros then.
    const idle = (step: number) => ({
      trainer: {
        ...standInTrainer(fed.federation.parameters.dimension),
        train: async (task: { weights: Float32Array; round: number | bigint }) => {
          const weights = task.weights.slice();
          if (Number(task.round) > 1) weights[0]! += step;
          return { weights, memory: {}, samples: 1, steps: 1, loss: 0, accuracy: 0, seconds: 0 };
        },
      },
    });
    const desks = [await openDesk(world, fed, 'participant'), await openDesk(world, fed, 'participant')];
    const letGo = await startPatient(fed, 2);
    const idlers = desks.map((desk, i) => work(fed, desk, idle((i + 1) / 64)));
    await aggregator.waitFor('published', 1);
    const { participant } = await aggregator.waitFor('copyVoided', 1);
    const copy = desks.findIndex(({ signer }) => signer.account.address === participant);
    expect((await aggregator.waitFor('published', 1)).updates).to.equal(2);
    const stakes = await Promise.all(
      desks.map(async ({ signer }) => (await fed.federation.participant(signer.account.address))?.stake),
    );
    expect(stakes.with(copy, 0n)).to.deep.equal([ETHER, ETHER].with(copy, 0n));
    expect(stakes[copy]).to.equal((9n * ETHER) / 10n);
    const [charged] = await fed.federation.events('Slashed');
    expect(charged?.args).to.include({ account: participant, amount: ETHER / 10n, burned: ETHER / 10n, reward: 0n });
    await idlers[copy]!.seen('waiting');
    letGo();
    await aggregator.waitFor('published', 2);
    expect((await world.audit(fed)).ok).to.equal(true);
  });

  it('beyond the norm bound (the largest int16, the bytes of NaN): it says so once, owes the penalty, the round goes on', async () => {
    const fed = await world.federation({ rounds: 1, participants: 4 });
    const aggregator = await startAggregator(world, fed);
    for (let i = 0; i < 2; i++) await startParticipant(world, fed);
    const attackers = [];
    for (const name of ['overflow', 'notANumber']) {
      attackers.push(await startParticipant(world, fed, { change: { attack: parseLoneAttack(name) } }));
    }
    for (const { waitFor } of attackers) {
      expect(await waitFor('refused', 1)).to.deep.equal({ type: 'refused', round: 1, reason: 'NormAboveBound' });
    }
    await untilRevealed(fed, 1, 2);
    await world.passDeadline(fed, 1);
    expect((await aggregator.waitFor('published', 1)).updates).to.equal(2);
    await aggregator.waitFor('ended');
    const charged = aggregator.events.flatMap((event) => (event.type === 'penalised' ? [event.participant] : []));
    expect(charged.sort()).to.deep.equal(attackers.map(({ signer }) => signer.account.address).sort());
    for (const { ended, events } of attackers) {
      await ended;
      expect(events.filter(({ type }) => type === 'refused')).to.have.length(1);
    }
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });

  it('a copycat: the update of the round before, fetched from its owner, is taken out; without a bound the largest int16 count', async () => {
    const fed = await world.federation({ rounds: 2, normBound: 'none' });
    const aggregator = await startAggregator(world, fed);
    await startParticipant(world, fed);
    await startParticipant(world, fed, { change: { attack: parseLoneAttack('overflow') } });
    const copycat = await startParticipant(world, fed, { change: { attack: parseLoneAttack('copycat') } });
    expect((await aggregator.waitFor('published', 1)).updates).to.equal(3);
    expect((await aggregator.waitFor('copyVoided', 2)).participant).to.equal(copycat.signer.account.address);
    const reveals = (await fed.federation.events('UpdateRevealed')).map(({ args }) => args);
    const stolen = reveals.find(
      ({ round, participant }) => round === 2n && participant === copycat.signer.account.address,
    );
    const earlier = reveals.filter(({ round }) => round === 1n).map(({ root }) => root);
    expect(earlier).to.include(stolen!.root);
    expect((await aggregator.waitFor('published', 2)).updates).to.equal(2);
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });
});
