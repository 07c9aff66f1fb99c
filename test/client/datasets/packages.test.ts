/** Corpora of installed packages: what is read, what is held out, and that nothing outside node_modules is. */
import { expect } from 'chai';
import { loadDataset, parseDataset } from '../../../client/datasets/loadSilo.ts';
import { parsePackages } from '../../../client/datasets/packages/packageSpec.ts';
import { readPackage } from '../../../client/datasets/packages/readPackage.ts';
import { isText, type TextDocument, type TextSplit } from '../../../client/datasets/text/textDataset.ts';
import { expectError } from '../support/expectError.ts';

const LIMIT = 2_000_000;
const names = (documents: readonly TextDocument[]) => documents.map(({ name }) => name);
const size = (documents: readonly TextDocument[]) => documents.reduce((sum, { bytes }) => sum + bytes.length, 0);

describe('corpora of installed packages', () => {
  it('parses names and settings; a package may have endings of its own', () => {
    expect(parsePackages('package:@openzeppelin/contracts:sol,viem?ext=ts,js&limit=5000&holdout=0.25')).to.deep.equal({
      kind: 'package',
      packages: [
        { name: '@openzeppelin/contracts', extensions: ['sol'] },
        { name: 'viem', extensions: ['ts', 'js'] },
      ],
      limit: 5000,
      holdOut: 0.25,
    });
  });

  it('refuses what is no package, an unknown setting, a package named twice', async () => {
    const wrong = ['..', '../secrets', '/etc', 'a/../b', '', 'viem,viem', 'viem?extt=ts', 'viem?ext=.ts'];
    for (const text of [...wrong, 'viem?limit=-1', 'viem?holdout=1', 'viem:', 'viem:../x']) {
      await expectError(() => parseDataset(`package:${text}`), 'DATASET_SPEC');
    }
    await expectError(() => readPackage('no-such-package-here', ['js'], LIMIT, 'seed'), 'PACKAGE_MISSING');
    await expectError(() => readPackage('commander', ['sol'], LIMIT, 'seed'), 'PACKAGE_EMPTY');
  });

  it('reads what people wrote, sorted, nothing twice', async () => {
    // The second has the same file in two folders.
    for (const name of ['zod', 'hardhat']) {
      const documents = await readPackage(name, ['ts'], LIMIT, 'seed');
      const found = names(documents);
      expect(found.every((path) => path.startsWith(`${name}/`) && /(?<!\.d)\.ts$/.test(path))).to.equal(true);
      expect(found).to.deep.equal([...new Set(found)].sort());
      const texts = new Set(documents.map(({ bytes }) => Buffer.from(bytes).toString('latin1')));
      expect(texts.size, 'no text twice').to.equal(found.length);
    }
    const bundles = await readPackage('ethers', ['js'], LIMIT, 'seed');
    expect(names(bundles).filter((name) => name.includes('.min.'))).to.deep.equal([]);
  });

  it('keeps within the limit of bytes; the seed chooses', async () => {
    const whole = await readPackage('zod', ['ts'], LIMIT, 'seed');
    const part = await readPackage('zod', ['ts'], 200_000, 'seed');
    expect(size(whole)).to.be.greaterThan(200_000);
    expect(size(part)).to.be.within(150_000, 200_000);
    expect(names(await readPackage('zod', ['ts'], 200_000, 'seed'))).to.deep.equal(names(part));
    expect(names(await readPackage('zod', ['ts'], 200_000, 'other'))).to.not.deep.equal(names(part));
  });

  it('as data sets: held out like the union of them, and only where there is a tokeniser', async () => {
    const data = { context: 16, tokenizer: { kind: 'byte-bpe' as const, merges: [] } };
    const load = async (text: string) => {
      const split = await loadDataset(parseDataset(text), { cacheFolder: '', seed: 'seed', data });
      if (!isText(split.train)) throw new Error('no text');
      return split as TextSplit;
    };
    // With the small share each keeps the one file that it must, also beside another.
    for (const share of [0.1, 0.0001]) {
      const [one, other, both] = [
        await load(`package:commander:js?limit=100000&holdout=${share}`),
        await load(`package:zod:ts?limit=100000&holdout=${share}`),
        await load(`package:commander:js,zod:ts?limit=100000&holdout=${share}`),
      ];
      for (const side of ['train', 'test'] as const) {
        expect(both[side].tokens).to.deep.equal(Uint16Array.from([...one[side].tokens, ...other[side].tokens]));
      }
    }
    const samples = { cacheFolder: '', seed: 'seed', data: { features: 2, classes: 2 } };
    await expectError(() => loadDataset(parseDataset('package:zod'), samples), 'DATASET_TEXT');
  });
});
