import { expect } from 'chai';
import fc from 'fast-check';
import { findFirstDivergence } from '../../../protocol/dispute/findFirstDivergence.ts';
import { FINDING_KINDS } from '../../../protocol/dispute/finding.ts';
import { vectorLayout } from '../../../protocol/encoding/layout.ts';
import { encodeModel, viewInt32 } from '../../../protocol/encoding/vectors.ts';
import { int32, runs } from '../support/arbitraries.ts';

describe('the first divergence', () => {
  it('is the first of the coordinates that were altered, with its chunk', () => {
    const models = fc.array(int32, { minLength: 1, maxLength: 100 });
    const lies = fc.array(fc.nat(), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(models, lies, fc.integer({ min: 1, max: 9 }), (values, where, round) => {
        const layout = vectorLayout(values.length, 16);
        const expected = Int32Array.from(values);
        expect(findFirstDivergence(round, layout, expected, expected.slice())).to.equal(null);
        const published = expected.slice();
        const altered = where.map((at) => at % values.length);
        for (const at of altered) published[at] = expected[at]! ^ 1;
        const coordinate = Math.min(...altered);
        expect(findFirstDivergence(round, layout, expected, published)).to.deep.equal({
          round,
          chunk: Math.floor(coordinate / 16),
          coordinate,
          expected: expected[coordinate],
          published: published[coordinate],
        });
      }),
      runs(100),
    );
  });

  it('takes whole chunks or the coordinates alone on either side, and sees what stands in the padding', () => {
    const layout = vectorLayout(20, 16);
    const model = Int32Array.from({ length: 20 }, (_, k) => k + 1);
    const padded = viewInt32(encodeModel(model, layout));
    expect(findFirstDivergence(1, layout, model, padded)).to.equal(null);
    expect(findFirstDivergence(1, layout, padded, model)).to.equal(null);
    padded[25] = 3;
    const divergence = { round: 1, chunk: 1, coordinate: 25, expected: 0, published: 3 };
    expect(findFirstDivergence(1, layout, model, padded)).to.deep.equal(divergence);
  });

  it('names the coordinate of the whole vector from a range of it, in whatever plane it lies', () => {
    const layout = vectorLayout(200, 16);
    const range = new Int32Array(3 * 3 * 16); // chunks 5, 6 and 7 of three planes
    for (const [plane, within] of [
      [0, 3],
      [2, 15],
    ] as const) {
      const published = range.slice();
      published[(1 * 3 + plane) * 16 + within] = 9; // in chunk 6
      const found = findFirstDivergence(1, layout, range, published, { chunk: 5, planes: 3 });
      expect(found).to.deep.equal({ round: 1, chunk: 6, coordinate: 6 * 16 + within, expected: 0, published: 9 });
    }
  });

  it('sees a vector that ends early', () => {
    const layout = vectorLayout(20, 16);
    const model = new Int32Array(20).fill(4);
    const found = findFirstDivergence(2, layout, model, model.subarray(0, 17));
    expect(found).to.deep.equal({ round: 2, chunk: 1, coordinate: 17, expected: 4, published: 0 });
  });
});

describe('kinds of findings', () => {
  it('have one name each', () => {
    expect(new Set(FINDING_KINDS).size).to.equal(FINDING_KINDS.length);
  });
});
