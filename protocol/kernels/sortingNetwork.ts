/**
 * Sorting networks: fixed lists of comparators that sort every input, so that a machine sorts many columns at once, one
 * per SIMD lane, without a branch. Batcher's odd-even merge (1968; Knuth, TAOCP 3, 5.3.4) for any number of wires, cut
 * where it costs least, then pruned backwards to what is asked of the sorted column.
 */

/** Puts the smaller of two wires' values on `low`, the greater on `high`. */
export interface Comparator {
  readonly low: number;
  readonly high: number;
  /** False where nobody reads that side. */
  readonly keepsLow: boolean;
  readonly keepsHigh: boolean;
}

/**
 * What is asked of each position of the sorted column: its very value; only that it is one of the values of its kind,
 * in any order (they get summed); or nothing.
 */
export type Asked = 'value' | 'sum' | 'nothing';

export interface SelectionNetwork {
  readonly comparators: readonly Comparator[];
  /** The wire that ends with the value of sorted position 0, 1, ... (or with one of its kind). */
  readonly wires: readonly number[];
}

type Pair = readonly [low: number, high: number];

/** The comparators, in order, after which every sorted position has its wire. Shape of `asked`: [m]. */
export function selectionNetwork(asked: readonly Asked[]): SelectionNetwork {
  const pairs: Pair[] = [];
  const wires = sort(0, asked.length, pairs);
  const asks: Asked[] = [];
  for (const [position, wire] of wires.entries()) asks[wire] = asked[position]!;
  return { comparators: prune(pairs, asks), wires };
}

/**
 * Sorts the wires `first`, `first` + 1, ...; returns them in the order of their values. Depth first: fewer values are in
 * flight than layer by layer.
 */
function sort(first: number, count: number, out: Pair[]): number[] {
  if (count < 2) return count === 1 ? [first] : [];
  const half = count >> 1;
  return merge(sort(first, count - half, out), sort(first + count - half, half, out), out);
}

/** Merges two sorted lists of wires: the ones at even places, the ones at odd places, then neighbours. */
function merge(a: readonly number[], b: readonly number[], out: Pair[]): number[] {
  if (a.length === 0 || b.length === 0) return [...a, ...b];
  if (a.length === 1 && b.length === 1) {
    out.push([a[0]!, b[0]!]);
    return [a[0]!, b[0]!];
  }
  const every = (list: readonly number[], from: number) => list.filter((_, i) => i % 2 === from);
  const even = merge(every(a, 0), every(b, 0), out);
  const odd = merge(every(a, 1), every(b, 1), out);
  const merged = [even[0]!];
  for (let i = 0; i < odd.length || i + 1 < even.length; i++) {
    const pair = [odd[i], even[i + 1]].filter((wire) => wire !== undefined);
    if (pair.length === 2) out.push([pair[0]!, pair[1]!]);
    merged.push(...pair);
  }
  return merged;
}
/**
 * From the outputs backwards: a comparator whose two outputs are summed with the same set, or read by nobody, changes
 * nothing that is asked; one with a single reader is a minimum or a maximum only. What is left asks for the values of
 * its inputs.
 */
function prune(pairs: readonly Pair[], asked: readonly Asked[]): Comparator[] {
  const asks = [...asked];
  const kept: Comparator[] = [];
  for (const [low, high] of pairs.toReversed()) {
    if (asks[low] === asks[high] && asks[low] !== 'value') continue;
    kept.push({ low, high, keepsLow: asks[low] !== 'nothing', keepsHigh: asks[high] !== 'nothing' });
    asks[low] = 'value';
    asks[high] = 'value';
  }
  return kept.reverse();
}
