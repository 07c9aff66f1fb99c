import { expect } from 'chai';
import { chart } from '../../../scripts/output/chart.ts';
import { bytes, eth, percent, seconds, shortHash, table, thousands } from '../../../scripts/output/text.ts';

describe('output: text and chart', () => {
  it('sizes, times, amounts and shares', () => {
    expect([0, 1023, 1024, 1536, 2 ** 20, 5 * 2 ** 40, 2 ** 60].map(bytes)).to.deep.equal([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.5 KiB',
      '1.0 MiB',
      '5.0 TiB',
      '1048576.0 TiB',
    ]);
    expect([0.123, 9.99, 10, 61.26].map(seconds)).to.deep.equal(['0.12 s', '9.99 s', '10.0 s', '61.3 s']);
    expect(['0x12', `0x${'ab'.repeat(32)}`].map(shortHash)).to.deep.equal(['0x12', '0xababab..abab']);
    expect([7, 999, 1000, 1234567, 10n ** 18n].map(thousands)).to.deep.equal([
      '7',
      '999',
      '1,000',
      '1,234,567',
      '1,000,000,000,000,000,000',
    ]);
    expect(eth(5n * 10n ** 16n)).to.equal('0.05 ETH');
    expect([percent(0.1234), percent(1, 0)]).to.deep.equal(['12.3 %', '100 %']);
  });

  it('tables: columns as wide as their widest cell, numbers to the right, missing cells empty', () => {
    expect(
      table([
        ['action', 'mean', 'note'],
        ['commit', '55,616', 'once'],
        ['publish', '122,871'],
      ]),
    ).to.deep.equal(['action      mean  note', 'commit    55,616  once', 'publish  122,871']);
  });

  it('the chart: a column a value, cut to 0..1, as high as it was asked', () => {
    const lines = chart([0, 0.5, 1, 7, -1], 2);
    expect(lines).to.have.length(4);
    const cells = (line: string) => line.slice(line.indexOf('│') + 2).match(/.{3}(?= |$)/g);
    expect(cells(lines[0]!)).to.deep.equal(['   ', '   ', '███', '███', '   ']);
    expect(cells(lines[1]!)).to.deep.equal(['   ', '███', '███', '███', '   ']);
    expect(lines[0]).to.match(/^ {2}1\.0 │/);
    expect(lines[1]).to.match(/^ {2}0\.0 │/);
    expect(lines[3]).to.match(/1 {3}2 {3}3 {3}4 {3}5 {3}round$/);
  });

  it('the chart: eighths of a line show small differences', () => {
    const [line] = chart([1 / 8, 4 / 8, 7 / 8], 1);
    expect(line).to.contain('▁▁▁ ▄▄▄ ▇▇▇');
  });
});
