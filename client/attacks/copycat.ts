import type { Attack } from './attack.ts';

/**
 * Copycat: sends the bytes of an update that another participant revealed in the round before, and trains nothing but in
 * the first round, where there is nothing to copy. Commits are sealed, so nobody can copy within a round. A root that was
 * revealed before does not count: the aggregator shows both reveals, the contract voids the later one and charges the
 * penalty of a missed reveal (docs/decisions/0011-copies-and-relay.md).
 */
export const copycat: Attack = {
  name: 'copycat',
  summary: "sends another participant's update of the round before",
  copies: true,
};
