import { expect } from 'chai';
import fc from 'fast-check';
import { ArrivingUpdate } from '../../aggregator/arrivingUpdate.ts';
import { commitUpdate } from '../../protocol/commitment/merkleSum.ts';
import { vectorLayout } from '../../protocol/encoding/layout.ts';
import { createWasmEngine } from '../../protocol/round/engine/wasmEngine.ts';

const engine = createWasmEngine({ threads: 1 });

describe('aggregator: ArrivingUpdate', () => {
  const layout = vectorLayout(1000, 64);
  const payload = new Uint8Array(2 * 1024).map((_, i) => (i < 2000 ? (i * 7) & 0xff : 0));

  it('knows what an update commits to, however its bytes come in, from the last source that was asked', () => {
    const property = fc.property(
      fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 2 }),
      fc.boolean(),
      (cuts, before, isPlain) => {
        const arriving = new ArrivingUpdate(layout, isPlain ? null : engine.hasher);
        for (const lengths of [before, [...cuts, payload.length]]) {
          let offset = 0;
          for (const length of lengths) {
            const piece = payload.subarray(offset, offset + length);
            if (piece.length > 0) arriving.take(offset, piece);
            offset += piece.length;
          }
        }
        expect(arriving.facts()).to.deep.equal({ ...commitUpdate(payload, layout), zeroPadded: true });
        expect(arriving.facts(), 'only once').to.equal(null);
      },
    );
    fc.assert(property, { numRuns: 200 });
  });

  it('has nothing to say of what is no update: too short, too long, none; and sees a padding that is not zero', () => {
    const facts = (bytes: Uint8Array) => {
      const arriving = new ArrivingUpdate(layout, engine.hasher);
      for (let offset = 0; offset < bytes.length; offset += 700) {
        arriving.take(offset, bytes.subarray(offset, offset + 700));
      }
      return arriving.facts();
    };
    expect(facts(payload.subarray(0, -2))).to.equal(null);
    expect(facts(new Uint8Array(3000))).to.equal(null);
    expect(facts(new Uint8Array(0))).to.equal(null);
    const padded = payload.slice();
    padded[2047] = 1;
    expect(facts(padded)?.zeroPadded).to.equal(false);
  });
});
