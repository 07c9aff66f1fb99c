import type { Attack } from './attack.ts';
import { deviationOf, knownUpdates, meanOf, stepAlong } from './statistics.ts';

/** Small enough to hide among honest updates, large enough to matter when repeated; the benchmark suites' value. */
const Z = 1.5;

/**
 * A little is enough (Baruch, Baruch and Goldberg 2019, algorithm 3): the honest mean moved by z standard deviations
 * (h - 1 in the denominator) in every coordinate, to one side all. Which side hurts depends on the task, so both are
 * there. Lone: mean and deviation of what it knows, its own update and the last published step; its honest update in
 * the first round.
 */
export const aLittleIsEnough: Attack = towards(
  'aLittleIsEnough',
  -Z,
  'sends the honest mean minus 1.5 standard deviations (a node: of its own update and the last step)',
);

/** The same towards the other side. */
export const aLittleIsEnoughUpward: Attack = towards(
  'aLittleIsEnoughUpward',
  Z,
  'the same, plus 1.5 standard deviations',
);

function towards(name: string, z: number, summary: string): Attack {
  const shift = (rows: readonly Float32Array[]): Float32Array => {
    const mean = meanOf(rows);
    return stepAlong(mean, z, deviationOf(rows, mean));
  };
  return {
    name,
    summary,
    corruptUpdate: ({ update, lastStep }) => shift(knownUpdates(update, lastStep)),
    conspire: ({ honest }) => shift(honest),
  };
}
