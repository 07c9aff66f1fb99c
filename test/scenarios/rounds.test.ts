/** Nodes that do not do their part, and chains that go away: the federation goes on, and somebody pays for it. */
import { expect } from 'chai';
import { generatePrivateKey } from 'viem/accounts';
import { connect, signerOf } from '../../chain/rpc.ts';
import { cidToBytes } from '../../protocol/encoding/cid.ts';
import { parseEvidence } from '../../protocol/round/evidence.ts';
import { expectError } from '../client/support/expectError.ts';
import {
  commitByHand,
  craftUpdate,
  openDesk,
  runAggregator,
  startAggregator,
  startParticipant,
  untilHeld,
  untilPhase,
  untilRevealed,
} from './support/inProcess.ts';
import { startProxy } from './support/proxy.ts';
import { ETHER, SLOW_MACHINE_MS, until, useWorld, type World } from './support/world.ts';

const BURN_ADDRESS = '0x000000000000000000000000000000000000dEaD';

describe('scenario: rounds that do not go as planned', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  const burned = () => world.connection.publicClient.getBalance({ address: BURN_ADDRESS });

  it('a model whose CID and root disagree is trained on by nobody, and the audit accuses who published it', async () => {
    const fed = await world.federation({ rounds: 2 });
    const liar = await openDesk(world, fed, 'aggregator');
    const participants = [];
    for (let i = 0; i < 3; i++) participants.push(await startParticipant(world, fed));
    await untilPhase(fed, 1, 'aggregate');
    // Publishes the right numbers under the CID of other bytes of the right length: the first model's.
    const working = runAggregator(world, liar, {
      federation: Object.create(fed.federation, {
        publishRound: {
          value: (...[signer, round, publication]: Parameters<typeof fed.federation.publishRound>) =>
            fed.federation.publishRound(signer, round, {
              ...publication,
              modelCid: fed.federation.parameters.genesisModelCid,
            }),
        },
      }) as typeof fed.federation,
    });
    await working.waitFor('published', 1);
    for (const participant of participants) {
      const refused = await participant.waitFor('modelRefused', 2);
      expect(refused.message).to.contain('is not the model of the published root').and.to.contain('Expected: root 0x');
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    const after = await fed.federation.round(2);
    expect(after.phase, 'nobody committed to an update of that model').to.equal('open');
    for (const participant of participants) {
      expect(participant.events.filter(({ type }) => type === 'modelRefused')).to.have.length(1);
      expect(participant.events.filter((event) => event.type === 'trained' && event.round === 2)).to.deep.equal([]);
    }
    const report = await world.audit(fed);
    expect(report.ok).to.equal(false);
    expect(report.findings.map(({ kind, round, accused }) => ({ kind, round, accused }))).to.deep.include({
      kind: 'modelPayloadMismatch',
      round: 1,
      accused: liar.signer.account.address.toLowerCase(),
    });
  });

  it('an aggregator that never publishes: the next one takes its turn, the penalty is burned', async () => {
    const fed = await world.federation({ rounds: 1 });
    const idle = await openDesk(world, fed, 'aggregator');
    const next = await startAggregator(world, fed);
    for (let i = 0; i < 3; i++) await startParticipant(world, fed);
    await untilPhase(fed, 1, 'aggregate');
    expect((await fed.federation.round(1)).leader).to.equal(idle.signer.account.address);
    const burnedBefore = await burned();
    await world.passDeadline(fed, 1);
    const published = await next.waitFor('published', 1);
    expect(published.turn).to.equal(1);
    expect((await burned()) - burnedBefore).to.equal(ETHER / 5n);
    const stakeOf = async (desk: typeof idle) => (await fed.federation.aggregator(desk.signer.account.address))?.stake;
    expect(await stakeOf(idle)).to.equal(10n * ETHER - ETHER / 5n);
    expect(await stakeOf(next)).to.equal(10n * ETHER);
    await next.waitFor('ended');
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });

  it('an aggregator that is dead and alone: one that joined for the next round does this one, and the stakes come free', async () => {
    const fed = await world.federation({ rounds: 1 });
    const dead = await openDesk(world, fed, 'aggregator');
    for (let i = 0; i < 3; i++) await startParticipant(world, fed);
    await untilPhase(fed, 1, 'aggregate');
    const standby = await startAggregator(world, fed);
    await standby.waitFor('roundOpened', 1); // it has seen whose turn it is
    await world.passDeadline(fed, 1);
    await standby.waitFor('published', 1);
    expect((await fed.federation.round(1)).aggregator).to.not.equal(dead.signer.account.address);
    await standby.waitFor('ended');
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });

  it('a commit without a reveal: the round goes on, the penalty is burned; who owes it joins again by topping up', async () => {
    const fed = await world.federation({ rounds: 3 });
    const aggregator = await startAggregator(world, fed);
    const late = await startParticipant(world, fed);
    const signer = await world.signer();
    const silent = await openDesk(world, fed, 'participant', { signer });
    await startParticipant(world, fed);
    await untilPhase(fed, 1, 'commit');
    const burnedBefore = await burned();
    await commitByHand(
      silent,
      1,
      craftUpdate(fed, (i) => i % 3),
    );
    await untilRevealed(fed, 1, 2);
    await world.passDeadline(fed, 1);
    await aggregator.waitFor('penalised', 1);
    expect((await aggregator.waitFor('published', 1)).updates).to.equal(2);
    expect((await burned()) - burnedBefore).to.equal(ETHER / 10n);
    const poorer = await fed.federation.participant(signer.account.address);
    expect(poorer).to.include({ stake: ETHER - ETHER / 10n, active: false });
    await late.waitFor('revealed', 2);
    await silent.close();

    const again = await startParticipant(world, fed, { signer, folder: silent.folder });
    expect(await fed.federation.participant(signer.account.address)).to.include({ stake: ETHER, active: true });
    await aggregator.waitFor('ended');
    await again.ended;
    const charges = aggregator.events.filter(({ type }) => type === 'penalised');
    expect(charges).to.have.length(1);
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });

  it('a node that owes a reveal settles it when it starts again, before anybody charged it', async () => {
    const fed = await world.federation({ rounds: 3, participants: 3 });
    const aggregator = await openDesk(world, fed, 'aggregator');
    const signer = await world.signer();
    const silent = await openDesk(world, fed, 'participant', { signer });
    await startParticipant(world, fed);
    await startParticipant(world, fed);
    await untilPhase(fed, 1, 'commit');
    await commitByHand(
      silent,
      1,
      craftUpdate(fed, (i) => i % 3),
    );
    await untilRevealed(fed, 1, 2);
    await world.passDeadline(fed, 1);
    await untilPhase(fed, 1, 'aggregate');
    await silent.close();
    const again = await startParticipant(world, fed, { signer, folder: silent.folder });
    const record = await fed.federation.participant(signer.account.address);
    expect(record).to.include({ stake: ETHER, active: true });
    expect(await fed.federation.events('RevealMissed')).to.have.length(1);
    const working = runAggregator(world, aggregator);
    await again.waitFor('revealed', 2);
    expect((await working.waitFor('published', 2)).updates).to.equal(3);
    expect(working.events.filter(({ type }) => type === 'penalised')).to.deep.equal([]);
  });

  it('too few reveals: the round is abandoned, its debtor pays, the next one opens from the same model', async () => {
    const fed = await world.federation({ rounds: 2, minUpdates: 3 });
    const aggregator = await startAggregator(world, fed);
    const signer = await world.signer();
    const silent = await openDesk(world, fed, 'participant', { signer });
    const honest = [await startParticipant(world, fed), await startParticipant(world, fed)];
    const opened = await untilPhase(fed, 1, 'commit');
    await commitByHand(
      silent,
      1,
      craftUpdate(fed, (i) => i % 3),
    );
    await untilRevealed(fed, 1, 2);
    await world.passDeadline(fed, 1);
    await aggregator.waitFor('abandoned', 1);
    expect((await fed.federation.round(1)).phase).to.equal('abandoned');
    expect((await fed.federation.round(2)).baseModelRoot).to.equal(opened.baseModelRoot);
    await aggregator.waitFor('penalised', 1);
    await silent.close();
    await until('the others to commit', async () => (await fed.federation.round(2)).committed === 2);
    await startParticipant(world, fed, { signer, folder: silent.folder });
    await world.passDeadline(fed, 2); // too few commits: a window more, for everybody who is there now
    expect((await aggregator.waitFor('published', 2)).updates).to.equal(3);
    await Promise.all([aggregator.waitFor('ended'), ...honest.map(({ ended }) => ended)]);
    expect(aggregator.events.filter(({ type }) => type === 'abandoned')).to.have.length(1);
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });

  it('a last round that is abandoned ends every node, and costs its aggregator one transaction', async () => {
    const fed = await world.federation({ rounds: 2, minUpdates: 3, challengeWindow: 3600 });
    const aggregator = await startAggregator(world, fed);
    const silent = await openDesk(world, fed, 'participant');
    const honest = [await startParticipant(world, fed), await startParticipant(world, fed)];
    await untilPhase(fed, 1, 'commit');
    await (
      await commitByHand(
        silent,
        1,
        craftUpdate(fed, (i) => i % 3),
      )
    ).reveal();
    await aggregator.waitFor('published', 1);
    await untilPhase(fed, 2, 'commit');
    await commitByHand(
      silent,
      2,
      craftUpdate(fed, (i) => i % 4),
    );
    await untilRevealed(fed, 2, 2);
    await world.passDeadline(fed, 2);
    await aggregator.waitFor('abandoned', 2);
    const nonce = () =>
      world.connection.publicClient.getTransactionCount({ address: aggregator.signer.account.address });
    await aggregator.waitFor('penalised', 2);
    const before = await nonce();
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(await nonce(), 'transactions while it waits for finality').to.equal(before);
    await world.passDeadline(fed, 1);
    await Promise.all([aggregator.waitFor('ended'), ...honest.map(({ ended }) => ended)]);
    expect(await fed.federation.lastFinalRound()).to.equal(2);
  });

  it('a payload that comes after it was asked for on the chain counts: the aggregator answers for it, nobody is slashed', async () => {
    const fed = await world.federation({
      rule: 'median',
      byzantine: 1,
      rounds: 1,
      answerWindow: 120,
    });
    const aggregator = await startAggregator(world, fed);
    const honest = [await startParticipant(world, fed), await startParticipant(world, fed)];
    const away = await openDesk(world, fed, 'participant', { gatewayUrl: 'http://127.0.0.1:9' });
    await untilPhase(fed, 1, 'commit');
    const update = craftUpdate(fed, (i) => i % 3);
    const { reveal } = await commitByHand(away, 1, update);
    await untilHeld(fed, aggregator, 1, honest);
    await reveal();
    await world.passTime(fed.federation.parameters.aggregateWindowSeconds / 2);
    expect((await aggregator.waitFor('challenged', 1)).participant).to.equal(away.signer.account.address);
    await fed.federation.setGateway(away.signer, away.gateway.url);
    expect((await aggregator.waitFor('published', 1)).updates).to.equal(3);
    await aggregator.waitFor('answered', 1);
    expect(await fed.federation.events('Slashed')).to.deep.equal([]);
  });

  it('FedAvgM over several rounds and two aggregators audits clean; its server state travels through the evidence', async () => {
    const fed = await world.federation({
      rule: 'nnm+trimmed-mean',
      byzantine: 1,
      participants: 4,
      rounds: 3,
      server: 'fedAvgM',
      serverLearningRate: 0.75,
      serverMomentum: 0.9,
    });
    const aggregators = [await startAggregator(world, fed), await startAggregator(world, fed)];
    for (let i = 0; i < 4; i++) await startParticipant(world, fed);
    await Promise.all(aggregators.map((aggregator) => aggregator.waitFor('ended')));
    const published = aggregators.map(({ events }) => events.filter(({ type }) => type === 'published').length);
    expect(published, 'they took turns').to.deep.equal([2, 1]);
    const location = await fed.federation.locateModel((await fed.federation.round(3)).modelRoot);
    const store = aggregators[0]!.payloads.store;
    const evidence = parseEvidence(await store.readAll(location.evidenceCid!));
    expect(evidence.stateCid).to.match(/^bafk/);
    expect(evidence.stateRoot).to.equal(location.stateRoot);
    const report = await world.audit(fed);
    expect(report.findings).to.deep.equal([]);
    expect(report.rounds.map(({ verified }) => verified)).to.deep.equal(['replayed', 'replayed', 'replayed']);
  });

  it('an aggregator that cannot reach the server state waits for it instead of giving up', async () => {
    const fed = await world.federation({ rounds: 2, server: 'fedAvgM', serverMomentum: 0.5 });
    const first = await startAggregator(world, fed);
    const second = await startAggregator(world, fed);
    for (let i = 0; i < 3; i++) {
      await startParticipant(world, fed, {
        onTrain: async ({ round }) => {
          // The model of round 1 is here; now its publisher goes away, and with it the server state.
          if (Number(round) === 2) await first.stop();
        },
      });
    }
    const waiting = await second.waitFor('waiting');
    expect(waiting.reason).to.match(/round 2, which cannot be published now: no source gave the payload/);
    const state = parseEvidence(await first.payloads.store.readAll((await first.waitFor('published', 1)).evidenceCid));
    await openDesk(world, fed, 'aggregator', { signer: first.signer, folder: first.folder });
    expect(cidToBytes(state.stateCid!)).to.have.length(36);
    await second.waitFor('published', 2);
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });

  it('a chain that cannot be reached for a while: every node says so once, waits, and goes on', async () => {
    const proxy = await startProxy(world.chain.url, world.test);
    const fed = await world.federation({ rounds: 3 });
    const messages: string[] = [];
    const connection = await connect({
      rpcUrl: proxy.url,
      patienceSeconds: 20,
      onConnection: (message) => messages.push(message),
    });
    const aggregator = await startAggregator(world, fed, { connection });
    const participants = [];
    for (let i = 0; i < 3; i++) participants.push(await startParticipant(world, fed, { connection }));
    await aggregator.waitFor('published', 1);
    proxy.cut();
    await until('a word about the outage', () => messages.some((text) => /does not answer; waiting/.test(text)));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    proxy.mend();
    await Promise.all([aggregator.waitFor('ended'), ...participants.map(({ ended }) => ended)]);
    expect(messages.some((text) => /answers again/.test(text))).to.equal(true);
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });

  it('an answer that is lost on its way: a transaction that the chain took is not sent again, nor given up', async () => {
    const proxy = await startProxy(world.chain.url, world.test);
    const fed = await world.federation({ rounds: 2 });
    const connection = await connect({ rpcUrl: proxy.url, patienceSeconds: 20 });
    // Every transaction's first answer is swallowed after the chain has taken the transaction.
    const lost = new Set<string>();
    proxy.swallowAnswers((method, params) => {
      if (method !== 'eth_sendRawTransaction' || lost.has(params)) return false;
      lost.add(params);
      return true;
    });
    const aggregator = await startAggregator(world, fed, { connection });
    const participants = [];
    for (let i = 0; i < 3; i++) participants.push(await startParticipant(world, fed, { connection }));
    await Promise.all([aggregator.waitFor('ended'), ...participants.map(({ ended }) => ended)]);
    expect(lost.size).to.be.greaterThan(10);
    for (const { signer } of participants) {
      const commits = await fed.federation.events('UpdateCommitted', { participant: signer.account.address });
      expect(commits.map(({ args }) => Number(args.round))).to.deep.equal([1, 2]);
    }
    expect((await world.audit(fed)).findings).to.deep.equal([]);
  });

  it('a chain that stays away: one clear end after the patience, and a restart goes on', async () => {
    const proxy = await startProxy(world.chain.url, world.test);
    const fed = await world.federation({ rounds: 2 });
    const connection = await connect({ rpcUrl: proxy.url, patienceSeconds: 10 });
    const privateKey = generatePrivateKey();
    const signer = await world.signer({ privateKey, connection });
    const aggregator = await startAggregator(world, fed);
    const first = await startParticipant(world, fed, { signer, seed: 'cut', connection });
    await startParticipant(world, fed);
    await startParticipant(world, fed);
    await first.waitFor('committed', 1);
    proxy.cut();
    await expectError(() => first.ended, 'RPC_DOWN', /has not answered for \d+ s[\s\S]*goes on where it was/);
    await first.stop();
    const straight = signerOf(world.connection, privateKey);
    const again = await startParticipant(world, fed, { signer: straight, seed: 'cut', folder: first.folder });
    await Promise.all([again.ended, aggregator.waitFor('ended')]);
    const commits = await fed.federation.events('UpdateCommitted', { participant: signer.account.address });
    expect(commits.map(({ args }) => Number(args.round))).to.deep.equal([1, 2]);
    expect(await fed.federation.events('RevealMissed')).to.deep.equal([]);
  });
});
