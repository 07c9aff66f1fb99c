/**
 * What availability challenges brought to light. The contract verified each answer under the root it was about, so an
 * answer is as good as a payload from its owner, for one chunk.
 */
import type { Answers } from '../../protocol/dispute/descend.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import type { ChunkKind, FederationEvent } from '../chain/decodeEvents.ts';

export interface AnsweredChunk {
  readonly id: Hex;
  readonly round: number;
  readonly kind: ChunkKind;
  /** The participant's index, for an update. */
  readonly index: number;
  /** For the Gram matrix: the leaf of its tree. */
  readonly chunk: number;
  /** The chunk and its path, packed. */
  readonly opening: Uint8Array;
}

/**
 * All answers, in the order of the chain; also those about openings and publications that stand no more: whoever uses
 * one compares it with the root in question.
 */
export function answeredChunks(events: readonly FederationEvent[]): AnsweredChunk[] {
  const asked = new Map<Hex, Omit<AnsweredChunk, 'opening'>>();
  const answers: AnsweredChunk[] = [];
  for (const event of events) {
    if (event.name === 'challengeOpened') {
      const { id, round, kind, index, chunk } = event;
      asked.set(id, { id, round, kind, index, chunk });
    }
    if (event.name !== 'challengeAnswered') continue;
    const question = asked.get(event.id);
    if (question !== undefined) answers.push({ ...question, opening: event.opening });
  }
  return answers;
}

/** What was answered of one vector: those that are about another root are for the reader to refuse. */
export function answersAbout(answers: readonly AnsweredChunk[], kind: ChunkKind, index = 0): Answers {
  const about = answers.filter((answer) => answer.kind === kind && (kind !== 'update' || answer.index === index));
  return new Map(about.map(({ chunk, opening }) => [chunk, opening]));
}
