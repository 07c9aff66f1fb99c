import type { Attack } from './attack.ts';

/**
 * Free riding (Fraboni, Vidal and Lorenzi 2021, "Free-rider attacks on model aggregation", disguised form): no use of
 * own data; sends the federation's last step with fresh noise a tenth of its size, so that no two of its updates share
 * a root.
 */
export const freeRider: Attack = {
  name: 'freeRider',
  summary: 'sends the last published step with a little noise instead of learning anything',
  corruptUpdate: ({ update, lastStep, random }) => {
    const step = lastStep ?? new Float32Array(update.length);
    let sum = 0;
    for (const value of step) sum += value * value;
    // In the first round there is no step to copy: noise of four quantisation steps (of 2^-16) stands in for an update.
    const deviation = lastStep === null ? 2 ** -14 : 0.1 * Math.sqrt(sum / step.length);
    return step.map((value) => value + deviation * random.nextNormal());
  },
};
