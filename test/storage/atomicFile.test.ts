import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { AssayError } from '../../protocol/errors.ts';
import { type AtomicFileSystem, diskFileSystem, openAtomicFile, writeFileAtomic } from '../../storage/atomicFile.ts';

/** A disk on which operation `failing` reports `code`, after the operations before it really happened. */
function diskThatFails(failing: 'open' | 'write' | 'sync' | 'rename', code: string): AtomicFileSystem {
  const fail = (): never => {
    throw Object.assign(new Error(`${code}: simulated`), { code });
  };
  return {
    ...diskFileSystem,
    open: async (path, flags, mode) => {
      if (failing === 'open') fail();
      const file = await diskFileSystem.open(path, flags, mode);
      return {
        write: file.write.bind(file),
        writeFile: async (data) => {
          if (failing !== 'write') return file.writeFile(data);
          await file.writeFile((data as Uint8Array).subarray(0, 3)); // a full disk takes the first bytes, then refuses
          fail();
        },
        sync: async () => (failing === 'sync' ? fail() : file.sync()),
        close: () => file.close(),
      };
    },
    rename: async (from, to) => (failing === 'rename' ? fail() : diskFileSystem.rename(from, to)),
  };
}

async function errorOf(work: Promise<unknown>): Promise<AssayError> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).to.be.instanceOf(AssayError);
  return error as AssayError;
}

describe('writeFileAtomic', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-atomic-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('writes bytes and strings, replaces what was there, creates the folder, leaves nothing else', async () => {
    const path = join(folder, 'deep', 'state.json');
    await writeFileAtomic(path, 'first');
    await writeFileAtomic(path, new Uint8Array([104, 105]));
    expect(await readFile(path, 'utf8')).to.equal('hi');
    expect(await readdir(join(folder, 'deep'))).to.deep.equal(['state.json']);
  });

  it('keeps a secret file readable by its owner only', async () => {
    const path = join(folder, 'key.json');
    await writeFileAtomic(path, '{}', { mode: 0o600 });
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
  });

  for (const failing of ['open', 'write', 'sync', 'rename'] as const) {
    it(`a disk that is full at ${failing} keeps the old file, removes the temporary one and says so`, async () => {
      const path = join(folder, 'state.json');
      await writeFile(path, 'old');
      const error = await errorOf(
        writeFileAtomic(path, 'new content', { fileSystem: diskThatFails(failing, 'ENOSPC') }),
      );
      expect(error.code).to.equal('DISK_FULL');
      expect(error.message).to.contain('the disk is full').and.to.contain(path).and.to.contain('free some space');
      expect(await readFile(path, 'utf8')).to.equal('old');
      expect(await readdir(folder)).to.deep.equal(['state.json']);
    });
  }

  it('any other failure names the file and the folder', async () => {
    const error = await errorOf(
      writeFileAtomic(join(folder, 'a'), 'x', { fileSystem: diskThatFails('open', 'EACCES') }),
    );
    expect(error.code).to.equal('FILE_WRITE');
    expect(error.message).to.contain(join(folder, 'a')).and.to.contain('permissions');
  });

  it('two writers of one file both finish, and one of the two contents wins whole', async () => {
    const path = join(folder, 'raced');
    const contents = Array.from({ length: 8 }, (_, i) => String(i).repeat(10_000));
    await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
    expect(contents).to.include(await readFile(path, 'utf8'));
    expect(await readdir(folder)).to.deep.equal(['raced']);
  });

  it('an opened file appears under its target only at commit', async () => {
    const path = join(folder, 'stream');
    const writer = await openAtomicFile(path);
    await writer.write(new Uint8Array([1, 2]));
    expect(await readdir(folder)).to.not.include('stream');
    await writer.write(new Uint8Array([3]));
    await writer.commit();
    await writer.abort(); // harmless afterwards
    expect([...(await readFile(path))]).to.deep.equal([1, 2, 3]);
  });
});
