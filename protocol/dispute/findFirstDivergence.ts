import type { VectorLayout } from '../encoding/layout.ts';
import type { Divergence } from './finding.ts';

/** Where in a vector a range of it lies. */
export interface VectorRange {
  /** Its first chunk. */
  readonly chunk: number;
  /** Vectors that lie chunk by chunk in one another: more than one in the state of an adaptive server step. */
  readonly planes: number;
}

const WHOLE_VECTOR: VectorRange = { chunk: 0, planes: 1 };

/**
 * The first coordinate at which `published` departs from `expected`, or null when they are equal. Shapes [d] or padded
 * to whole chunks, each: a coordinate that one of them does not have counts as the zero of the padding.
 * Where only a `range` of the vectors is at hand, its first difference.
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
  range: VectorRange = WHOLE_VECTOR,
): Divergence | null {
  const length = Math.max(expected.length, published.length);
  let at = 0;
  while (at < length && (expected[at] ?? 0) === (published[at] ?? 0)) at++;
  if (at === length) return null;
  const width = layout.chunkSize * range.planes;
  const chunk = range.chunk + Math.floor(at / width);
  return {
    round,
    chunk,
    coordinate: chunk * layout.chunkSize + (at % layout.chunkSize),
    expected: expected[at] ?? 0,
    published: published[at] ?? 0,
  };
}
