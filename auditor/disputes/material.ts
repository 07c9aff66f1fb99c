/** Everything that an audit of a published round has in hand, for whoever has to prove something about it. */
import type { DisputedRound } from '../../protocol/dispute/disputedRound.ts';
import type { ReadChunk } from '../../protocol/dispute/trees.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import type { Evidence } from '../../protocol/round/evidence.ts';
import type { RevealedUpdate } from '../../protocol/round/submission.ts';
import type { AuditContext } from '../auditContext.ts';
import type { PublishedModel, RoundFacts } from '../chain/assembleRounds.ts';
import { chunksOfPayload, type Payload } from '../payloads/payload.ts';
import type { Snapshot } from '../payloads/snapshots.ts';
import type { AuditedUpdate } from '../questions/updateQuestions.ts';
import type { Replay, ReplayInput } from '../replay/replayRound.ts';
import type { AnsweredChunk } from './answers.ts';

/** What there is before anything is published. */
export interface UpdateMaterial {
  readonly context: AuditContext;
  readonly round: RoundFacts;
  readonly disputed: DisputedRound;
  readonly reveals: readonly RevealedUpdate[];
  /** By participant index, void ones left out. */
  readonly updates: readonly AuditedUpdate[];
  /** Of this round, in the order of the chain. */
  readonly answers: readonly AnsweredChunk[];
}

export interface Material extends UpdateMaterial {
  readonly published: PublishedModel;
  readonly model: Snapshot;
  /** Null for a stateless step, and where the evidence names no state. */
  readonly state: Snapshot | null;
  readonly evidence: Evidence | null;
  /** What the round should have published; null when something needed to compute it is missing. */
  readonly computed: { readonly input: ReplayInput; readonly replay: Replay } | null;
}

/** A vector's chunks, of all its planes. */
export function vectorChunks(vector: Payload, layout: VectorLayout): ReadChunk {
  return chunksOfPayload(vector, vector.length / layout.chunkCount);
}
