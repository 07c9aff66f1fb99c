import { l2Norm } from '../update/clipUpdate.ts';

/** How far an attacker scales its update where no bound stops it. */
const UNBOUNDED_FACTOR = 10;

/**
 * `direction` at the largest norm the contract lets through, or ten times the honest update's norm where there is no
 * bound.
 */
export function scaleToLimit(direction: Float32Array, honestNorm: number, maxNorm: number | null): Float32Array {
  const norm = l2Norm(direction);
  if (norm === 0) return direction.slice();
  const factor = (maxNorm ?? UNBOUNDED_FACTOR * honestNorm) / norm;
  return direction.map((value) => value * factor);
}
