/**
 * What to do about a wrong number: prove it, or, where the bytes that would prove it are not to be had, ask for them on
 * the chain. Who does not answer is convicted for that; who answers hands over the proof.
 */
import type { FraudProof } from '../../protocol/dispute/fraudProof.ts';
import type { Hex } from '../../protocol/encoding/bytes.ts';
import type { ChunkKind, StakedRole } from '../chain/decodeEvents.ts';

interface Against {
  readonly round: number;
  readonly accused: Hex;
  readonly role: StakedRole;
}

export interface ProofInHand extends Against {
  readonly type: 'proof';
  readonly proof: FraudProof;
}

export interface Question extends Against {
  readonly type: 'question';
  readonly kind: ChunkKind;
  /** The participant's index for an update, else 0. */
  readonly index: number;
  readonly chunk: number;
  /** One sentence for people. */
  readonly why: string;
}

export type Dispute = ProofInHand | Question;
