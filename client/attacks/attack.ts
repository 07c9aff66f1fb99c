import type { Dataset } from '../datasets/dataset.ts';
import type { Random } from '../random.ts';

/**
 * What a lone attacker knows when it makes up its update: its own training, and what everybody can read. Shapes: [d],
 * float units.
 */
export interface AttackContext {
  /** The update honest training on its own data gave. */
  readonly update: Float32Array;
  /** The largest L2 norm the contract lets through; `null` without a bound. */
  readonly maxNorm: number | null;
  /** The federation's last published step (public: difference of two model snapshots); `null` in the first round. */
  readonly lastStep: Float32Array | null;
  readonly random: Random;
  /** How many attack together, of how many; `null` for who knows of no accomplice. */
  readonly collusion?: { readonly attackers: number; readonly participants: number } | null;
}

/**
 * What attackers know in the threat model of the robust-aggregation papers: every honest update of the round before it
 * is aggregated, the rule, and each other. On a chain commitments are sealed and nobody can know as much; the simulator
 * grants it, so that its figures are no better than the papers'.
 */
export interface OmniscientView {
  /** The honest updates as they are sent (clipped and rounded), [h][d], float units; at least one. */
  readonly honest: readonly Float32Array[];
  /** How many attackers send what is crafted; each rounds it with its own dice. */
  readonly attackers: number;
  /** The largest L2 norm the contract lets through; `null` without a bound. */
  readonly maxNorm: number | null;
  /** L2 distance from the honest mean to what the actual rule makes of `honest` and `attackers` copies of a candidate. */
  damage(candidate: Float32Array): number;
  /** What the attackers wrote down in earlier rounds of the same run. */
  readonly notes: Map<string, number>;
}

/**
 * A Byzantine participant's behaviour, for testing how robust a federation is. Any part may be missing: some attacks
 * poison the data and train honestly on it, others make up the update. What an attack sends still goes through clipping
 * and rounding, since beyond the bound the contract would refuse it; only `forgePayload` leaves that out.
 */
export interface Attack {
  /** The field's name for it. */
  readonly name: string;
  /** One line for `--help`. */
  readonly summary: string;
  corruptDataset?(dataset: Dataset): Dataset;
  /** The lone version: what a node that knows no more than everybody sends. */
  corruptUpdate?(context: AttackContext): Float32Array;
  /** The omniscient version: what every attacker sends. Attacks without one are the same with either knowledge. */
  conspire?(view: OmniscientView): Float32Array;
  /** Coordinates that go out as they are, past the node's own checks: for seeing what the contract does about them. */
  forgePayload?(context: AttackContext): Int16Array;
  /** Sends the bytes of an update that somebody else revealed in the round before. */
  readonly copies?: true;
}

/** Whether a node can run it: the others need to see updates that are sealed until it is too late. */
export function isLone(attack: Attack): boolean {
  return attack.conspire === undefined || attack.corruptUpdate !== undefined || attack.corruptDataset !== undefined;
}

/** Whether the contract does not count what it sends, at least under a norm bound. */
export function isRefused({ copies, forgePayload }: Attack): boolean {
  return copies === true || forgePayload !== undefined;
}
