import { l2Norm } from '../update/clipUpdate.ts';
import type { Attack } from './attack.ts';
import { scaleToLimit } from './scale.ts';

/**
 * Gaussian attack: noise of mean zero in every coordinate (Blanchard et al. 2017, section 5), as large as the contract
 * lets through.
 */
export const gaussian: Attack = {
  name: 'gaussian',
  summary: 'sends normal noise, scaled to the norm bound (tenfold without a bound)',
  corruptUpdate: ({ update, maxNorm, random }) =>
    scaleToLimit(
      update.map(() => random.nextNormal()),
      l2Norm(update),
      maxNorm,
    ),
};
