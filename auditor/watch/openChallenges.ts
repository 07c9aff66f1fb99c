/** Which availability challenges wait for something, as the events tell it. */
import type { Hex } from '../../protocol/encoding/bytes.ts';
import type { ChallengeOpened, FederationEvent } from '../chain/decodeEvents.ts';

/** Neither answered nor settled (a conviction returns the bond, too), in their order. An id can be opened again. */
export function openChallenges(events: readonly FederationEvent[]): ChallengeOpened[] {
  const open = new Map<Hex, ChallengeOpened>();
  for (const event of events) {
    if (event.name === 'challengeOpened') open.set(event.id, event);
    if (event.name === 'challengeAnswered' || event.name === 'challengeRefunded') open.delete(event.id);
  }
  return [...open.values()];
}
