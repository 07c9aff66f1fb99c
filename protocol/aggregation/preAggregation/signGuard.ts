/**
 * SignGuard (Xu, Huang, Song, Lan 2022, "Byzantine-robust Federated Learning through Collaborative Malicious Gradient
 * Filtering"): two filters, then a mean of clipped rows.
 *
 *     S1: rows with 0.1 M <= |x_i| <= 3 M,  M the median norm
 *     S2: the largest cluster of rows by the shares of their coordinates above, at and below zero
 *     a = (1/|S|) sum over S1 and S2 of min(1, M / |x_i|) x_i
 *
 * Defined here where the paper leaves it open: M is, for even n, the lower of the two norms in the middle; all
 * coordinates are counted (the paper samples a tenth); the clusters are those of the mean shift below. When no row
 * passes both filters the aggregate is zero and the model stays.
 *
 * **Mean shift** (Comaniciu, Meer 2002) with a flat kernel over points in Z^3, the shares in 2^-16, rounded down. The
 * bandwidth h is the mean, over all points, of the distance to the floor(n/2)-th nearest point (each its own first
 * one), every distance rounded down, at least 1. From every point: move to the mean (rounded down) of the points within
 * h, until it rests or for 64 steps. Where they rest are the centres, by descending number of points within h, then
 * ascending coordinates; a centre within h of one before it is dropped; every point belongs to its nearest centre, of
 * equally near ones to the first. Of clusters of the same size the one with the lowest row is taken.
 *
 * Needs n > 2f, which makes M lie between two honest norms. A heuristic without a proven breakdown point: Byzantine
 * rows that have the right norm and honest shares of signs pass. Cost: O(64 n^2) small integers.
 */
import { AssayError } from '../../errors.ts';
import { gramEntry, type InnerProducts } from '../gram.ts';
import type { Rule } from '../rule.ts';
import { ascending } from '../wholeNumbers.ts';
import { clippingWeight } from './adaptiveClipping.ts';
import { type Mixing, WEIGHT_ONE } from './mixing.ts';
import { noRow } from './selection.ts';
import type { MixingContext, SignCounts } from './stage.ts';

/** 1.0 of a share. Squared distances of points stay below 2^35, sums of 100 coordinates below 2^23. */
const SHARE_ONE = 2 ** 16;
const MOST_SHIFTS = 64;

type Point = readonly [number, number, number];

/**
 * Only for updates themselves: the signs of mixed rows are not known. Result: [1, n] weights 0 <= W <= 2^14 over the
 * number of rows kept times 2^14.
 * @throws AssayError `NO_SIGNS` without the counts of signs.
 */
export function signGuard(gram: InnerProducts, _rule: Rule, context: MixingContext): Mixing {
  const { n } = gram;
  const { signs, dimension } = context;
  if (signs === null || signs.length !== n) {
    throw new AssayError('NO_SIGNS', {
      summary: 'signguard needs the counts of signs of every row',
      expected: `counts for ${n} rows (see needsSigns)`,
      received: signs === null ? 'none' : `${signs.length}`,
    });
  }
  const squares = Array.from({ length: n }, (_, i) => gramEntry(gram, i, i));
  const median = [...squares].sort(ascending)[(n - 1) >> 1]!;
  const alike = largestCluster(signs.map((counts) => shares(counts, dimension)));
  const kept = alike.filter((i) => median <= 100n * squares[i]! && squares[i]! <= 9n * median);
  if (kept.length === 0) return noRow(n);
  const weights = new Int32Array(n);
  for (const i of kept) weights[i] = squares[i]! > median ? clippingWeight(median, squares[i]!) : WEIGHT_ONE;
  return { rows: 1, columns: n, weights, denominator: kept.length * WEIGHT_ONE };
}

/** Shares of coordinates above, at and below zero in 2^-16, rounded down: count * 2^16 < 2^49. */
function shares({ positive, zero, negative }: SignCounts, dimension: number): Point {
  const share = (count: number) => Math.floor((count * SHARE_ONE) / dimension);
  return [share(positive), share(zero), share(negative)];
}

/** The members of the largest mean-shift cluster, ascending. */
export function largestCluster(points: readonly Point[]): number[] {
  const width = bandwidth(points);
  const isNear = (a: Point, b: Point) => squaredLength(a, b) <= width * width;
  const centres = points.map((point) => {
    let at = point;
    for (let step = 0; step < MOST_SHIFTS; step++) {
      const near = points.filter((other) => isNear(at, other));
      const next = near.length === 0 ? at : mean(near);
      if (squaredLength(at, next) === 0) break;
      at = next;
    }
    return { at, near: points.filter((other) => isNear(at, other)).length };
  });
  const kept: Point[] = [];
  for (const { at } of centres.sort((a, b) => b.near - a.near || compare(a.at, b.at))) {
    if (!kept.some((centre) => isNear(centre, at))) kept.push(at);
  }
  const clusters = kept.map((): number[] => []);
  points.forEach((point, i) => {
    const lengths = kept.map((centre) => squaredLength(centre, point));
    clusters[lengths.indexOf(Math.min(...lengths))]!.push(i);
  });
  // A nearest centre may have no point of its own; of equal sizes the lowest first member decides.
  return clusters.reduce((best, cluster) =>
    cluster.length > best.length || (cluster.length === best.length && cluster[0]! < best[0]!) ? cluster : best,
  );
}

/** For `sort`: axis by axis. */
function compare(a: Point, b: Point): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

function bandwidth(points: readonly Point[]): number {
  const rank = Math.max(points.length >> 1, 1) - 1;
  const sum = points.reduce((total, point) => {
    const lengths = points.map((other) => squaredLength(point, other)).sort((a, b) => a - b);
    return total + Math.floor(Math.sqrt(lengths[rank]!));
  }, 0);
  return Math.max(Math.floor(sum / points.length), 1);
}

function mean(points: readonly Point[]): Point {
  const total = (axis: 0 | 1 | 2) => points.reduce((sum, point) => sum + point[axis], 0);
  return [0, 1, 2].map((axis) => Math.floor(total(axis as 0 | 1 | 2) / points.length)) as unknown as Point;
}

function squaredLength(a: Point, b: Point): number {
  return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
}
