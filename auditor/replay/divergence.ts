/** Where a published vector departs from the right one, a range of both at a time. */

import { findFirstDivergence } from '../../protocol/dispute/findFirstDivergence.ts';
import type { Divergence } from '../../protocol/dispute/finding.ts';
import type { VectorLayout } from '../../protocol/encoding/layout.ts';
import { viewInt32 } from '../../protocol/encoding/vectors.ts';
import { type Payload, windows } from '../payloads/payload.ts';

/** The first coordinate at which two models, or two server states of as many planes, differ; null when none does. */
export async function firstDivergence(
  round: number,
  layout: VectorLayout,
  expected: Payload,
  published: Payload,
): Promise<Divergence | null> {
  const chunkBytes = expected.length / layout.chunkCount;
  let other = new Uint8Array(0);
  for await (const { offset, bytes } of windows(expected, chunkBytes)) {
    if (other.length !== bytes.length) other = new Uint8Array(bytes.length);
    await published.read(offset, other);
    if (Buffer.compare(bytes, other) === 0) continue;
    return findFirstDivergence(round, layout, viewInt32(bytes), viewInt32(other), {
      chunk: offset / chunkBytes,
      planes: chunkBytes / (4 * layout.chunkSize),
    });
  }
  return null;
}
