/** What an aggregator does on the chain before it publishes: nobody is left out unproven, nobody stalls the round. */
import { expect } from 'chai';
import type { AggregatorEvent } from '../../aggregator/events.ts';
import { watchChallenges } from '../../chain/answerChallenges.ts';
import { buildAnswer } from '../../protocol/dispute/buildAnswer.ts';
import { chunksOf } from '../../protocol/dispute/trees.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { voidedIndices } from '../../protocol/round/submission.ts';
import {
  commitByHand,
  craftUpdate,
  type Desk,
  openDesk,
  type RunningNode,
  startAggregator,
  startParticipant,
  untilPhase,
} from '../scenarios/support/inProcess.ts';
import { ETHER, SLOW_MACHINE_MS, type TestFederation, useWorld, type World } from '../scenarios/support/world.ts';
import { understated } from './support/lies.ts';

describe('aggregator: disputes before it publishes', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  /** Somebody whose commits and reveals the test makes, an aggregator, and honest participants. */
  async function start(wish: Parameters<World['federation']>[0], honest = 2) {
    const fed = await world.federation({ participants: honest + 1, rounds: 1, answerWindow: 6, ...wish });
    const odd = await openDesk(world, fed, 'participant');
    const participants = [];
    for (let i = 0; i < honest; i++) participants.push(await startParticipant(world, fed));
    const aggregator = await startAggregator(world, fed);
    await untilPhase(fed, 1, 'commit');
    return { fed, odd, participants, aggregator };
  }

  async function slashes(fed: TestFederation) {
    const events = await fed.federation.events('Slashed');
    return events.map(({ args }) => ({ account: args.account, amount: args.amount, challenger: args.challenger }));
  }

  async function credited(fed: TestFederation, desk: Desk): Promise<bigint> {
    const credits = await fed.federation.events('Credited', { account: account(desk) });
    return credits.reduce((sum, { args }) => sum + args.amount, 0n);
  }

  const published = async (aggregator: RunningNode<AggregatorEvent>, round = 1) =>
    (await aggregator.waitFor('published', round)).updates;
  const types = ({ events }: RunningNode<AggregatorEvent>) => events.map(({ type }) => type);
  const account = ({ signer }: Desk) => signer.account.address;

  it('a sum that is a lie is proven: the liar pays with its stake, the others make the round', async () => {
    const { fed, odd, aggregator } = await start({});
    await (
      await commitByHand(
        odd,
        1,
        understated(fed, (i) => (i % 50) - 20),
      )
    ).reveal();
    expect(await published(aggregator)).to.equal(2);
    expect(await slashes(fed)).to.deep.equal([
      { account: account(odd), amount: ETHER, challenger: account(aggregator) },
    ]);
    expect(await credited(fed, aggregator), 'half the stake, and the bond').to.equal(ETHER / 2n + ETHER / 10n);
    expect([...voidedIndices((await fed.federation.round(1)).voidedBitmap)]).to.deep.equal([0]);
    expect(types(aggregator)).to.include('convicted').and.not.include('challenged');
    expect((await world.audit(fed)).ok).to.equal(true);
  });

  it('too few left after a conviction: the round is abandoned at once and the next one opens', async () => {
    const { fed, odd, aggregator } = await start({ minUpdates: 3, rounds: 2 });
    await (
      await commitByHand(
        odd,
        1,
        understated(fed, (i) => (i % 50) - 20),
      )
    ).reveal();
    await aggregator.waitFor('abandoned', 1);
    expect((await fed.federation.round(1)).phase).to.equal('abandoned');
    expect(await fed.federation.currentRound()).to.equal(2);
  });

  it('a copy of an update of an earlier round does not count, and costs its sender the penalty of a missed reveal', async () => {
    const { fed, odd, participants, aggregator } = await start({ rounds: 2 });
    await (
      await commitByHand(
        odd,
        1,
        craftUpdate(fed, (i) => i % 9),
      )
    ).reveal();
    const { root, normSq, cid } = await participants[0]!.waitFor('stored', 1);
    await untilPhase(fed, 2, 'commit');
    const payload = await participants[0]!.payloads.store.readAll(cid);
    await (await commitByHand(odd, 2, { payload, root, normSq })).reveal();
    expect(await published(aggregator, 2)).to.equal(2);
    expect((await aggregator.waitFor('copyVoided', 2)).participant).to.equal(account(odd));
    const penalty = { account: account(odd), amount: ETHER / 10n, challenger: account(aggregator) };
    expect(await slashes(fed)).to.deep.equal([penalty]);
    expect(await credited(fed, aggregator), 'nobody earns from it').to.equal(0n);
  });

  it('a payload that nobody serves and nobody answers for: silence convicts, and the leader keeps its turn', async () => {
    const { fed, odd, aggregator } = await start({ aggregateWindow: 20, answerWindow: 4 });
    const commit = await commitByHand(
      odd,
      1,
      craftUpdate(fed, (i) => i % 9),
    );
    await odd.gateway.close();
    await commit.reveal();
    const { participant, chunk } = await aggregator.waitFor('challenged', 1);
    expect([participant, chunk]).to.deep.equal([account(odd), 0]);
    await aggregator.waitFor('settled', 1);
    expect(await published(aggregator)).to.equal(2);
    expect(await slashes(fed)).to.deep.equal([
      { account: account(odd), amount: ETHER, challenger: account(aggregator) },
    ]);
    expect(await fed.federation.events('TurnMissed')).to.deep.equal([]);
  });

  it('a participant whose gateway is dead answers on the chain, and its update counts', async () => {
    const fed = await world.federation({ participants: 3, rounds: 1, answerWindow: 20, aggregateWindow: 20 });
    const dead = await startParticipant(world, fed, { gatewayUrl: 'http://127.0.0.1:9' });
    for (let i = 0; i < 2; i++) await startParticipant(world, fed);
    const aggregator = await startAggregator(world, fed);
    expect(await published(aggregator)).to.equal(3);
    expect(types(aggregator)).to.include('challenged').and.not.include('settled');
    const { challenges } = await dead.waitFor('answered', 1);
    const asked = aggregator.events.filter(({ type }) => type === 'challenged');
    expect(challenges.length).to.be.greaterThan(0).and.at.most(asked.length);
    expect(await slashes(fed)).to.deep.equal([]);
    expect(await credited(fed, dead), 'the bonds').to.not.equal(0n);
  });

  it('other bytes under the revealed CID: what the owner opens on the chain is what counts', async () => {
    const { fed, odd, aggregator } = await start({ answerWindow: 30 });
    const right = craftUpdate(fed, (i) => (i % 11) - 5);
    const wrong = right.payload.slice();
    wrong[600] = wrong[600]! ^ 4; // in the second chunk
    const layout = layoutOf(fed.federation.parameters);
    const controller = new AbortController();
    world.test.add(() => controller.abort());
    void watchChallenges({
      ...odd,
      signal: controller.signal,
      settles: false,
      report: () => undefined,
      open: async ({ kind, chunk }, { root, normSq, rows }) =>
        root !== right.root
          ? null
          : buildAnswer(chunksOf(right.payload, 2 * layout.chunkSize), layout, { kind, chunk, root, normSq, rows }),
    }).catch(() => undefined);
    await (await commitByHand(odd, 1, { ...right, payload: wrong })).reveal();
    expect(await published(aggregator)).to.equal(3);
    const asked = aggregator.events.filter((event) => event.type === 'challenged').map(({ chunk }) => chunk);
    expect(asked, 'the first, then the one that differs').to.deep.equal([0, 1]);
    expect(await slashes(fed)).to.deep.equal([]);
    expect((await world.audit(fed)).ok, 'the model was made from what was opened').to.equal(true);
  });

  it('killed while it waits for an answer and started again: asks nothing twice and ends the dispute', async () => {
    const { fed, odd, aggregator } = await start({ aggregateWindow: 20, answerWindow: 6 });
    const commit = await commitByHand(
      odd,
      1,
      craftUpdate(fed, (i) => i % 9),
    );
    await odd.gateway.close();
    await commit.reveal();
    await aggregator.waitFor('challenged', 1);
    await aggregator.stop();
    const { signer, folder } = aggregator;
    const again = await startAggregator(world, fed, { signer, folder });
    expect(await published(again)).to.equal(2);
    expect(types(again)).to.include('settled').and.not.include('challenged');
    expect(await fed.federation.events('ChallengeOpened')).to.have.length(1);
    expect((await slashes(fed)).map((slash) => slash.account)).to.deep.equal([account(odd)]);
  });
});
