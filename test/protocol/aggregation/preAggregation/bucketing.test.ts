import { expect } from 'chai';
import fc from 'fast-check';
import { gramOfRows } from '../../../../protocol/aggregation/gram.ts';
import { bucketing, seededPermutation } from '../../../../protocol/aggregation/preAggregation/bucketing.ts';
import { keccak256 } from '../../../../protocol/commitment/keccak.ts';
import { type Hex, toHex } from '../../../../protocol/encoding/bytes.ts';
import { rowsOf, runs } from '../../support/arbitraries.ts';
import { contextOf, ruleWith } from '../../support/stages.ts';

const seeds: fc.Arbitrary<Hex> = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex);

describe('bucketing', () => {
  it('puts every row into one bucket, s to a bucket, what is left into the last, each a mean', () => {
    const setting = fc.integer({ min: 1, max: 12 }).chain((n) => rowsOf(n, 1));
    fc.assert(
      fc.property(setting, fc.integer({ min: 1, max: 14 }), seeds, (rows, size, seed) => {
        const n = rows.length;
        const mixing = bucketing(gramOfRows(rows), ruleWith({ bucketSize: size }), contextOf(rows, { seed }));
        const order = seededPermutation(n, seed);
        expect(mixing.rows).to.equal(Math.ceil(n / size));
        for (let bucket = 0; bucket < mixing.rows; bucket++) {
          const members = order.slice(bucket * size, (bucket + 1) * size);
          for (let i = 0; i < n; i++) {
            const share = members.includes(i) ? mixing.denominator / members.length : 0;
            expect(mixing.weights[bucket * n + i]).to.equal(share);
          }
        }
      }),
      runs(80),
    );
  });

  it('has the least common denominator', () => {
    const denominator = (n: number, bucketSize: number) => {
      const rows = Array.from({ length: n }, () => Int16Array.of(1));
      return bucketing(gramOfRows(rows), ruleWith({ bucketSize }), contextOf(rows)).denominator;
    };
    expect([
      denominator(9, 3),
      denominator(7, 3),
      denominator(8, 3),
      denominator(10, 4),
      denominator(3, 5),
    ]).to.deep.equal([3, 3, 6, 4, 3]);
  });

  it('shuffles by the seed as the specification says', () => {
    const seed = keccak256(new Uint8Array());
    const order = Array.from({ length: 7 }, (_, i) => i);
    for (let i = 6; i > 0; i--) {
      const text = `${seed.slice(2)}${Buffer.from('bucketing').toString('hex')}${i.toString(16).padStart(4, '0')}`;
      const j = Number(BigInt(keccak256(Buffer.from(text, 'hex'))) % BigInt(i + 1));
      const here = order[i]!;
      order[i] = order[j]!;
      order[j] = here;
    }
    expect(seededPermutation(7, seed)).to.deep.equal(order);
    expect(seededPermutation(7, seed)).to.deep.equal([6, 5, 2, 4, 1, 0, 3]);
  });

  it('gives every order its chance: all six orders of three rows, each about as often', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 600; i++) {
      const order = String(seededPermutation(3, keccak256(Uint8Array.of(i >> 8, i & 255))));
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).to.equal(6);
    expect(Math.min(...counts.values())).to.be.above(60);
  });
});
