/** What nodes do about publications that are asked for, fall, or become final: real nodes on a real chain. */

import { expect } from 'chai';
import type { AggregatorContext } from '../../aggregator/context.ts';
import { prepareRound } from '../../aggregator/publishRound.ts';
import { type ChunkKind, challengeAvailability, settleChallenge } from '../../chain/challenges.ts';
import { creditOf, fundRewards, rewardPool, withdrawCredit } from '../../chain/rewards.ts';
import { cidFromBytes } from '../../protocol/encoding/cid.ts';
import { updatePayloadLength } from '../../protocol/encoding/vectors.ts';
import { referenceEngine } from '../../protocol/round/engine/referenceEngine.ts';
import { layoutOf } from '../../protocol/round/parameters.ts';
import { revealedUpdate } from '../../protocol/round/submission.ts';
import { type Desk, openDesk, startAggregator, startParticipant, untilPhase } from '../scenarios/support/inProcess.ts';
import {
  ETHER,
  type FederationWish,
  SLOW_MACHINE_MS,
  type TestFederation,
  until,
  useWorld,
  type World,
} from '../scenarios/support/world.ts';

describe('nodes: what was published is answered for', function () {
  this.timeout(SLOW_MACHINE_MS);
  let world: World;
  useWorld((started) => {
    world = started;
  });

  async function start(count: number, wish: FederationWish) {
    const fed = await world.federation({ participants: count, ...wish });
    const participants = [];
    for (let i = 0; i < count; i++) participants.push(await startParticipant(world, fed));
    return { fed, participants };
  }

  async function ask(
    fed: TestFederation,
    by: Desk['signer'],
    kind: ChunkKind,
    round: number,
    index: number,
    chunk: number,
  ) {
    const view = await fed.federation.round(round);
    const reveals = kind === 'update' ? (await fed.federation.submissions(view)).map(revealedUpdate) : [];
    const published = (await fed.federation.standingPublications()).find((candidate) => candidate.round === round);
    const publication = kind === 'update' ? null : published!.publication;
    const asked = await challengeAvailability(fed.federation, by, { kind, round, index, chunk }, reveals, publication);
    return asked.challenge;
  }

  it('model, server state, Gram matrix and updates are answered for, whoever asks; the round becomes final', async () => {
    const { fed } = await start(5, {
      rounds: 1,
      rule: 'multi-krum',
      byzantine: 1,
      server: 'fedYogi', // three vectors of state
      serverMomentum: 0.5,
      serverLearningRate: 0.01,
      challengeWindow: 300,
      answerWindow: 300,
    });
    const aggregator = await startAggregator(world, fed);
    await aggregator.waitFor('published', 1);
    const doubter = await world.signer();
    const asked = [
      await ask(fed, doubter, 'model', 1, 0, 1),
      await ask(fed, doubter, 'state', 1, 0, 0),
      await ask(fed, doubter, 'gram', 1, 0, 0),
      await ask(fed, doubter, 'update', 1, 3, 1),
    ];
    const answered = await until('four answers', async () => {
      const events = await fed.federation.events('ChallengeAnswered');
      return events.length < asked.length ? undefined : events;
    });
    expect(answered.map(({ args }) => args.id)).to.have.members(asked.map(({ id }) => id));
    await world.passDeadline(fed, 1);
    await aggregator.waitFor('finalized', 1);
    expect(await fed.federation.events('Slashed')).to.deep.equal([]);
    expect((await world.audit(fed)).ok).to.equal(true);
  });

  it('a publication that falls gives its round back: the next aggregator redoes it, participants go on from there', async () => {
    const fed = await world.federation({
      participants: 3,
      rounds: 2,
      rule: 'multi-krum',
      challengeWindow: 60, // half of the other windows: the second round is not over with that of the first
      answerWindow: 60,
    });
    const silent = await openDesk(world, fed, 'aggregator');
    const next = await startAggregator(world, fed);
    const participants = [];
    for (let i = 0; i < 3; i++) participants.push(await startParticipant(world, fed));
    await publishAndFallSilent(fed, silent);
    const doubter = await world.signer();
    // Of the model, everybody who fetched it could answer; the Gram tree's leaves are with who published.
    const challenge = await ask(fed, doubter, 'gram', 1, 0, 0);
    // They have gone on meanwhile: the next round has their updates.
    for (const participant of participants) await participant.waitFor('committed', 2);
    await world.passUntil(challenge.answerBy, fed.federation);
    await settleChallenge(fed.federation, doubter, challenge.id).catch(() => undefined); // or the other aggregator did

    expect((await next.waitFor('reopened', 1)).round).to.equal(1);
    expect((await next.waitFor('published', 1)).updates).to.equal(3);
    expect((await next.waitFor('published', 2)).updates).to.equal(3);
    await world.passDeadline(fed, 1);
    await next.waitFor('finalized', 1);
    await world.passDeadline(fed, 2);
    for (const participant of participants) await participant.waitFor('ended');
    const openings = (await fed.federation.events('RoundOpened', { round: 2n })).map(({ args }) => args.opening);
    expect(openings, 'the second round was opened twice').to.have.length(2);
    for (const participant of participants) {
      const commits = participant.events.filter((event) => event.type === 'committed' && event.round === 2);
      expect(commits, 'and committed to twice').to.have.length(2);
    }
    const [slashed] = await fed.federation.events('Slashed');
    expect(slashed!.args).to.include({ account: silent.signer.account.address, amount: 10n * ETHER });
    expect((await world.audit(fed)).ok).to.equal(true);
  });

  it('rewards of final rounds are paid to who earned them, by their contribution where the federation says so', async () => {
    const { fed, participants } = await start(5, {
      rounds: 1,
      rule: 'multi-krum',
      byzantine: 1,
      challengeWindow: 1,
      roundReward: ETHER,
      aggregatorShare: 0.2,
      contributionShare: 0.5,
    });
    await fundRewards(fed.federation, await world.signer(), 2n * ETHER);
    const aggregator = await startAggregator(world, fed);
    await aggregator.waitFor('rewarded', 1);
    const credit = ({ signer }: Desk) => creditOf(fed.federation, signer.account.address);
    const shares = await Promise.all(participants.map(credit));
    expect(shares.reduce((sum, share) => sum + share, await credit(aggregator))).to.equal(ETHER);
    expect(await credit(aggregator)).to.satisfy((part: bigint) => part >= ETHER / 5n && part < ETHER / 5n + 10n);
    expect(new Set(shares).size, 'not all the same').to.be.greaterThan(1);
    expect(await rewardPool(fed.federation)).to.equal(ETHER);
    await withdrawCredit(fed.federation, aggregator.signer);
    expect(await credit(aggregator)).to.equal(0n);
    await aggregator.waitFor('ended');
  });

  /** Publishes round 1 as it should be and serves it, but says nothing to the chain any more. */
  async function publishAndFallSilent(fed: TestFederation, desk: Desk): Promise<void> {
    const view = await untilPhase(fed, 1, 'aggregate');
    const valid = (await fed.federation.submissions(view)).sort((a, b) => a.index - b.index);
    const expectedBytes = updatePayloadLength(layoutOf(fed.federation.parameters));
    const rows = valid.map((submission) => ({ submission, cid: cidFromBytes(submission.cid) }));
    for (const { cid, submission } of rows) {
      await desk.payloads.fetch(cid, { expectedBytes, owner: submission.participant });
    }
    const context: AggregatorContext = {
      ...desk,
      engine: referenceEngine,
      report: () => undefined,
      signal: new AbortController().signal,
    };
    const { publication } = await prepareRound(context, view, rows);
    await fed.federation.publishRound(desk.signer, 1, publication);
  }
});
