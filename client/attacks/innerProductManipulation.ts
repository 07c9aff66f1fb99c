import type { Attack } from './attack.ts';
import { meanOf } from './statistics.ts';

/** Xie et al. use factors between 0.1 and 10; 2 is what the benchmark suites settled on. */
const TAU = 2;

/**
 * Inner product manipulation (Xie, Koyejo and Gupta 2020, "Fall of Empires", section 4): `-tau * mean of the honest
 * updates`, so that the aggregate's inner product with the honest mean turns negative. A lone attacker does not see the
 * others' updates before they are revealed; its estimate of their mean is the federation's last published step, and its
 * own honest update in the first round.
 */
export const innerProductManipulation: Attack = {
  name: 'innerProductManipulation',
  summary: 'sends minus two times the honest mean (a node: times the last published step)',
  corruptUpdate: ({ update, lastStep }) => (lastStep ?? update).map((value) => -TAU * value),
  conspire: ({ honest }) => meanOf(honest).map((value) => -TAU * value),
};
