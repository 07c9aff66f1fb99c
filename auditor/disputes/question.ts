/**
 * Bytes that are needed and not to be had are asked for on the chain, a chunk at a time. Each answer shows the nodes
 * along its path; only where these differ from what is known is there more to ask (protocol/dispute/descend.ts).
 */
import type { FraudProof } from '../../protocol/dispute/fraudProof.ts';
import type { Submission } from '../../protocol/round/submission.ts';
import type { ChunkKind } from '../chain/decodeEvents.ts';
import type { Dispute, ProofInHand, Question } from './dispute.ts';
import type { Material } from './material.ts';

/** The proof against the aggregator, if there is one. */
export function againstAggregator({ round, published }: Material, proof: FraudProof | null): ProofInHand[] {
  if (proof === null) return [];
  return [{ type: 'proof', round: round.round, accused: published.aggregator, role: 'aggregator', proof }];
}

/** Questions that the aggregator owes the answers to. */
export function askAggregator(
  { round, published }: Material,
  kind: Exclude<ChunkKind, 'update'>,
  chunks: readonly number[],
  why: string,
): Dispute[] {
  const against = { round: round.round, accused: published.aggregator, role: 'aggregator' } as const;
  return chunks.map((chunk) => ({ type: 'question', ...against, kind, index: 0, chunk, why }));
}

/** One that a participant owes. */
export function askParticipant(
  round: number,
  { participant, index }: Submission,
  chunk: number,
  why: string,
): Question {
  return { type: 'question', round, accused: participant, role: 'participant', kind: 'update', index, chunk, why };
}
