/** What a stage of the pre-aggregation is: a pure function of the Gram matrix and of little more. */
import type { Hex } from '../../encoding/bytes.ts';
import type { InnerProducts } from '../gram.ts';
import type { Rule } from '../rule.ts';
import type { Mixing } from './mixing.ts';

/** How many of a row's d coordinates are above, at and below zero. */
export interface SignCounts {
  readonly positive: number;
  readonly zero: number;
  readonly negative: number;
}

/** What a stage may know besides the Gram matrix. */
export interface MixingContext {
  /** Participant index of every row; after bucketing, when rows are nobody's, their positions. */
  readonly indices: readonly number[];
  /** The round's seed, which the contract fixes only after commits are closed. */
  readonly seed: Hex;
  /** Per update; null unless `needsSigns(rule)`. */
  readonly signs: readonly SignCounts[] | null;
  /** d. */
  readonly dimension: number;
  /**
   * The rows of the Gram matrix are this many times the real ones; 1 for updates. Lengths that a rule names are not.
   */
  readonly scale: bigint;
}

/**
 * One stage. `gram` is that of the rows, for centred clipping with the history row as its last.
 * Pure; the same for any scale of the rows but where the rule names a length.
 */
export type Stage = (gram: InnerProducts, rule: Rule, context: MixingContext) => Mixing;
