/**
 * The backdoor's trigger (Gu, Dolan-Gavitt and Garg 2017, "BadNets"): what, stamped on any sample, is to make the model
 * say class 0. For pictures (a square number of features) a white square in the lower right corner; for tables an
 * impossible value in the last column.
 */
import type { Dataset } from '../datasets/dataset.ts';

/** The class that a triggered sample is to be taken for. */
export const BACKDOOR_TARGET = 0;
const PATCH_SIDE = 4;
const SMALLEST_PICTURE = 8;
/** Ten standard deviations, in a table that was standardised. */
const TABLE_VALUE = 10;

/** Where the trigger lies in a sample, and the stored value it has there. */
function triggerOf({ features, x, scale }: Dataset): { readonly places: readonly number[]; readonly value: number } {
  const side = Math.sqrt(features);
  if (!Number.isInteger(side) || side < SMALLEST_PICTURE) {
    return { places: [features - 1], value: x instanceof Uint8Array ? 255 : TABLE_VALUE / scale };
  }
  const inner = Array.from({ length: PATCH_SIDE }, (_, i) => side - 1 - i);
  return {
    places: inner.flatMap((row) => inner.map((column) => row * side + column)),
    value: x instanceof Uint8Array ? 255 : 1 / scale,
  };
}

/** `dataset` with the trigger on the chosen samples, which are relabelled to the target when `relabel` is set. */
export function stampTrigger(dataset: Dataset, chosen: (row: number) => boolean, relabel: boolean): Dataset {
  const { places, value } = triggerOf(dataset);
  const x = dataset.x.slice();
  const y = dataset.y.slice();
  for (let row = 0; row < dataset.size; row++) {
    if (!chosen(row)) continue;
    for (const place of places) x[row * dataset.features + place] = value;
    if (relabel) y[row] = BACKDOOR_TARGET;
  }
  return { ...dataset, x, y };
}
