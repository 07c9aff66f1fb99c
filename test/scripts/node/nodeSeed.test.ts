import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { nodeSeed } from '../../../scripts/node/nodeSeed.ts';
import { openStateFolder } from '../../../storage/stateFolder.ts';

describe("a node's seed", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-seed-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** What a node that starts on `name` trains with. */
  async function start(name: string, given?: string): Promise<string> {
    const state = await openStateFolder(join(folder, name), { owner: 'test' });
    try {
      return await nodeSeed(state, given);
    } finally {
      await state.close();
    }
  }

  it('is drawn once and kept, so that a restart repeats the same bits; another node has another', async () => {
    const seed = await start('north');
    expect(seed).to.match(/^[0-9a-f]{64}$/);
    expect(await start('north')).to.equal(seed);
    expect(await start('south')).to.not.equal(seed);
    expect((await stat(join(folder, 'north', 'seed.json'))).mode & 0o777, 'nobody else may read it').to.equal(0o600);
  });

  it('is the one that was given, which does not replace the kept one', async () => {
    const kept = await start('north');
    expect(await start('north', 'given')).to.equal('given');
    expect(await start('north')).to.equal(kept);
  });
});
