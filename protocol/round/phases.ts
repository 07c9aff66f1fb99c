/**
 * The phases of a round, one name everywhere: the Solidity enum member, this literal, the event, the heading in
 * docs/lifecycle.md. In the order of the Solidity enum `RoundPhase`.
 *
 *     open --first commit--> commit --> reveal --> aggregate --publish--> challenge --> final
 *                                          \--too few reveals--> abandoned
 */
export const ROUND_PHASES = [
  'none',
  'open',
  'commit',
  'reveal',
  'aggregate',
  'challenge',
  'final',
  'abandoned',
] as const;

export type RoundPhase = (typeof ROUND_PHASES)[number];

/** Whether a model has been published for the round and not been voided. */
export function isPublished(phase: RoundPhase): boolean {
  return phase === 'challenge' || phase === 'final';
}
