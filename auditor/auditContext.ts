import type { VectorLayout } from '../protocol/encoding/layout.ts';
import type { RoundFacts } from './chain/assembleRounds.ts';
import type { ChainFacts } from './chain/chainFacts.ts';
import type { AnsweredChunk } from './disputes/answers.ts';
import type { EvidenceReader } from './payloads/evidenceReader.ts';
import type { PayloadReader } from './payloads/payloadReader.ts';
import type { Snapshots } from './payloads/snapshots.ts';
import type { RevealedRoots } from './questions/chainQuestions.ts';
import type { Replay, Replayer } from './replay/replayRound.ts';

/** What every question of an audit may look at. */
export interface AuditContext {
  readonly facts: ChainFacts;
  readonly layout: VectorLayout;
  readonly revealed: RevealedRoots;
  readonly payloads: PayloadReader;
  readonly snapshots: Snapshots;
  readonly evidence: EvidenceReader;
  readonly replayer: Replayer;
  /** Of all rounds, in the order of the chain. */
  readonly answers: readonly AnsweredChunk[];
  /** Whether somebody wants to know how a wrong round can be disputed. */
  readonly wantsDisputes: boolean;
  /**
   * What this audit computed for a round whose published bytes are of no use to the next one; null when it did not, or
   * when they are.
   */
  replayOf(round: RoundFacts): Promise<Replay | null>;
}
