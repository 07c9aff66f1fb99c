/**
 * From the order of events to rounds: what stands at the end. A voided publication puts its round back and erases the
 * rounds that were built on it; a round that is opened again starts empty.
 */
import { type Hex, ZERO_HASH } from '../../protocol/encoding/bytes.ts';
import type { Publication } from '../../protocol/round/publication.ts';
import type { Submission } from '../../protocol/round/submission.ts';
import type { ChainFacts, RoundState } from './chainFacts.ts';
import type { FederationEvent, Place } from './decodeEvents.ts';

export interface Reveal {
  readonly submission: Submission;
  readonly place: Place;
  /** The commit hash that the participant had posted; null when the chain shows none. */
  readonly commitHash: Hex | null;
  /** Calldata of the transaction that revealed; null when nobody gave it. */
  readonly calldata: Hex | null;
}

/** The phase Aggregate as the events tell it: its first turn, and who missed theirs since. */
export interface Turns {
  readonly firstTurn: number;
  readonly firstLeader: Hex;
  /** Unix seconds, the first moment that is too late for the first turn. */
  readonly firstDeadline: number;
  /** Leaders that missed turns firstTurn, firstTurn + 1, ...; each aggregator at most once. */
  readonly missed: readonly Hex[];
}

export interface PublishedModel {
  readonly publication: Publication;
  readonly aggregator: Hex;
  readonly place: Place;
  /** Unix seconds of its block; null when nobody gave the block. */
  readonly publishedAt: number | null;
  /** Null when the phase never opened. */
  readonly turns: Turns | null;
}

/** A final round's reward, as it was paid out. */
export interface Distribution {
  readonly toAggregator: bigint;
  readonly toParticipants: bigint;
  /** What each account was credited with; null when its transaction paid out more than this. */
  readonly credits: ReadonlyMap<Hex, bigint> | null;
  readonly place: Place;
}

export interface RoundFacts {
  readonly round: number;
  readonly opening: number;
  readonly baseModelRoot: Hex;
  /** Phase that the events lead to. */
  readonly eventPhase: RoundState['phase'];
  /** The contract's own view; null when it has none. */
  readonly state: RoundState | null;
  readonly commits: ReadonlyMap<Hex, Hex>;
  /** In the order of the chain. */
  readonly reveals: readonly Reveal[];
  readonly voided: ReadonlySet<number>;
  readonly published: PublishedModel | null;
  /** Set aside for the round when it became final; null when nothing was. */
  readonly reward: bigint | null;
  readonly distribution: Distribution | null;
  /** The round whose published model this one starts from; null for the genesis model. */
  readonly parent: RoundFacts | null;
}

interface OpenRound {
  round: number;
  opening: number;
  baseModelRoot: Hex;
  eventPhase: RoundState['phase'];
  commits: Map<Hex, Hex>;
  reveals: Reveal[];
  voided: Set<number>;
  turns: Turns | null;
  published: PublishedModel | null;
  reward: bigint | null;
  distribution: Distribution | null;
}

/** The rounds as they stand, in order. */
export function assembleRounds(facts: ChainFacts, events: readonly FederationEvent[]): RoundFacts[] {
  const timestamps = new Map(facts.blocks.map((block) => [block.number, block.timestamp]));
  const rounds = new Map<number, OpenRound>();
  const at = (round: number): OpenRound => {
    const known = rounds.get(round);
    if (known !== undefined) return known;
    const fresh = openRound(round, 0, ZERO_HASH); // an event of a round that was never opened: checkChain will say so
    rounds.set(round, fresh);
    return fresh;
  };
  for (const event of events) {
    switch (event.name) {
      case 'roundOpened':
        rounds.set(event.round, openRound(event.round, event.opening, event.baseModelRoot));
        break;
      case 'commitPhaseOpened':
        at(event.round).eventPhase = 'commit';
        break;
      case 'updateCommitted':
        at(event.round).commits.set(event.participant, event.commitHash);
        break;
      case 'commitRetracted':
        at(event.round).commits.delete(event.participant);
        break;
      case 'revealPhaseOpened':
        at(event.round).eventPhase = 'reveal';
        break;
      case 'updateRevealed': {
        const round = at(event.round);
        round.reveals.push({
          submission: event.submission,
          place: event.place,
          commitHash: round.commits.get(event.submission.participant) ?? null,
          calldata: facts.revealCalldata[event.place.transactionHash] ?? null,
        });
        break;
      }
      case 'submissionVoided':
        at(event.round).voided.add(event.index);
        break;
      case 'aggregatePhaseOpened': {
        const { turn, leader, deadline } = event;
        at(event.round).eventPhase = 'aggregate';
        at(event.round).turns = { firstTurn: turn, firstLeader: leader, firstDeadline: deadline, missed: [] };
        break;
      }
      case 'turnMissed': {
        const round = at(event.round);
        if (round.turns !== null) {
          round.turns = { ...round.turns, missed: [...round.turns.missed, event.aggregator] };
        }
        break;
      }
      case 'roundPublished': {
        const { publication, aggregator, place } = event;
        const round = at(event.round);
        const publishedAt = timestamps.get(place.blockNumber) ?? null;
        round.eventPhase = 'challenge';
        round.published = { publication, aggregator, place, publishedAt, turns: round.turns };
        break;
      }
      case 'roundVoided':
        at(event.round).published = null;
        at(event.round).eventPhase = 'aggregate';
        for (let later = event.round + 1; later <= event.lastRound && rounds.has(later); later++) rounds.delete(later);
        break;
      case 'roundAbandoned':
        at(event.round).eventPhase = 'abandoned';
        break;
      case 'roundFinalized':
        // The pointer of finality passes over an abandoned round, which stays abandoned.
        if (at(event.round).eventPhase !== 'abandoned') at(event.round).eventPhase = 'final';
        break;
      case 'rewardReserved':
        at(event.round).reward = event.amount;
        break;
      case 'rewardsDistributed': {
        const { toAggregator, toParticipants, place } = event;
        const credits = creditsOf(events, place.transactionHash);
        at(event.round).distribution = { toAggregator, toParticipants, credits, place };
        break;
      }
      default:
        break;
    }
  }
  const states = new Map(facts.rounds.map((state) => [state.number, state]));
  let parent: RoundFacts | null = null;
  return [...rounds.values()]
    .sort((a, b) => a.round - b.round)
    .map(({ turns: _, ...round }) => {
      const whole: RoundFacts = { ...round, state: states.get(round.round) ?? null, parent };
      if (whole.published !== null) parent = whole;
      return whole;
    });
}

function creditsOf(events: readonly FederationEvent[], transaction: Hex): Map<Hex, bigint> | null {
  const credits = new Map<Hex, bigint>();
  let distributions = 0;
  for (const event of events) {
    if (event.place.transactionHash !== transaction) continue;
    if (event.name === 'rewardsDistributed') distributions++;
    if (event.name === 'credited') credits.set(event.account, (credits.get(event.account) ?? 0n) + event.amount);
  }
  return distributions === 1 ? credits : null;
}

function openRound(round: number, opening: number, baseModelRoot: Hex): OpenRound {
  return {
    round,
    opening,
    baseModelRoot,
    eventPhase: 'open',
    commits: new Map(),
    reveals: [],
    voided: new Set(),
    turns: null,
    published: null,
    reward: null,
    distribution: null,
  };
}
