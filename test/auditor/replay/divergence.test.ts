import { expect } from 'chai';
import fc from 'fast-check';
import { memoryPayload } from '../../../auditor/payloads/payload.ts';
import { firstDivergence } from '../../../auditor/replay/divergence.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { bytesOf } from '../../../protocol/encoding/vectors.ts';

describe('where a published vector departs from the right one', () => {
  const CHUNK = 256;
  const layout = vectorLayout(200_000, CHUNK); // four windows of a model, ten of a state of three vectors

  it('is its first difference, however many ranges come before it', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 3),
        fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 9 }),
        async (planes, places, round) => {
          const width = CHUNK * planes;
          const expected = Int32Array.from({ length: layout.chunkCount * width }, (_, i) => i * 7);
          const published = expected.slice();
          const altered = places.map((place) => place % expected.length);
          for (const at of altered) published[at] = expected[at]! - 1;
          const first = Math.min(...altered);
          const chunk = Math.floor(first / width);
          const payloads = [memoryPayload(bytesOf(expected)), memoryPayload(bytesOf(published))] as const;
          expect(await firstDivergence(round, layout, ...payloads)).to.deep.equal({
            ...{ round, chunk, coordinate: chunk * CHUNK + (first % CHUNK) },
            ...{ expected: expected[first], published: published[first] },
          });
          expect(await firstDivergence(round, layout, payloads[0], payloads[0])).to.equal(null);
        },
      ),
      { numRuns: 20 },
    ));
});
