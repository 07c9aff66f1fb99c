/** What an aggregator's node tells whoever runs it: facts, not prose. `scripts/` turns them into lines or JSON. */
import type { ChallengeEvent } from '../chain/answerChallenges.ts';
import type { Hex } from '../protocol/encoding/bytes.ts';
import type { RoundRoots } from '../protocol/round/publication.ts';
import type { Metrics } from './aggregateRound.ts';

export type AggregatorEvent =
  | ChallengeEvent
  | {
      readonly type: 'registered';
      readonly account: Hex;
      readonly stakeWei: bigint;
      readonly transactions: readonly Hex[];
      /** Null when nothing had to be sent. */
      readonly gasUsed: bigint | null;
    }
  | { readonly type: 'waiting'; readonly reason: string }
  | { readonly type: 'roundOpened'; readonly round: number; readonly expected: number }
  | { readonly type: 'revealed'; readonly round: number; readonly committed: number; readonly revealed: number }
  | {
      readonly type: 'collected';
      readonly round: number;
      readonly valid: number;
      readonly excluded: readonly { readonly participant: Hex; readonly reason: string; readonly detail: string }[];
      /** Bytes of all payloads used. */
      readonly payloadBytes: number;
    }
  | ({
      readonly type: 'published';
      readonly round: number;
      readonly turn: number;
      readonly transaction: Hex;
      readonly gasUsed: bigint;
      readonly modelCid: string;
      readonly evidenceCid: string;
      readonly updates: number;
      readonly payloadBytes: number;
      readonly metrics: Metrics | null;
      /** From the start of collecting to the end of computing, and to inclusion of the publication. */
      readonly aggregateSeconds: number;
      readonly publishSeconds: number;
      /**
       * What mixing and trimming left of each update: its weight, 1 being an equal share; null where the rule trims
       * none.
       */
      readonly weights: readonly { readonly participant: Hex; readonly weight: number }[] | null;
    } & RoundRoots)
  | {
      /** A lie was proven: the participant's stake is gone, and its update does not count. */
      readonly type: 'convicted';
      readonly round: number;
      readonly participant: Hex;
      readonly proof: 'badSum';
      readonly transaction: Hex;
      readonly gasUsed: bigint;
    }
  | {
      /** An update that was revealed before does not count. */
      readonly type: 'copyVoided';
      readonly round: number;
      readonly participant: Hex;
      readonly transaction: Hex;
      readonly gasUsed: bigint;
    }
  | {
      /** A chunk that this node cannot fetch was asked for on the chain. */
      readonly type: 'challenged';
      readonly round: number;
      readonly participant: Hex;
      readonly chunk: number;
      readonly challenge: Hex;
      readonly bond: bigint;
      readonly answerBy: number;
      readonly transaction: Hex;
      readonly gasUsed: bigint;
    }
  /** A publication was voided: the round is aggregated again, and all after it are void. */
  | { readonly type: 'reopened'; readonly round: number; readonly turn: number }
  | {
      /** Signed messages of participants were submitted for them. */
      readonly type: 'relayed';
      readonly kind: 'commit' | 'reveal' | 'answer';
      /** Null for answers, which may be of several rounds. */
      readonly round: number | null;
      readonly messages: number;
      readonly transaction: Hex;
      readonly gasUsed: bigint;
    }
  | { readonly type: 'rewarded'; readonly round: number; readonly transaction: Hex; readonly gasUsed: bigint }
  | { readonly type: 'abandoned'; readonly round: number; readonly transaction: Hex }
  | { readonly type: 'finalized'; readonly round: number; readonly transaction: Hex; readonly gasUsed: bigint }
  | { readonly type: 'penalised'; readonly round: number; readonly participant: Hex; readonly transaction: Hex }
  | { readonly type: 'ended'; readonly rounds: number };
