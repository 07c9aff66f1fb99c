import type { VectorLayout } from '../encoding/layout.ts';
import type { Divergence } from './finding.ts';

/**
 * The first coordinate at which `published` departs from `expected`, or null when they are equal. Shapes [d] or padded
 * to whole chunks, each: a coordinate that one of them does not have counts as the zero of the padding.
 *
 * @example
 * const published = Int32Array.from({ length: 600 }, (_, i) => (i === 300 ? 7 : 0));
 * findFirstDivergence(4, vectorLayout(600), new Int32Array(600), published);
 * // { round: 4, chunk: 1, coordinate: 300, expected: 0, published: 7 }
 */
export function findFirstDivergence(
  round: number,
  layout: VectorLayout,
  expected: Int32Array,
  published: Int32Array,
): Divergence | null {
  const length = Math.max(expected.length, published.length);
  let coordinate = 0;
  while (coordinate < length && (expected[coordinate] ?? 0) === (published[coordinate] ?? 0)) coordinate++;
  if (coordinate === length) return null;
  return {
    round,
    chunk: Math.floor(coordinate / layout.chunkSize),
    coordinate,
    expected: expected[coordinate] ?? 0,
    published: published[coordinate] ?? 0,
  };
}
