import { cidFromBytes } from '../protocol/encoding/cid.ts';
import type { VectorLayout } from '../protocol/encoding/layout.ts';
import type { RoundFacts } from './chain/assembleRounds.ts';
import type { ChainFacts } from './chain/chainFacts.ts';
import type { PayloadReader } from './payloads/payloadReader.ts';
import type { Snapshots } from './payloads/snapshots.ts';
import type { RevealedRoots } from './questions/chainQuestions.ts';
import type { EvidenceReader } from './questions/evidenceQuestions.ts';
import type { ReplayPool } from './replay/replayPool.ts';
import type { Replay } from './replay/replayRound.ts';

/** What every question of an audit may look at. */
export interface AuditContext {
  readonly facts: ChainFacts;
  readonly layout: VectorLayout;
  readonly revealed: RevealedRoots;
  readonly payloads: PayloadReader;
  readonly snapshots: Snapshots;
  readonly evidence: EvidenceReader;
  readonly pool: ReplayPool;
  /** What this audit computed for a round itself; null when it did not. */
  replayOf(round: RoundFacts): Promise<Replay | null>;
}

/** The text of a CID that somebody put on the chain; null when it is none. */
export function cidTextOrNull(bytes: Uint8Array): string | null {
  try {
    return cidFromBytes(bytes);
  } catch {
    return null;
  }
}
