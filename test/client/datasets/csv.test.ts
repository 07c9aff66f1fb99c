import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type CsvOptions, loadCsv, parseCsv } from '../../../client/datasets/csv.ts';
import { holdOut } from '../../../client/datasets/split.ts';
import { measureFeatures, standardizeSplit } from '../../../client/datasets/standardize.ts';
import { expectError } from '../support/expectError.ts';

const options: CsvOptions = { label: 'outcome', classes: ['home', 'ward'] };
const good = 'age,pulse,outcome\n60,72.5,home\n71,-1e1,ward\n';
const parse = (text: string, more: Partial<CsvOptions> = {}) => parseCsv(text, 'wards.csv', { ...options, ...more });

describe('client csv', () => {
  it('reads columns by name, labels by the list of classes', () => {
    const data = parse(good);
    expect(data).to.include({ name: 'csv:wards.csv', features: 2, classes: 2, size: 2, scale: 1 });
    expect([...data.x]).to.deep.equal([60, 72.5, 71, -10]);
    expect([...data.y]).to.deep.equal([0, 1]);
    expect(data.classNames).to.deep.equal(['home', 'ward']);
  });

  it('reads what exporters write: byte order mark, CRLF, quotes, empty lines, no last line break', () => {
    const data = parse('\uFEFF"age",pulse,"outcome"\r\n\r\n"60",72.5,"home"\r\n71,-10,ward');
    expect([...data.x]).to.deep.equal([60, 72.5, 71, -10]);
    expect([...parse('age,"a ""b"", c",outcome\n1,2,home').x]).to.deep.equal([1, 2]);
  });

  it('takes chosen columns in the given order and leaves ignored ones out', () => {
    expect([...parse(good, { columns: ['pulse', 'age'] }).x]).to.deep.equal([72.5, 60, -10, 71]);
    expect([...parse(good, { ignore: ['age'] }).x]).to.deep.equal([72.5, -10]);
    expect([...parse('id,age,outcome\np-7,60,home', { ignore: ['id'] }).x]).to.deep.equal([60]);
  });

  it('takes whole numbers as labels when no classes are named', () => {
    const { classes: _, ...unnamed } = options;
    const data = parseCsv('age,outcome\n1,0\n2,3\n', 'n.csv', unnamed);
    expect([...data.y]).to.deep.equal([0, 3]);
    expect(data.classes).to.equal(4);
  });

  const wrong: readonly [string, string, string, RegExp][] = [
    ['an empty file', '', 'CSV_EMPTY', /an empty file/],
    ['a header alone', 'age,pulse,outcome\n', 'CSV_EMPTY', /column names only/],
    [
      'an empty cell',
      'age,pulse,outcome\n60,,home\n',
      'CSV_CELL',
      /line 2 of wards.csv, column "pulse": the cell is empty/,
    ],
    ['a cell that is no number', `${good}7,n/a,ward`, 'CSV_CELL', /line 4 .*column "pulse".*\n.*\n.*"n\/a"/],
    ['NaN', `${good}NaN,1,ward`, 'CSV_CELL', /line 4 .*column "age"/],
    ['a number beyond float32', `${good}1e39,1,ward`, 'CSV_CELL', /1e39/],
    ['a hexadecimal number', `${good}0x1f,1,ward`, 'CSV_CELL', /0x1f/],
    ['too few cells', `${good}7,ward`, 'CSV_COLUMNS', /line 4 .*\n.*Expected: 3.*\n.*Received: 2/],
    ['too many cells', `${good}7,1,ward,9`, 'CSV_COLUMNS', /Received: 4/],
    [
      'an unknown label',
      `${good}7,1,morgue`,
      'CSV_LABEL',
      /line 4 .*"outcome": unknown class\n.*home, ward\n.*"morgue"/,
    ],
    ['a missing label', `${good}7,1,`, 'CSV_LABEL', /Received: nothing/],
    ['an open quote', 'age,pulse,outcome\n"60,1,home\n', 'CSV_QUOTE', /opened in line 2/],
    ['a column twice', 'age,age,outcome\n1,2,home', 'CSV_COLUMNS', /"age" appears twice/],
    ['no label column', 'age,pulse\n1,2', 'CSV_COLUMNS', /no column "outcome"/],
    ['only the label', 'outcome\nhome', 'CSV_COLUMNS', /at least one column/],
  ];
  for (const [what, text, code, message] of wrong) {
    it(`refuses ${what} in one message that says where`, () => expectError(() => parse(text), code, message));
  }

  it('counts lines as the file does, quoted line breaks included', () =>
    expectError(() => parse('age,pulse,"out\ncome"\n\n1,x,home', { label: 'out\ncome' }), 'CSV_CELL', /line 4 /));

  it('refuses a file that is not there or not UTF-8', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'assay-csv-'));
    try {
      await expectError(() => loadCsv(join(folder, 'none.csv'), options), 'CSV_READ', /none\.csv/);
      await writeFile(join(folder, 'latin.csv'), Buffer.from('age,outcome\n1,h\xf6me\n', 'latin1'));
      await expectError(() => loadCsv(join(folder, 'latin.csv'), options), 'CSV_READ', /UTF-8/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('standardises by the training samples alone, constant columns included', () => {
    const lines = Array.from({ length: 50 }, (_, i) => `${i},5,${i % 2 ? 'home' : 'ward'}`);
    const split = holdOut(parse(`age,pulse,outcome\n${lines.join('\n')}`), 0.2, 'seed');
    expect([split.train.size, split.test.size]).to.deep.equal([40, 10]);
    const { train, test } = standardizeSplit(split);
    const after = measureFeatures(train);
    expect(after.mean[0]).to.be.closeTo(0, 1e-6);
    expect(after.deviation[0]).to.be.closeTo(1, 1e-6);
    expect([...train.x].filter((_, i) => i % 2 === 1)).to.deep.equal(new Array(40).fill(0));
    const { mean, deviation } = measureFeatures(split.train);
    expect(test.x[0]).to.be.closeTo((split.test.x[0]! - mean[0]!) / deviation[0]!, 1e-6);
  });

  it('refuses a hold-out that leaves nothing on one side', async () => {
    const data = parse(good);
    for (const share of [0, 1, 0.9, -1, NaN]) await expectError(() => holdOut(data, share, 's'), 'HOLD_OUT');
  });
});
