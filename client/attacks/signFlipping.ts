import { l2Norm } from '../update/clipUpdate.ts';
import type { Attack } from './attack.ts';
import { scaleToLimit } from './scale.ts';

/**
 * Sign flipping: the negated honest update, as large as the contract lets through (Li et al. 2019, "RSA"; the
 * norm-bounded form is the strongest a single attacker can make of it).
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
};
