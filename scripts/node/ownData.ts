/** What a participant trains on and measures itself with. */
import { holdOut } from '../../client/datasets/split.ts';
import { type AnyDataset, isText } from '../../client/datasets/text/textDataset.ts';
import type { SeedPart } from '../../client/random.ts';

export interface OwnData {
  readonly train: AnyDataset;
  readonly test: AnyDataset;
}

/**
 * The data of a participant that makes itself a model of its own: a share of its own samples is kept from training, since
 * held-out samples that are everybody's do not say what a model does for one. Of text the held-out files are its own
 * already.
 *
 * @throws AssayError `HOLD_OUT` when there are too few samples
 */
export function holdOutOwn(silo: OwnData, share: number, seed: SeedPart): OwnData {
  return isText(silo.train) ? silo : holdOut(silo.train, share, seed);
}
