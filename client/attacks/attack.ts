import type { Dataset } from '../datasets/dataset.ts';
import type { Random } from '../random.ts';

/** What a lone attacker knows when it makes up its update: its own training, and what everybody can read. */
export interface AttackContext {
  /** The update honest training gave, `[d]`, float units. */
  readonly update: Float32Array;
  /** The largest L2 norm the contract lets through; `null` without a bound. */
  readonly maxNorm: number | null;
  /**
   * The federation's last published step, `[d]` (public: difference of two model snapshots); `null` in the first round.
   */
  readonly lastStep: Float32Array | null;
  readonly random: Random;
}

/**
 * A Byzantine participant's behaviour, for testing how robust a federation is. Either half may be missing: some attacks
 * poison the data and train honestly on it, others make up the update.
 */
export interface Attack {
  /** The field's name for it. */
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  corruptDataset?(dataset: Dataset): Dataset;
  corruptUpdate?(context: AttackContext): Float32Array;
}
