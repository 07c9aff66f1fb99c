import { expect } from 'chai';
import { assembleRounds } from '../../auditor/chain/assembleRounds.ts';
import type { FederationEvent } from '../../auditor/chain/decodeEvents.ts';
import { rootsAreNew } from '../../auditor/questions/chainQuestions.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import { parseRule } from '../../protocol/index.ts';
import { account, buildWorld } from './fixtures/federation.ts';

describe('rounds from events', () => {
  const { facts } = buildWorld({ rule: parseRule('fedavg', 0), rounds: 1 });
  let at = 0;
  const place = () => {
    const hash: Hex = `0x${(++at).toString(16).padStart(64, '0')}`;
    return { blockNumber: at, blockHash: hash, transactionHash: hash, logIndex: 0 };
  };
  const root = (n: number): Hex => `0x${n.toString(16).padStart(64, '0')}`;
  const reveal = (round: number, index: number, n: number): FederationEvent => ({
    name: 'updateRevealed',
    place: place(),
    round,
    submission: { index, participant: account(index + 1), root: root(n), normSq: 1n, cid: new Uint8Array(36) },
  });
  const opened = (round: number, opening: number, base: number): FederationEvent => ({
    name: 'roundOpened',
    place: place(),
    round,
    opening,
    baseModelRoot: root(base),
    expected: 3,
  });
  const aggregating = (round: number, turn: number): FederationEvent => ({
    name: 'aggregatePhaseOpened',
    place: place(),
    round,
    turn,
    leader: account(0xa0 + turn),
    deadline: 100,
  });
  const published = (round: number, model: number): FederationEvent => ({
    name: 'roundPublished',
    place: place(),
    round,
    aggregator: account(0xa0),
    publication: {
      modelRoot: root(model),
      stateRoot: root(0),
      gramRoot: root(0),
      mixingHash: root(0),
      submissionSet: root(0),
      modelCid: new Uint8Array(36),
      evidenceCid: new Uint8Array(36),
    },
  });

  it('a voided publication puts its round back and erases the rounds built on it; they open anew, empty', () => {
    const before = [opened(1, 1, 9), reveal(1, 0, 1), aggregating(1, 0), published(1, 50)];
    const built = [opened(2, 2, 50), reveal(2, 0, 2), reveal(2, 1, 3)];
    const voided: FederationEvent = {
      name: 'roundVoided',
      place: place(),
      round: 1,
      aggregator: account(0xa0),
      lastRound: 2,
    };
    const half = assembleRounds(facts, [...before, ...built, voided, aggregating(1, 1)]);
    expect(half.map(({ round, eventPhase, published: model }) => [round, eventPhase, model])).to.deep.equal([
      [1, 'aggregate', null],
    ]);
    expect(half[0]?.reveals.length).to.equal(1);
    const redone = [
      ...before,
      ...built,
      voided,
      aggregating(1, 1),
      published(1, 51),
      opened(2, 3, 51),
      reveal(2, 1, 3),
    ];
    const rounds = assembleRounds(facts, redone);
    expect(rounds.map(({ round, opening, reveals }) => [round, opening, reveals.length])).to.deep.equal([
      [1, 1, 1],
      [2, 3, 1],
    ]);
    expect(rounds[0]?.published?.turns?.firstTurn).to.equal(1);
    expect(rounds[1]?.parent).to.equal(rounds[0]);
    expect(rounds[1]?.baseModelRoot).to.equal(root(51));
  });

  it('a root of a voided round may come again, from anybody; a second time in one round it is a copy', () => {
    const rounds = assembleRounds(facts, [opened(2, 3, 51), reveal(2, 1, 3), reveal(2, 2, 4), reveal(2, 3, 4)]);
    const earlier = { round: 2, standing: false };
    const now = [1, 2, 3].map((index) => ({ participant: account(index + 1), round: 2, standing: true }));
    const revealed = new Map([
      [root(3), [{ ...earlier, participant: account(2) }, now[0]!]],
      [root(4), [{ ...earlier, participant: account(2) }, now[1]!, now[2]!]],
    ]);
    expect(rootsAreNew(rounds[0]!, revealed).map(({ accused }) => accused)).to.deep.equal([account(4)]);
  });

  it('an abandoned round stays abandoned when finality passes over it, and is nobody’s parent', () => {
    const rounds = assembleRounds(facts, [
      opened(1, 1, 9),
      published(1, 50),
      opened(2, 2, 50),
      { name: 'roundAbandoned', place: place(), round: 2 },
      opened(3, 3, 50),
      { name: 'roundFinalized', place: place(), round: 1 },
      { name: 'roundFinalized', place: place(), round: 2 },
    ]);
    expect(rounds.map(({ eventPhase }) => eventPhase)).to.deep.equal(['final', 'abandoned', 'open']);
    expect(rounds[2]?.parent?.round).to.equal(1);
  });
});
