import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { AssayError } from '../../../protocol/errors.ts';
import { failureText } from '../../../scripts/output/failure.ts';
import { writeFileAtomic } from '../../../storage/atomicFile.ts';
import { openStateFolder } from '../../../storage/stateFolder.ts';

describe('scripts output: what a failed command says', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-failure-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const failed = (act: Promise<unknown>) =>
    act.then(
      () => expect.fail('it did not fail'),
      (error: unknown) => failureText(error),
    );

  it('a file where a folder is needed, a folder where a file is: the path and what to do, no fault of Assay', async () => {
    const file = join(folder, 'table.csv');
    await writeFile(file, '');
    await mkdir(join(folder, 'out.json'));
    for (const text of [
      await failed(openStateFolder(file, { owner: 'test' })),
      await failed(writeFileAtomic(join(file, 'audit.json'), '{}')),
      await failed(writeFileAtomic(join(folder, 'out.json'), '{}')),
    ]) {
      expect(text)
        .to.match(/^error: .*(table\.csv|out\.json)/)
        .and.match(/Received: E[A-Z]+:.*\n {2}To do: {4}\w/)
        .and.not.match(/fault of Assay|\n {4}at /);
    }
  });

  it('a folder that is read as a file, which Node reports without its path', async () => {
    expect(await failed(readFile(folder))).to.match(/^error: a folder cannot be read[\s\S]*To do: {4}name a file/);
  });

  it('an error that teaches says so itself; anything else is our fault, with its stack', () => {
    expect(failureText(new AssayError('X', { summary: 'no such thing', expected: 'a thing' }))).to.match(
      /^error: no such thing\n {2}Expected: a thing$/,
    );
    for (const bug of [new TypeError('x is not a function'), Object.assign(new Error('lost'), { code: 'ENOENT' })]) {
      expect(failureText(bug)).to.match(/^error: this is a fault of Assay[\s\S]*\n {4}at /);
    }
    expect(failureText('thrown')).to.equal('error: this is a fault of Assay, please report it\nthrown');
  });
});
