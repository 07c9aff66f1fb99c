/**
 * The line-searched versions of two attacks (Shejwalkar and Houmansadr 2021; El Mhamdi et al. 2021 for the search): the
 * direction is the attack's, its length is what moves the actual rule's result farthest from the honest mean. Both need to
 * see the honest updates and to try the rule on them, so there are no lone versions.
 */
import type { Attack } from './attack.ts';
import { deviationOf, meanOf, stepAlong } from './statistics.ts';

/** How often the rule is tried in a round. */
const EVALUATIONS = 20;
/** A step that does not help is shortened to this part. */
const SHORTER = 0.8;

/** `-x * mean`, x found by search. */
export const searchedInnerProductManipulation: Attack = {
  name: 'searchedInnerProductManipulation',
  summary: 'sends minus x times the honest mean, x found by trying the rule (simulator only)',
  conspire({ honest, damage }) {
    const mean = meanOf(honest);
    const at = (x: number): Float32Array => mean.map((value) => -x * value);
    return at(searchFactor((x) => damage(at(x))));
  },
};

/** `mean - x * deviation`, x found by search. */
export const searchedALittleIsEnough: Attack = {
  name: 'searchedALittleIsEnough',
  summary: 'sends the honest mean minus x standard deviations, x found by trying the rule (simulator only)',
  conspire({ honest, damage }) {
    const mean = meanOf(honest);
    const deviation = deviationOf(honest, mean);
    const at = (x: number): Float32Array => stepAlong(mean, -x, deviation);
    return at(searchFactor((x) => damage(at(x))));
  },
};

/**
 * The factor of the largest damage among those tried: doubling steps from 0 while they help, then ever shorter steps to
 * either side of the best so far in turn.
 */
export function searchFactor(damage: (factor: number) => number, evaluations = EVALUATIONS): number {
  let best = 0;
  let most = damage(best);
  let step = 1;
  let grows = true;
  let side = 1;
  for (let tried = 1; tried < evaluations; tried++) {
    const candidate = Math.abs(best + side * step);
    const found = damage(candidate);
    if (found > most) {
      best = candidate;
      most = found;
      if (grows) step *= 2;
      continue;
    }
    step *= grows ? 0.5 : SHORTER;
    grows = false;
    side = -side;
  }
  return best;
}
