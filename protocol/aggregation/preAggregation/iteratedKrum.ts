/**
 * Iterated Krum: the selection of Bulyan(f) (El Mhamdi, Guerraoui, Rouault 2018, "The Hidden Vulnerability of
 * Distributed Learning in Byzantium", section 4). theta = n - 2f times: take the row with the lowest Krum score, remove
 * it, and score the n' rows that remain again, each by its n' - f - 2 nearest of them. (One pass of Multi-Krum, which
 * some libraries call Bulyan, keeps the scores of rows that are gone.) Ties go to the lower index.
 *
 * The last picks would leave n' - f - 2 = 0 neighbours, and every score 0, when f is 1: at least the nearest one
 * counts.
 *
 * Needs n >= 4f + 3. With `bulyan`, which then averages the theta - 2f values nearest each coordinate's median, at most
 * f of n rows can be Byzantine: the breakdown point is below 1/4. Cost: O(n^2 log n + theta n^2) additions.
 */
import { gramEntry, type InnerProducts } from '../gram.ts';
import type { Rule } from '../rule.ts';
import type { Mixing } from './mixing.ts';
import { nearestOthers } from './nearestNeighborMixing.ts';
import { selectRows } from './selection.ts';

/** `gram` of n >= 4f + 3 rows. Result: [n - 2f, n] selection rows, index ascending. */
export function iteratedKrum(gram: InnerProducts, rule: Rule): Mixing {
  return selectRows(gram.n, iteratedKrumPicks(gram, rule.byzantine));
}

/** The n - 2f rows in the order in which they are picked. */
export function iteratedKrumPicks(gram: InnerProducts, f: number): number[] {
  const { n } = gram;
  const squares = Array.from({ length: n }, (_, i) => gramEntry(gram, i, i));
  const neighbours = squares.map((square, i) =>
    nearestOthers(gram, i).map((j) => ({ j, distance: square + squares[j]! - 2n * gramEntry(gram, i, j) })),
  );
  const left = new Set(squares.keys());
  const picks: number[] = [];
  while (picks.length < n - 2 * f) {
    const counted = Math.max(left.size - f - 2, 1);
    let best = -1;
    let lowest = 0n;
    for (const i of left) {
      // A set keeps the order of insertion, so indices ascend and the first of equal scores stays.
      let score = 0n;
      let seen = 0;
      for (const { j, distance } of neighbours[i]!) {
        if (seen === counted) break;
        if (!left.has(j)) continue;
        score += distance;
        seen++;
      }
      if (best < 0 || score < lowest) {
        best = i;
        lowest = score;
      }
    }
    picks.push(best);
    left.delete(best);
  }
  return picks;
}
