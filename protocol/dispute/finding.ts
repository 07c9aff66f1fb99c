/**
 * What an auditor concludes about somebody's conduct. A dishonest peer is not an exception: everything it can do ends
 * as one of these in a report.
 */
import type { Hex } from '../encoding/bytes.ts';

export const FINDING_KINDS = [
  /** A reveal does not match the commit that the chain holds. */
  'commitMismatch',
  /** The chain's accumulator is not the hash of the chain's own reveals. */
  'accumulatorMismatch',
  /** The same root was revealed twice. */
  'copiedUpdate',
  /** A revealed norm exceeds the federation's bound. */
  'normBoundExceeded',
  /** Nobody who was asked could serve the bytes of a CID. */
  'payloadUnavailable',
  /** The bytes under the CID have the wrong length or padding, or the CID names no file. */
  'payloadInvalid',
  /** The payload's root or squared norm is not what was revealed. */
  'commitmentMismatch',
  /** The published Gram matrix is not that of the updates. */
  'gramMismatch',
  /** The published mixing matrix is not what the rule makes of the Gram matrix. */
  'mixingMismatch',
  /** The published server state is not what the step leaves. */
  'stateMismatch',
  /** The published model is not what the rule and the step make of the updates. */
  'modelMismatch',
  /** The published model's bytes do not have the published root. */
  'modelPayloadMismatch',
  /** Somebody published who was not the leader of the turn, or out of turn. */
  'wrongLeader',
  /** The aggregator left out a submission that counts: every one that is not void does. */
  'wronglyExcluded',
  /** The evidence document contradicts the chain or the replay. */
  'evidenceMismatch',
  /** The events contradict the contract's own state. */
  'chainInconsistent',
] as const;

export type FindingKind = (typeof FINDING_KINDS)[number];

/**
 * `breach`: the published result of the round is wrong or cannot be checked; an audit with one fails. `misconduct`:
 * somebody misbehaved and no published result depends on it, as when a participant's payload does not match what it
 * revealed and the round is not published yet.
 */
export type Severity = 'breach' | 'misconduct';

export interface Finding {
  readonly kind: FindingKind;
  readonly severity: Severity;
  /** 0 for findings about the federation as a whole. */
  readonly round: number;
  /** Who is to blame, where somebody is. */
  readonly accused: Hex | null;
  readonly role: 'participant' | 'aggregator' | 'contract' | 'unknown';
  /** One sentence for people. */
  readonly message: string;
  readonly expected: string | null;
  readonly received: string | null;
  /** The first coordinate that differs, where the finding is about a vector. */
  readonly divergence: Divergence | null;
}

/** The first place at which a published vector departs from the replayed one. */
export interface Divergence {
  readonly round: number;
  /** Index of the chunk: the leaf that a fraud proof opens. */
  readonly chunk: number;
  /** Index of the coordinate in the whole vector. */
  readonly coordinate: number;
  readonly expected: number;
  readonly published: number;
}
