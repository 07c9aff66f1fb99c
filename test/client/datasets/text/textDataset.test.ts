import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { holdOutDocuments } from '../../../../client/datasets/text/holdOutDocuments.ts';
import { loadText } from '../../../../client/datasets/text/loadText.ts';
import { readFolder } from '../../../../client/datasets/text/readFolder.ts';
import { bitsPerByte, countWindows, encodeDocuments, isText } from '../../../../client/datasets/text/textDataset.ts';
import { parseText } from '../../../../client/datasets/text/textSpec.ts';
import { createTokenizer } from '../../../../client/datasets/text/tokenizer.ts';
import { expectError } from '../../support/expectError.ts';
import { clouds } from '../../support/smallFederation.ts';

const tokenizer = { kind: 'byte-bpe' as const, merges: [[97, 98]] as [number, number][] };
const document = (name: string, text = name) => ({ name, bytes: new TextEncoder().encode(text) });

describe('client text data sets', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assay-text-'));
  });
  after(() => rm(folder, { recursive: true }));

  const write = async (path: string, text: string) => {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), text);
  };

  it('puts documents after each other, each with its end', () => {
    const text = encodeDocuments('t', [document('abc'), document('b')], createTokenizer(tokenizer), 2);
    expect([...text.tokens]).to.deep.equal([257, 99, 256, 98, 256]);
    expect(text).to.include({ kind: 'text', name: 't', context: 2, size: 2, vocabulary: 258, bytes: 4 });
    expect(isText(text)).to.equal(true);
    expect(isText(clouds(2, 'c'))).to.equal(false);
    // A window needs the token after its last one.
    expect([4, 5, 6, 7].map((length) => countWindows(new Uint16Array(length), 3))).to.deep.equal([1, 1, 1, 2]);
    expect(countWindows(new Uint16Array(7), 3, 1)).to.equal(1);
    expect(countWindows([], 3)).to.equal(0);
    // ln 256 nats per token is 8 bits per token: with five tokens for four bytes 10 bits per byte.
    expect(bitsPerByte(Math.log(256), text)).to.be.closeTo(10, 1e-12);
  });

  it('holds out whole files, each by its own name', () => {
    const documents = Array.from({ length: 400 }, (_, i) => document(`file${i}.ts`));
    const { train, test } = holdOutDocuments(documents, 0.1, 'seed');
    expect([...train, ...test]).to.have.members(documents);
    expect(test.length).to.be.within(25, 60);
    const fewer = holdOutDocuments(documents.slice(100), 0.1, 'seed');
    const stayed = (side: typeof test) => side.filter(({ name }) => documents.slice(100).some((d) => d.name === name));
    expect(fewer.test).to.deep.equal(stayed(test));
    expect(holdOutDocuments(documents, 0.1, 'other').test).not.to.deep.equal(test);
    for (const share of [0.001, 0.5, 0.999]) {
      const two = holdOutDocuments(documents.slice(0, 2), share, 'seed');
      expect([two.train.length, two.test.length]).to.deep.equal([1, 1]);
    }
  });

  it('refuses to hold out of nothing', async () => {
    await expectError(() => holdOutDocuments([document('one')], 0.1, 's'), 'HOLD_OUT', /1 files/);
    await expectError(() => holdOutDocuments([document('one'), document('two')], 1, 's'), 'HOLD_OUT', /share 1/);
  });

  it('reads the files of a folder in order, each content once, and no links', async () => {
    await write('b/two.ts', 'two');
    await write('b/copy.ts', 'two');
    await write('a.sol', 'one');
    await write('B.ts', 'three');
    await write('empty.ts', '');
    await write('notes.md', 'not asked for');
    await write('node_modules/x/other.ts', 'of others');
    await write('.git/config.ts', 'of tools');
    await symlink('/', join(folder, 'root'));
    await symlink(join(folder, 'notes.md'), join(folder, 'link.ts'));
    const names = async (...extensions: string[]) => (await readFolder(folder, extensions)).map(({ name }) => name);
    expect(await names('ts', 'sol')).to.deep.equal(['B.ts', 'a.sol', 'b/copy.ts']);
    expect(await names('sol')).to.deep.equal(['a.sol']);
    await expectError(() => readFolder(folder, ['py']), 'DATASET_FILE', /\.py/);
    await expectError(() => readFolder(join(folder, 'none'), ['ts']), 'DATASET_FILE', /ENOENT/);
  });

  it('parses its name and loads both sides in the tokens of the manifest', async () => {
    expect(parseText('text:my/code?ext=sol,.ts&holdout=0.25')).to.deep.equal({
      kind: 'text',
      folder: 'my/code',
      extensions: ['sol', 'ts'],
      holdOut: 0.25,
    });
    expect(parseText('text:books'))
      .to.include({ holdOut: 0.1 })
      .and.deep.include({ extensions: ['txt'] });
    for (const [wrong, text] of [
      ['text:', /name a folder/],
      ['text:a?limit=3', /no setting limit/],
      ['text:a?ext=ts,', /endings/],
      ['text:a?holdout=1', /between 0 and 1/],
      ['text:a?holdout=x', /between 0 and 1/],
    ] as const) {
      await expectError(() => parseText(wrong), 'DATASET_SPEC', text);
    }
    const spec = parseText(`text:${folder}?ext=ts,sol`);
    const { train, test } = await loadText(spec, { context: 2, tokenizer }, 'seed');
    expect(train.bytes + test.bytes).to.equal('three'.length + 'one'.length + 'two'.length);
    expect(train.vocabulary).to.equal(258);
    await expectError(() => loadText(spec, { context: 50, tokenizer }, 'seed'), 'DATASET_SIZE', /at least 51 tokens/);
  });
});
