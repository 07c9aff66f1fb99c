/**
 * MoNNA(f, i), the mean of the n - f rows nearest row i, itself included (Farhadkhani, Guerraoui, Gupta, Hoang, Pinot,
 * Stephan 2023, "Robust Collaborative Learning with Linear Gradient Overhead", section 3). Made for peer-to-peer
 * learning, where every node takes its own row for the pivot: **the pivot is trusted**. Ties go to the lower index.
 *
 * Participant `rule.reference` is the pivot. When it has no valid update this round nobody may take its place (whoever
 * did would decide which rows count), so the aggregate is zero and the model stays.
 *
 * Needs n > 2f. Breakdown point 1/2 with an honest pivot, 0 without. Cost: O(n log n).
 */
import type { InnerProducts } from '../gram.ts';
import type { Rule } from '../rule.ts';
import type { Mixing } from './mixing.ts';
import { nearestOthers } from './nearestNeighborMixing.ts';
import { noRow, selectRows } from './selection.ts';
import type { MixingContext } from './stage.ts';

/** `gram` of n > 2f rows. Result: [n - f, n] selection rows, index ascending; one row of zeros without the pivot. */
export function monna(gram: InnerProducts, rule: Rule, context: MixingContext): Mixing {
  const { n } = gram;
  const pivot = context.indices.indexOf(rule.reference);
  if (pivot < 0) return noRow(n);
  return selectRows(n, [pivot, ...nearestOthers(gram, pivot).slice(0, n - rule.byzantine - 1)]);
}
