import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { z } from 'zod';
import { AssayError } from '../../protocol/errors.ts';
import { bigintText, openStateFolder } from '../../storage/stateFolder.ts';

const modulePath = new URL('../../storage/stateFolder.ts', import.meta.url).href;

async function errorOf(work: Promise<unknown>): Promise<AssayError> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).to.be.instanceOf(AssayError);
  return error as AssayError;
}

/** A process of its own that opens `folder`, prints what happened, and stays until it is killed. */
async function nodeOn(folder: string): Promise<{ child: ChildProcess; said: string }> {
  const program = `
    import { openStateFolder } from ${JSON.stringify(modulePath)};
    setInterval(() => {}, 1000);
    await openStateFolder(${JSON.stringify(folder)}, { owner: 'child node' }).then(
      () => console.log('open'), (error) => console.log(error.code));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [data] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return { child, said: data.toString().trim() };
}

async function killHard(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('state folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-state-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const schema = z.object({ round: z.int(), stakeWei: bigintText });

  it('gives back what was written, bigints included, also to the next process', async () => {
    const value = { round: 3, stakeWei: 10n ** 18n };
    const first = await openStateFolder(folder, { owner: 'test' });
    expect(await first.readJson('rounds/3.json', schema)).to.equal(undefined);
    await first.writeJson('rounds/3.json', schema, value);
    await first.close();
    const second = await openStateFolder(folder, { owner: 'test' });
    expect(await second.readJson('rounds/3.json', schema)).to.deep.equal(value);
    expect(JSON.parse(await readFile(join(folder, 'rounds/3.json'), 'utf8'))).to.deep.equal({
      round: 3,
      stakeWei: '1000000000000000000',
    });
    await second.close();
  });

  it('names a damaged file, what is wrong with it and what to do', async () => {
    const state = await openStateFolder(folder, { owner: 'test' });
    for (const [text, says] of [
      ['{"round": 3', 'not JSON'],
      ['{"round":"three","stakeWei":"1"}', 'round'],
      ['{"round":1,"stakeWei":"1.5"}', 'stakeWei'],
      ['', 'not JSON'],
    ] as const) {
      await writeFile(join(folder, 'a.json'), text);
      const error = await errorOf(state.readJson('a.json', schema));
      expect(error.code).to.equal('STATE_CORRUPT');
      expect(error.message).to.contain(join(folder, 'a.json')).and.to.contain(says).and.to.contain('To do:');
    }
    await state.close();
  });

  it('refuses to write what could not be read back, and names outside the folder', async () => {
    const state = await openStateFolder(folder, { owner: 'test' });
    const wrong = { round: 1.5, stakeWei: 1n };
    expect((await errorOf(state.writeJson('a.json', schema, wrong))).code).to.equal('STATE_INVALID');
    expect(await readdir(folder)).to.not.include('a.json');
    for (const name of ['../a.json', '/etc/a.json', '', 'x/../../a'])
      expect(() => state.file(name)).to.throw(AssayError);
    await state.close();
  });

  it('a second node on the folder gets an error that names the first; after close it may have it', async () => {
    const { child, said } = await nodeOn(folder);
    try {
      expect(said).to.equal('open');
      const error = await errorOf(openStateFolder(folder, { owner: 'second' }));
      expect(error.code).to.equal('STATE_FOLDER_LOCKED');
      expect(error.message).to.contain(`pid ${child.pid}`).and.to.contain('child node').and.to.contain('To do:');
    } finally {
      await killHard(child);
    }
  });

  it('the same process cannot hold it twice either', async () => {
    const first = await openStateFolder(folder, { owner: 'first' });
    expect((await errorOf(openStateFolder(folder, { owner: 'second' }))).code).to.equal('STATE_FOLDER_LOCKED');
    await first.close();
    await (await openStateFolder(folder, { owner: 'second' })).close();
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it('takes over the lock of a node that was killed with kill -9', async () => {
    const { child, said } = await nodeOn(folder);
    expect(said).to.equal('open');
    await killHard(child);
    expect(await readdir(folder)).to.have.length(1); // it had no time to clean up
    const state = await openStateFolder(folder, { owner: 'next' });
    expect((await readdir(folder)).filter((name) => name.includes(String(child.pid)))).to.deep.equal([]);
    await state.close();
  });

  it('of many nodes that start together on a stale lock at most one gets the folder', async () => {
    const stale = { pid: 2 ** 22 + 1, host: hostname(), started: '', owner: 'dead', since: 'yesterday' };
    for (let run = 0; run < 5; run++) {
      await writeFile(join(folder, 'lock.4194305.00.json'), JSON.stringify(stale));
      const opened = await Promise.allSettled(
        Array.from({ length: 6 }, () => openStateFolder(folder, { owner: 'racer' })),
      );
      const winners = opened.filter((result) => result.status === 'fulfilled');
      expect(winners.length).to.be.at.most(1);
      for (const winner of winners) await winner.value.close();
    }
    // Withdrawal is not for ever: with nobody left the folder opens.
    await (await openStateFolder(folder, { owner: 'last' })).close();
  });

  it('does not mistake a later process with the same pid for the dead one', async function () {
    if (process.platform !== 'linux') this.skip();
    const reused = { pid: process.pid, host: hostname(), started: 'an earlier boot/1', owner: 'dead', since: 'then' };
    await writeFile(join(folder, `lock.${process.pid}.00.json`), JSON.stringify(reused));
    await (await openStateFolder(folder, { owner: 'next' })).close();
  });

  it('sweeps away files that a crash left half-written', async () => {
    await writeFile(join(folder, 'progress.json.0123456789ab.partial'), '{"rou');
    const state = await openStateFolder(folder, { owner: 'next' });
    expect((await readdir(folder)).filter((name) => !name.startsWith('lock.'))).to.deep.equal([]);
    await state.close();
  });

  it('leaves the lock of another machine alone and says which file to delete', async () => {
    const foreign = { pid: 1, host: `${hostname()}-other`, started: '', owner: 'assay client', since: 'now' };
    await writeFile(join(folder, 'lock.1.aa.json'), JSON.stringify(foreign));
    const error = await errorOf(openStateFolder(folder, { owner: 'next' }));
    expect(error.message).to.contain(`on host ${hostname()}-other`).and.to.contain('lock.1.aa.json');
  });
});
