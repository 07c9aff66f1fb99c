/** The contract's logs as typed events, in order. Logs that this version does not know are left out. */
import { Interface, type LogDescription } from 'ethers';
import { federationAbi } from '../../chain/abi/federation.ts';
import { PROOF_KINDS, type ProofKind } from '../../protocol/dispute/fraudProof.ts';
import { fromHex, type Hex } from '../../protocol/encoding/bytes.ts';
import type { Publication } from '../../protocol/round/publication.ts';
import type { Submission } from '../../protocol/round/submission.ts';
import type { LogFact } from './chainFacts.ts';
import { hexOf } from './hexOf.ts';

export const federationInterface = new Interface(federationAbi);

/** The contract's ChunkKind, in its order. */
export const CHUNK_KINDS = ['update', 'model', 'state', 'gram'] as const;
export type ChunkKind = (typeof CHUNK_KINDS)[number];

const STAKED_ROLES = ['participant', 'aggregator'] as const;
export type StakedRole = (typeof STAKED_ROLES)[number];

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
      readonly stake: bigint;
      readonly activeFromRound: number;
      readonly gateway: string;
    }
  | {
      readonly name: 'participantRegistered';
      readonly account: Hex;
      readonly index: number;
      readonly stake: bigint;
      readonly gateway: string;
    }
  | {
      readonly name: 'stakeAdded' | 'withdrawn';
      readonly account: Hex;
      readonly role: StakedRole;
      readonly amount: bigint;
    }
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
  | Slashed
  | {
      readonly name: 'accusationRejected';
      readonly round: number;
      readonly challenger: Hex;
      readonly accused: Hex;
      readonly proof: ProofKind;
      readonly bond: bigint;
    }
  | ChallengeOpened
  | {
      readonly name: 'challengeAnswered';
      readonly id: Hex;
      readonly round: number;
      readonly payee: Hex;
      readonly paid: bigint;
      /** The chunk and its path, packed. */
      readonly opening: Uint8Array;
    }
  | {
      readonly name: 'challengeRefunded';
      readonly id: Hex;
      readonly round: number;
      readonly challenger: Hex;
      readonly bond: bigint;
    }
  | { readonly name: 'credited' | 'creditWithdrawn'; readonly account: Hex; readonly amount: bigint }
  | { readonly name: 'rewardsFunded' | 'rewardsReclaimed'; readonly account: Hex; readonly amount: bigint }
  | { readonly name: 'rewardReserved'; readonly round: number; readonly amount: bigint }
  | {
      readonly name: 'rewardsDistributed';
      readonly round: number;
      readonly toAggregator: bigint;
      readonly toParticipants: bigint;
    }
);

export interface Slashed {
  readonly name: 'slashed';
  readonly round: number;
  readonly account: Hex;
  readonly role: StakedRole;
  readonly proof: ProofKind;
  /** The whole stake: `burned` and `reward` together. */
  readonly amount: bigint;
  readonly burned: bigint;
  readonly challenger: Hex;
  readonly reward: bigint;
}

export interface ChallengeOpened {
  readonly name: 'challengeOpened';
  readonly id: Hex;
  readonly round: number;
  readonly kind: ChunkKind;
  /** The participant's index, for an update. */
  readonly index: number;
  /** For the Gram matrix: the leaf of its tree. */
  readonly chunk: number;
  readonly challenger: Hex;
  readonly owner: Hex;
  readonly bond: bigint;
  /** Unix seconds, the first moment that is too late. */
  readonly answerBy: number;
}

/** The literal that stands for a Solidity enum's member. ethers has checked that it is one. */
function literal<T>(names: readonly T[], value: unknown): T {
  return names[Number(value)]!;
}

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
        stake: args.stake as bigint,
        gateway: String(args.gateway),
      };
    case 'AggregatorRegistered':
      return {
        name: 'aggregatorRegistered',
        place,
        account: hexOf(args.aggregator),
        stake: args.stake as bigint,
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
    case 'StakeAdded':
    case 'Withdrawn':
      return {
        name: parsed.name === 'StakeAdded' ? 'stakeAdded' : 'withdrawn',
        place,
        account: hexOf(args.account),
        role: literal(STAKED_ROLES, args.role),
        amount: args.amount as bigint,
      };
    case 'Slashed':
      return {
        name: 'slashed',
        place,
        round,
        account: hexOf(args.account),
        role: literal(STAKED_ROLES, args.role),
        proof: literal(PROOF_KINDS, args.proof),
        amount: args.amount as bigint,
        burned: args.burned as bigint,
        challenger: hexOf(args.challenger),
        reward: args.reward as bigint,
      };
    case 'AccusationRejected':
      return {
        name: 'accusationRejected',
        place,
        round,
        challenger: hexOf(args.challenger),
        accused: hexOf(args.accused),
        proof: literal(PROOF_KINDS, args.proof),
        bond: args.bond as bigint,
      };
    case 'ChallengeOpened':
      return {
        name: 'challengeOpened',
        place,
        id: hexOf(args.id),
        round,
        kind: literal(CHUNK_KINDS, args.kind),
        index: Number(args.index),
        chunk: Number(args.chunk),
        challenger: hexOf(args.challenger),
        owner: hexOf(args.owner),
        bond: args.bond as bigint,
        answerBy: Number(args.answerBy),
      };
    case 'ChallengeAnswered':
      return {
        name: 'challengeAnswered',
        place,
        id: hexOf(args.id),
        round,
        payee: hexOf(args.payee),
        paid: args.paid as bigint,
        opening: fromHex(args.opening),
      };
    case 'ChallengeRefunded':
      return {
        name: 'challengeRefunded',
        place,
        id: hexOf(args.id),
        round,
        challenger: hexOf(args.challenger),
        bond: args.bond as bigint,
      };
    case 'Credited':
    case 'CreditWithdrawn':
      return {
        name: parsed.name === 'Credited' ? 'credited' : 'creditWithdrawn',
        place,
        account: hexOf(args.account),
        amount: args.amount as bigint,
      };
    case 'RewardsFunded':
      return { name: 'rewardsFunded', place, account: hexOf(args.from), amount: args.amount as bigint };
    case 'RewardsReclaimed':
      return { name: 'rewardsReclaimed', place, account: hexOf(args.to), amount: args.amount as bigint };
    case 'RewardReserved':
      return { name: 'rewardReserved', place, round, amount: args.amount as bigint };
    case 'RewardsDistributed':
      return {
        name: 'rewardsDistributed',
        place,
        round,
        toAggregator: args.toAggregator as bigint,
        toParticipants: args.toParticipants as bigint,
      };
    default:
      return null;
  }
}
