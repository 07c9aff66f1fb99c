import { expect } from 'chai';
import fc from 'fast-check';
import { createRandom, deriveSeed, permutation, randomFromState, type SeedPart } from '../../client/random.ts';

describe('client random', () => {
  it('is xoshiro128** 1.1: the published outputs from the state 1, 2, 3, 4', () => {
    const random = randomFromState(1, 2, 3, 4);
    const outputs = Array.from({ length: 10 }, () => random.nextUint32());
    expect(outputs).to.deep.equal([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it('gives the same stream for the same seed and another for any other part, type or grouping', () => {
    const head = (...parts: SeedPart[]) => {
      const random = createRandom(...parts);
      return [random.nextUint32(), random.nextUint32()].join();
    };
    expect(head('a', 1)).to.equal(head('a', 1));
    const streams = [
      head('a', 1),
      head('a', '1'),
      head('a', 1n),
      head('a1'),
      head('a', 'b', 'c'),
      head('ab', 'c'),
      head('a', 'bc'),
      // Seeds that agree in their low 32 bits, in 2^53 and in the last bit of 256.
      head(7),
      head(7 + 2 ** 32),
      head(7n + 2n ** 64n),
      head(new Uint8Array(32)),
      head(new Uint8Array(32).fill(1, 31)),
    ];
    expect(new Set(streams).size).to.equal(streams.length);
    expect(deriveSeed('a')).to.have.length(32);
  });

  it('draws integers below the bound, every one about equally often', () => {
    const random = createRandom('integers');
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[random.nextInt(7)]!++;
    // Six standard deviations of a binomial count are 556.
    for (const count of counts) expect(count).to.be.within(10_000 - 556, 10_000 + 556);
    // A plain remainder would give the lower third of this range half of all draws.
    const low = Array.from({ length: 9000 }, () => random.nextInt(3 * 2 ** 30)).filter((drawn) => drawn < 2 ** 30);
    expect(low.length).to.be.within(3000 - 270, 3000 + 270);
  });

  it('draws floats in [0, 1) and normals of mean 0 and deviation 1', () => {
    const random = createRandom('floats');
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < 40_000; i++) {
      const float = random.nextFloat();
      expect(float).to.be.within(0, 1 - 2 ** -53);
      const normal = random.nextNormal();
      sum += normal;
      squares += normal * normal;
    }
    expect(sum / 40_000).to.be.closeTo(0, 0.03);
    expect(squares / 40_000).to.be.closeTo(1, 0.05);
  });

  it('permutes: every index once, all orders of three about equally often', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.string(), (count, seed) => {
        const order = permutation(createRandom(seed), count);
        expect([...order].sort((a, b) => a - b)).to.deep.equal(Array.from({ length: count }, (_, i) => i));
      }),
      { numRuns: 30 },
    );
    const random = createRandom('orders');
    const seen = new Map<string, number>();
    for (let i = 0; i < 12_000; i++) {
      const key = permutation(random, 3).join();
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    expect(seen.size).to.equal(6);
    for (const count of seen.values()) expect(count).to.be.within(1750, 2250);
  });
});
