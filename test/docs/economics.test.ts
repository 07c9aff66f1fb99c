/** docs/economics.md argues with the default parameters: they must be the ones that `assay deploy` uses. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Command } from 'commander';
import { withFederationSettings } from '../../scripts/federation/settings.ts';

const PAGE = fileURLToPath(new URL('../../docs/economics.md', import.meta.url));
/** `| S | \`--stake\` | 1 ETH | ... |` */
const ROW = /^\|[^|]*\| `(--[\w-]+)` \| ([\d.]+)(?: \w+)? \|/gm;

describe('docs/economics.md', () => {
  it('names the default of every stake, bond, window, penalty and reward', async () => {
    const page = await readFile(PAGE, 'utf8');
    const said = new Map([...page.matchAll(ROW)].map(([, option, value]) => [option!, value!]));
    const { options } = withFederationSettings(new Command());
    const money = /stake$|bond|penalty|price|reward|share|^--(challenge|answer|aggregate)-window|delay/;
    const names = options.map(({ long }) => long!).filter((long) => money.test(long));
    expect([...said.keys()].sort()).to.deep.equal(names.sort());
    for (const [name, value] of said) {
      const { defaultValue, defaultValueDescription } = options.find(({ long }) => long === name)!;
      expect(value, name).to.equal(defaultValueDescription ?? String(defaultValue));
    }
  });
});
