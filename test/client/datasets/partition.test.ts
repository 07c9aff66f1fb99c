import { expect } from 'chai';
import fc from 'fast-check';
import { countClasses } from '../../../client/datasets/dataset.ts';
import { partitionDirichlet, sampleDirichlet, sampleLogGamma } from '../../../client/datasets/partition/dirichlet.ts';
import { partitionIid } from '../../../client/datasets/partition/iid.ts';
import { parsePartition, takeSilo } from '../../../client/datasets/partition/partition.ts';
import { createRandom } from '../../../client/random.ts';
import { expectError } from '../support/expectError.ts';
import { clouds } from '../support/smallFederation.ts';

const data = clouds(900, 'partition');
const all = Array.from({ length: 900 }, (_, i) => i);

describe('client partition', () => {
  it('Dirichlet: every sample in exactly one silo, every silo with some, the same for a seed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(0.001, 0.2, 0.5, 1, 100),
        fc.string(),
        (silos, alpha, seed) => {
          const parts = partitionDirichlet(data, silos, alpha, seed);
          expect(parts).to.have.length(silos);
          expect(parts.flatMap((part) => [...part]).sort((a, b) => a - b)).to.deep.equal(all);
          for (const part of parts) expect(part.length).to.be.at.least(18);
          expect(partitionDirichlet(data, silos, alpha, seed)).to.deep.equal(parts);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('Dirichlet: small alpha gives silos of few classes, large alpha silos that are alike', () => {
    const skew = (alpha: number) => {
      const silos = Array.from({ length: 10 }, (_, silo) =>
        takeSilo(data, { kind: 'dirichlet', alpha }, silo, 10, 's'),
      );
      const largest = silos.map((silo) => Math.max(...countClasses(silo)) / silo.size);
      return largest.reduce((sum, share) => sum + share, 0) / 10;
    };
    expect(skew(1000)).to.be.below(0.42);
    expect(skew(0.1)).to.be.above(0.75);
  });

  it('draws Gamma and Dirichlet numbers with the right mean and variance', () => {
    for (const shape of [0.3, 1, 4.5]) {
      const random = createRandom('gamma', shape);
      const draws = Array.from({ length: 40_000 }, () => Math.exp(sampleLogGamma(random, shape)));
      const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
      const variance = draws.reduce((sum, draw) => sum + (draw - mean) ** 2, 0) / draws.length;
      expect(mean / shape).to.be.closeTo(1, 0.05);
      expect(variance / shape).to.be.closeTo(1, 0.1);
    }
    const random = createRandom('tiny');
    for (let i = 0; i < 200; i++) {
      const shares = sampleDirichlet(random, 10, 0.001);
      expect(shares.reduce((sum, share) => sum + share, 0)).to.be.closeTo(1, 1e-9);
    }
  });

  it('iid: equal parts, every sample once', () => {
    const parts = partitionIid(data, 7, 'iid');
    expect(parts.map((part) => part.length)).to.deep.equal([129, 129, 129, 129, 128, 128, 128]);
    expect(parts.flatMap((part) => [...part]).sort((a, b) => a - b)).to.deep.equal(all);
    expect(countClasses(takeSilo(data, { kind: 'iid' }, 0, 7, 'iid')).every((count) => count > 20)).to.equal(true);
  });

  it('by file: the silo is the file', () => {
    expect(takeSilo(data, { kind: 'byFile' }, 5, 3, 's')).to.equal(data);
  });

  it('parses its specification and refuses others', async () => {
    expect(parsePartition('iid')).to.deep.equal({ kind: 'iid' });
    expect(parsePartition('by-file')).to.deep.equal({ kind: 'byFile' });
    expect(parsePartition('dirichlet:0.5')).to.deep.equal({ kind: 'dirichlet', alpha: 0.5 });
    for (const text of ['', 'dirichlet', 'dirichlet:0', 'dirichlet:-1', 'dirichlet:x', 'dirichlet:1e3', 'shards']) {
      await expectError(() => parsePartition(text), 'PARTITION_SPEC', /dirichlet:0\.5/);
    }
  });

  it('refuses silos that are not there and partitions that cannot be', async () => {
    for (const silo of [-1, 3, 0.5])
      await expectError(() => takeSilo(data, { kind: 'iid' }, silo, 3, 's'), 'SILO_RANGE');
    await expectError(() => partitionDirichlet(clouds(5, 'few'), 6, 1, 's'), 'PARTITION_IMPOSSIBLE', /at least 6/);
  });
});
