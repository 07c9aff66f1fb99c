import type { Attack } from './attack.ts';

/**
 * Label flipping (Fang et al. 2020, section 5): trains honestly on wrong labels, class c learnt as C-1-c (for digits
 * 9-y).
 */
export const labelFlipping: Attack = {
  name: 'labelFlipping',
  summary: 'trains on labels C-1-y (digits: 9-y) and sends the result',
  corruptDataset: (dataset) => ({ ...dataset, y: dataset.y.map((label) => dataset.classes - 1 - label) }),
};
