/** Who counted, and what did not, over the rounds of a run. */
import { LEFT_OUT_BELOW } from './keptShares.ts';
import type { Participant } from './participants.ts';

export interface TallyResult {
  /** Per honest participant: part of its rounds in which it had less than half of an equal share. */
  readonly leftOut: readonly number[];
  /** Per honest participant: its mean share, 1 being an equal one. */
  readonly share: readonly number[];
  /** Attackers' mean share; null without any that counted. */
  readonly attackerShare: number | null;
  /** Updates that the contract would not count: norm above the bound, or copied. */
  readonly refused: number;
  /** Rounds without enough updates for the rule; the model stays as it is. */
  readonly abandoned: number;
}

/** Sums over the rounds of a run. */
export class Tally {
  refused = 0;
  abandoned = 0;
  private readonly rounds: number[];
  private readonly out: number[];
  private readonly shares: number[];
  private attackerShares = 0;
  private attackerRounds = 0;

  constructor(participants: number) {
    this.rounds = new Array<number>(participants).fill(0);
    this.out = this.rounds.slice();
    this.shares = this.rounds.slice();
  }

  add({ index, attacks }: Participant, share: number): void {
    if (attacks) {
      this.attackerShares += share;
      this.attackerRounds++;
      return;
    }
    this.rounds[index]!++;
    this.shares[index]! += share;
    if (share < LEFT_OUT_BELOW) this.out[index]!++;
  }

  summary(honest: readonly number[]): TallyResult {
    const mean = (sums: readonly number[]) =>
      honest.map((i) => (this.rounds[i] === 0 ? 0 : sums[i]! / this.rounds[i]!));
    return {
      leftOut: mean(this.out),
      share: mean(this.shares),
      attackerShare: this.attackerRounds === 0 ? null : this.attackerShares / this.attackerRounds,
      refused: this.refused,
      abandoned: this.abandoned,
    };
  }
}
