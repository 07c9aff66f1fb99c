/**
 * MDA(f), minimum-diameter averaging: the mean of the n - f rows whose largest pairwise distance is least, of several
 * such sets the first in lexicographic order (Rousseeuw 1985; "Brute" in El Mhamdi, Guerraoui, Rouault 2018, "The
 * Hidden Vulnerability of Distributed Learning in Byzantium"; "MDA" in El Mhamdi et al. 2020, "Genuinely Distributed
 * Byzantine Machine Learning").
 *
 * Not by trying all C(n, f) sets: rows farther apart than r are in conflict, and n - f rows of diameter r exist exactly
 * when at most f rows cover all conflicts. That is decided by a search tree that takes a row out, or else all its
 * rivals, with fewer than 1.7^f leaves whatever n is; r by bisection over the distances; and the first set by asking of
 * one row after the other whether it can stay. Same result as the enumeration, with f up to MAX_DIAMETER_BYZANTINE
 * (rule.ts): 100 rows arranged by an adversary take a fraction of a second.
 *
 * Needs n > 2f. Breakdown point 1/2: the set holds an honest majority within its diameter, which is at most that of the
 * honest rows. Cost: O((n + log n) 1.7^f n).
 */
import { type InnerProducts, squaredDistance } from '../gram.ts';
import type { Rule } from '../rule.ts';
import { ascending } from '../wholeNumbers.ts';
import type { Mixing } from './mixing.ts';
import { selectRows } from './selection.ts';

/** `gram` of n > 2f rows, f <= MAX_DIAMETER_BYZANTINE. Result: [n - f, n] selection rows, index ascending. */
export function minimumDiameter(gram: InnerProducts, rule: Rule): Mixing {
  const { n } = gram;
  const distances = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_unused, j) => (i === j ? 0n : squaredDistance(gram, i, j))),
  );
  const lengths = [...new Set(distances.flatMap((row, i) => row.slice(i + 1)))].sort(ascending);
  let low = 0;
  let high = lengths.length - 1; // no conflict at all
  while (low < high) {
    const middle = (low + high) >> 1;
    if (new Conflicts(distances, lengths[middle]!).canClear(rule.byzantine)) high = middle;
    else low = middle + 1;
  }
  const diameter = lengths[high] ?? 0n; // a single row has none
  return selectRows(n, new Conflicts(distances, diameter).firstCleared(rule.byzantine));
}

/** The graph of rows that lie farther apart than `diameter`, from which rows are taken out and put back. */
class Conflicts {
  readonly #rivals: readonly (readonly number[])[];
  readonly #present: Uint8Array;
  /** Rivals of each row that are present. */
  readonly #degrees: Int32Array;

  constructor(distances: readonly (readonly bigint[])[], diameter: bigint) {
    this.#rivals = distances.map((row, i) => row.flatMap((distance, j) => (j !== i && distance > diameter ? [j] : [])));
    this.#present = new Uint8Array(distances.length).fill(1);
    this.#degrees = Int32Array.from(this.#rivals, (rivals) => rivals.length);
  }

  /** Whether taking out at most `budget` rows ends all conflicts. Leaves the graph as it was. */
  canClear(budget: number): boolean {
    let worst = -1;
    let degree = 0;
    let twiceConflicts = 0;
    for (let i = 0; i < this.#present.length; i++) {
      if (this.#present[i] === 0) continue;
      const own = this.#degrees[i]!;
      twiceConflicts += own;
      if (own > degree) {
        degree = own;
        worst = i;
      }
    }
    if (degree === 0) return true;
    if (twiceConflicts > 2 * budget * degree) return false; // nobody ends more than `degree` of them
    if (degree === 1) return true; // separate pairs, one row each
    return this.#without([worst], budget) || this.#without(this.#presentRivals(worst), budget);
  }

  /** The first n - budget rows in lexicographic order that have no conflict; there must be some (`canClear`). */
  firstCleared(budget: number): number[] {
    const kept: number[] = [];
    let left = budget;
    for (let i = 0; kept.length < this.#present.length - budget; i++) {
      if (this.#present[i] === 0) continue;
      const rivals = this.#presentRivals(i);
      const out = this.#without(rivals, left) ? rivals : [i];
      for (const j of out) this.#take(j);
      left -= out.length;
      if (out === rivals) kept.push(i);
    }
    return kept;
  }

  /** Whether the conflicts can be ended when all of `rows` go. */
  #without(rows: readonly number[], budget: number): boolean {
    if (rows.length > budget) return false;
    for (const row of rows) this.#take(row);
    const cleared = this.canClear(budget - rows.length);
    for (const row of rows) this.#putBack(row);
    return cleared;
  }

  #presentRivals(row: number): number[] {
    return this.#rivals[row]!.filter((rival) => this.#present[rival] === 1);
  }

  #take(row: number): void {
    this.#present[row] = 0;
    for (const rival of this.#rivals[row]!) this.#degrees[rival] = this.#degrees[rival]! - 1;
  }

  #putBack(row: number): void {
    this.#present[row] = 1;
    for (const rival of this.#rivals[row]!) this.#degrees[rival] = this.#degrees[rival]! + 1;
  }
}
