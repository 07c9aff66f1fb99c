import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { DatasetSplit } from '../../../client/datasets/dataset.ts';
import { loadSilo, parseDataset, type SiloOptions } from '../../../client/datasets/loadSilo.ts';
import { measureFeatures } from '../../../client/datasets/standardize.ts';
import { expectError } from '../support/expectError.ts';

describe('client loadSilo', () => {
  it('parses data set names', () => {
    expect(parseDataset('mnist')).to.deep.equal({ kind: 'mnist' });
    expect(parseDataset('csv:a/b.csv?label=y&classes=no, yes&ignore=id&holdout=0.3&standardize=true')).to.deep.equal({
      kind: 'csv',
      path: 'a/b.csv',
      options: { label: 'y', classes: ['no', 'yes'], ignore: ['id'] },
      holdOut: 0.3,
      standardize: true,
    });
    expect(parseDataset('csv:b.csv?label=y')).to.deep.include({ holdOut: 0.2, standardize: false });
  });

  it('refuses others and says what is wrong', async () => {
    const cases: readonly [string, RegExp][] = [
      ['cifar', /mnist, or csv:PATH/],
      ['csv:a.csv', /mnist, or csv:PATH/],
      ['csv:a.csv?classes=a', /label=/],
      ['csv:a.csv?label=y&lable=z', /no setting lable=/],
      ['csv:a.csv?label=y&holdout=2', /between 0 and 1/],
      ['csv:a.csv?label=y&standardize=yes', /true or false/],
    ];
    for (const [text, message] of cases) await expectError(() => parseDataset(text), 'DATASET_SPEC', message);
  });

  it('loads a table by file or cut in silos, standardised when asked, the same hold-out in every silo', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'assay-silo-'));
    try {
      const path = join(folder, 't.csv');
      await writeFile(path, `a,b,y\n${Array.from({ length: 100 }, (_, i) => `${i},${i * i},${i % 2}`).join('\n')}`);
      const common = { dataset: `csv:${path}?label=y&standardize=true`, silos: 4, seed: 's', cacheFolder: folder };
      const load = async (options: Pick<SiloOptions, 'partition' | 'silo' | 'data'>) =>
        (await loadSilo({ ...common, ...options })) as DatasetSplit;
      const whole = await load({ partition: 'by-file', silo: 0 });
      expect([whole.train.size, whole.test.size]).to.deep.equal([80, 20]);
      expect(measureFeatures(whole.train).deviation[1]).to.be.closeTo(1, 1e-6);
      expect(whole.train.classes).to.equal(2);
      const wider = await load({ partition: 'by-file', silo: 0, data: { features: 2, classes: 5 } });
      expect([wider.train.classes, wider.test.classes]).to.deep.equal([5, 5]);
      const silos = await Promise.all([0, 1, 2, 3].map((silo) => load({ partition: 'iid', silo })));
      expect(silos.map(({ train }) => train.size)).to.deep.equal([20, 20, 20, 20]);
      for (const { test } of silos) expect([...test.x]).to.deep.equal([...whole.test.x]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
