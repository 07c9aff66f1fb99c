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
  corruptUpdate: ({ update, maxNorm }) => largestNegated(update, maxNorm),
  conspire: ({ honest }) => negated(meanOf(honest)),
};

/** The same as strong as the contract lets it be with either knowledge (RSA multiplies by 4): what averaging cannot bear. */
export const scaledSignFlipping: Attack = {
  name: 'scaledSignFlipping',
  summary: 'the same with either knowledge (for a node: signFlipping)',
  corruptUpdate: ({ update, maxNorm }) => largestNegated(update, maxNorm),
  conspire: ({ honest, maxNorm }) => largestNegated(meanOf(honest), maxNorm),
};

const negated = (vector: Float32Array): Float32Array => vector.map((value) => -value);

function largestNegated(vector: Float32Array, maxNorm: number | null): Float32Array {
  return scaleToLimit(negated(vector), l2Norm(vector), maxNorm);
}
