/** What an aggregator's node tells whoever runs it: facts, not prose. `scripts/` turns them into lines or JSON. */
import type { Hex } from '../protocol/encoding/bytes.ts';
import type { RoundRoots } from '../protocol/round/publication.ts';
import type { Metrics } from './aggregateRound.ts';

export type AggregatorEvent =
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
  | { readonly type: 'abandoned'; readonly round: number; readonly transaction: Hex }
  | { readonly type: 'finalized'; readonly round: number; readonly transaction: Hex; readonly gasUsed: bigint }
  | { readonly type: 'penalised'; readonly round: number; readonly participant: Hex; readonly transaction: Hex }
  | { readonly type: 'ended'; readonly rounds: number };
