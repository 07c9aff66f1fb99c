/** The contract's logs as typed events, in order. Logs that this version does not know are left out. */
import { Interface, type LogDescription } from 'ethers';
import { federationAbi } from '../../chain/abi/federation.ts';
import { fromHex, type Hex } from '../../protocol/encoding/bytes.ts';
import type { Publication } from '../../protocol/round/publication.ts';
import type { Submission } from '../../protocol/round/submission.ts';
import type { LogFact } from './chainFacts.ts';
import { hexOf } from './hexOf.ts';

export const federationInterface = new Interface(federationAbi);

/** Where an event stands on the chain. */
export interface Place {
  readonly blockNumber: number;
  readonly blockHash: Hex;
  readonly transactionHash: Hex;
  readonly logIndex: number;
}

export type FederationEvent = { readonly place: Place } & (
  | { readonly name: 'gatewayChanged'; readonly account: Hex; readonly gateway: string }
  | {
      readonly name: 'aggregatorRegistered';
      readonly account: Hex;
      readonly activeFromRound: number;
      readonly gateway: string;
    }
  | { readonly name: 'participantRegistered'; readonly account: Hex; readonly index: number; readonly gateway: string }
  | {
      readonly name: 'roundOpened';
      readonly round: number;
      readonly opening: number;
      readonly baseModelRoot: Hex;
      readonly expected: number;
    }
  | { readonly name: 'commitPhaseOpened' | 'revealPhaseOpened' | 'roundFinalized'; readonly round: number }
  | { readonly name: 'updateCommitted'; readonly round: number; readonly participant: Hex; readonly commitHash: Hex }
  | { readonly name: 'commitRetracted'; readonly round: number; readonly participant: Hex }
  | { readonly name: 'updateRevealed'; readonly round: number; readonly submission: Submission }
  | { readonly name: 'submissionVoided'; readonly round: number; readonly participant: Hex; readonly index: number }
  | {
      readonly name: 'aggregatePhaseOpened';
      readonly round: number;
      readonly turn: number;
      readonly leader: Hex;
      readonly deadline: number;
    }
  | { readonly name: 'turnMissed'; readonly round: number; readonly turn: number; readonly aggregator: Hex }
  | {
      readonly name: 'roundPublished';
      readonly round: number;
      readonly aggregator: Hex;
      readonly publication: Publication;
    }
  | { readonly name: 'roundAbandoned'; readonly round: number }
  | { readonly name: 'roundVoided'; readonly round: number; readonly aggregator: Hex; readonly lastRound: number }
  | { readonly name: 'penaltyBurned'; readonly amount: bigint; readonly totalBurned: bigint }
);

export function decodeEvents(logs: readonly LogFact[]): FederationEvent[] {
  return logs.flatMap((log) => {
    const event = decodeEvent(log);
    return event === null ? [] : [event];
  });
}

function decodeEvent(log: LogFact): FederationEvent | null {
  let parsed: LogDescription | null;
  try {
    parsed = federationInterface.parseLog({ topics: log.topics, data: log.data });
  } catch {
    return null; // data that do not fit the event's types: the contract's own state will contradict the missing event
  }
  if (parsed === null) return null;
  const { args } = parsed;
  const { blockNumber, blockHash, transactionHash, logIndex } = log;
  const place = { blockNumber, blockHash, transactionHash, logIndex };
  const round = Number(args.round ?? 0n);
  switch (parsed.name) {
    case 'ParticipantRegistered':
      return {
        name: 'participantRegistered',
        place,
        account: hexOf(args.participant),
        index: Number(args.index),
        gateway: String(args.gateway),
      };
    case 'AggregatorRegistered':
      return {
        name: 'aggregatorRegistered',
        place,
        account: hexOf(args.aggregator),
        activeFromRound: Number(args.activeFromRound),
        gateway: String(args.gateway),
      };
    case 'GatewayChanged':
      return { name: 'gatewayChanged', place, account: hexOf(args.account), gateway: String(args.gateway) };
    case 'RoundOpened':
      return {
        name: 'roundOpened',
        place,
        round,
        opening: Number(args.opening),
        baseModelRoot: hexOf(args.baseModelRoot),
        expected: Number(args.expected),
      };
    case 'CommitPhaseOpened':
      return { name: 'commitPhaseOpened', place, round };
    case 'RevealPhaseOpened':
      return { name: 'revealPhaseOpened', place, round };
    case 'RoundFinalized':
      return { name: 'roundFinalized', place, round };
    case 'UpdateCommitted':
      return {
        name: 'updateCommitted',
        place,
        round,
        participant: hexOf(args.participant),
        commitHash: hexOf(args.commitHash),
      };
    case 'CommitRetracted':
      return { name: 'commitRetracted', place, round, participant: hexOf(args.participant) };
    case 'UpdateRevealed':
      return {
        name: 'updateRevealed',
        place,
        round,
        submission: {
          index: Number(args.index),
          participant: hexOf(args.participant),
          root: hexOf(args.root),
          normSq: args.normSq as bigint,
          cid: fromHex(args.cid),
        },
      };
    case 'SubmissionVoided':
      return {
        name: 'submissionVoided',
        place,
        round,
        participant: hexOf(args.participant),
        index: Number(args.index),
      };
    case 'AggregatePhaseOpened':
      return {
        name: 'aggregatePhaseOpened',
        place,
        round,
        turn: Number(args.turn),
        leader: hexOf(args.leader),
        deadline: Number(args.deadline),
      };
    case 'TurnMissed':
      return { name: 'turnMissed', place, round, turn: Number(args.turn), aggregator: hexOf(args.aggregator) };
    case 'RoundPublished':
      return {
        name: 'roundPublished',
        place,
        round,
        aggregator: hexOf(args.aggregator),
        publication: {
          modelRoot: hexOf(args.modelRoot),
          stateRoot: hexOf(args.stateRoot),
          gramRoot: hexOf(args.gramRoot),
          mixingHash: hexOf(args.mixingHash),
          submissionSet: hexOf(args.submissionSet),
          modelCid: fromHex(args.modelCid),
          evidenceCid: fromHex(args.evidenceCid),
        },
      };
    case 'RoundAbandoned':
      return { name: 'roundAbandoned', place, round };
    case 'RoundVoided':
      return {
        name: 'roundVoided',
        place,
        round,
        aggregator: hexOf(args.aggregator),
        lastRound: Number(args.lastRound),
      };
    case 'PenaltyBurned':
      return {
        name: 'penaltyBurned',
        place,
        amount: args.amount as bigint,
        totalBurned: args.totalBurned as bigint,
      };
    default:
      return null;
  }
}
