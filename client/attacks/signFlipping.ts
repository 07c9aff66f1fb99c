import { l2Norm } from '../update/clipUpdate.ts';
import type { Attack } from './attack.ts';
import { scaleToLimit } from './scale.ts';
import { meanOf } from './statistics.ts';

/**
 * Sign flipping (Li et al. 2019, "RSA", section 5). Omniscient: the negated mean of the honest updates. Lone: the negated
 * own update, as large as the contract lets through, the strongest a single attacker can make of it.
 */
export const signFlipping: Attack = {
  name: 'signFlipping',
  summary: 'sends the negated update, scaled to the norm bound (tenfold without a bound)',
  corruptUpdate: ({ update, maxNorm }) =>
    scaleToLimit(
      update.map((value) => -value),
      l2Norm(update),
      maxNorm,
    ),
  conspire: ({ honest }) => meanOf(honest).map((value) => -value),
};
