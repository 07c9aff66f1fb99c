/** Corpora of installed packages: what is read, what is held out, and that nothing outside node_modules is. */
import { expect } from 'chai';
import { parsePackageSpec } from '../../../client/datasets/packages/packageSpec.ts';
import { readPackage } from '../../../client/datasets/packages/readPackage.ts';
import { expectError } from '../support/expectError.ts';

const SPEC = parsePackageSpec('commander?ext=js&limit=1000000');
const size = (files: readonly { readonly bytes: Uint8Array }[]) =>
  files.reduce((sum, { bytes }) => sum + bytes.length, 0);
const paths = (files: readonly { readonly path: string }[]) => files.map(({ path }) => path);

describe('corpora of installed packages', () => {
  it('parses names and settings', () => {
    expect(parsePackageSpec('@openzeppelin/contracts,viem?ext=sol,ts&limit=5000&holdout=0.25')).to.deep.equal({
      kind: 'package',
      names: ['@openzeppelin/contracts', 'viem'],
      extensions: ['sol', 'ts'],
      limit: 5000,
      holdOut: 0.25,
    });
  });

  it('refuses what is no package, an unknown setting, a package named twice', async () => {
    const wrong = [
      '..',
      '../secrets',
      '/etc',
      'a/../b',
      '',
      'viem,viem',
      'viem?extt=ts',
      'viem?ext=.ts',
      'viem?limit=-1',
    ];
    for (const text of [...wrong, 'viem?holdout=1']) await expectError(() => parsePackageSpec(text), 'DATASET_SPEC');
    await expectError(() => readPackage('no-such-package-here', SPEC, 'seed'), 'PACKAGE_MISSING');
    await expectError(() => readPackage('commander', { ...SPEC, extensions: ['sol'] }, 'seed'), 'PACKAGE_EMPTY');
  });

  it('holds whole files out by seed, a tenth of them, and reads none twice', async () => {
    const spec = parsePackageSpec('zod?ext=ts');
    const { train, test } = await readPackage('zod', spec, 'seed');
    const all = [...paths(train), ...paths(test)];
    expect(new Set(all).size).to.equal(all.length);
    expect(test.length).to.equal(Math.round(all.length / 10));
    expect(all.every((path) => path.startsWith('zod/') && path.endsWith('.ts') && !path.endsWith('.d.ts'))).to.equal(
      true,
    );
    expect(paths(train)).to.deep.equal(paths(train).sort());
    const texts = new Set([...train, ...test].map(({ bytes }) => Buffer.from(bytes).toString('latin1')));
    expect(texts.size, 'no text twice').to.equal(all.length);
    const again = await readPackage('zod', spec, 'seed');
    expect(paths(again.test)).to.deep.equal(paths(test));
    const other = await readPackage('zod', spec, 'another seed');
    expect(paths(other.test)).to.not.deep.equal(paths(test));
  });

  it('keeps within the limit of bytes', async () => {
    const whole = await readPackage('zod', parsePackageSpec('zod?ext=ts'), 'seed');
    const part = await readPackage('zod', parsePackageSpec('zod?ext=ts&limit=200000'), 'seed');
    expect(size([...whole.train, ...whole.test])).to.be.greaterThan(200_000);
    expect(size([...part.train, ...part.test])).to.be.within(150_000, 200_000);
  });

  it('leaves out what nobody wrote: minified bundles', async () => {
    const { train, test } = await readPackage('ethers', parsePackageSpec('ethers?ext=js'), 'seed');
    expect([...paths(train), ...paths(test)].filter((path) => path.includes('.min.'))).to.deep.equal([]);
  });
});
