import { expect } from 'chai';
import { collect, decimal, ether, httpUrl, httpUrls, integer, oneOf } from '../../../scripts/options/values.ts';

/** The parser takes the first list and refuses the second, with a message that says what it wants. */
function takes(parse: (text: string) => unknown, good: Record<string, unknown>, bad: readonly string[], wants: RegExp) {
  for (const [text, value] of Object.entries(good)) expect(parse(text), text).to.deep.equal(value);
  for (const text of bad) expect(() => parse(text), JSON.stringify(text)).to.throw(wants);
}

describe('options: values', () => {
  it('whole numbers within their range', () => {
    takes(
      integer(1, 100),
      { 1: 1, 100: 100, ' 7 ': 7, '1e1': 10 },
      ['0', '101', '', ' ', '1.5', 'ten', '-3', 'NaN', 'Infinity', '1,000'],
      /Expected a whole number from 1 to 100/,
    );
    takes(
      integer(0),
      { [Number.MAX_SAFE_INTEGER]: Number.MAX_SAFE_INTEGER },
      ['9007199254740993'],
      /whole number from 0/,
    );
  });

  it('decimals within their range', () => {
    takes(
      decimal(0, 0.9999),
      { 0: 0, '0.5': 0.5, '.25': 0.25, '0.9999': 0.9999 },
      ['1', '-0.1', '', 'half', 'NaN', 'Infinity'],
      /Expected a number from 0 to 0\.9999/,
    );
  });

  it('ether as wei, to the last one', () => {
    takes(
      ether,
      { 1: 10n ** 18n, '0.05': 5n * 10n ** 16n, '0.000000000000000001': 1n, 0: 0n },
      ['-1', 'one', '1 eth', '1,5'],
      /Expected an amount of ether/,
    );
  });

  it('choices, spelt as they are', () => {
    takes(oneOf('mnist', 'mlp'), { mlp: 'mlp' }, ['MLP', '', 'mnist,mlp'], /Expected one of: mnist, mlp/);
  });

  it('http addresses; a repeatable option grows', () => {
    takes(
      httpUrl,
      { 'http://127.0.0.1:8545/': 'http://127.0.0.1:8545', 'https://rpc.example/v1': 'https://rpc.example/v1' },
      ['127.0.0.1:8545', 'localhost', 'ftp://host', '', 'file:///etc/passwd'],
      /Expected an http:\/\/ or https:\/\/ URL/,
    );
    expect(httpUrls('http://b', httpUrls('http://a'))).to.deep.equal(['http://a', 'http://b']);
    expect(collect('b', collect('a'))).to.deep.equal(['a', 'b']);
  });
});
