import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalJson, type Json } from '../../../protocol/encoding/canonicalJson.ts';
import { runs } from '../support/arbitraries.ts';
import { expectAssayError } from '../support/expectAssayError.ts';

/** The same document with every object's keys in the opposite order. */
function reversed(value: Json): Json {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, member]) => [key, reversed(member)] as const);
  return Object.fromEntries(entries.reverse());
}

describe('canonical JSON', () => {
  it('keeps the document and forgets the order of keys', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (document) => {
        const value = document as Json;
        const text = canonicalJson(value);
        // JSON has one zero, so minus zero comes back as zero.
        expect(JSON.parse(text)).to.deep.equal(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(reversed(value))).to.equal(text);
        expect(canonicalJson(JSON.parse(text))).to.equal(text);
      }),
      runs(200),
    );
  });

  it('sorts keys by UTF-16 code units, as RFC 8785, section 3.2.3, does', () => {
    const euro = '\u20ac';
    const emoji = '\ud83d\ude02';
    const hebrew = '\ufb33';
    const document = { [euro]: 1, '\r': 2, [hebrew]: 3, '1': 4, [emoji]: 5, '\u0080': 6, '\u00f6': 7 };
    expect(canonicalJson(document)).to.equal(
      '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude02":5,"\ufb33":3}',
    );
  });

  it('writes numbers as RFC 8785, appendix B, does', () => {
    expect(canonicalJson([0, -0, 5e-324, -5e-324, 9007199254740992, 1e23, 0.000001, 1e-7, 333333333.3333333])).to.equal(
      '[0,0,5e-324,-5e-324,9007199254740992,1e+23,0.000001,1e-7,333333333.3333333]',
    );
  });

  const holed: unknown[] = [1, 3];
  holed[3] = 4;
  const wrong: [string, unknown][] = [
    ['NaN', Number.NaN],
    ['an infinity', Number.POSITIVE_INFINITY],
    ['a bigint', 1n],
    ['undefined', undefined],
    ['undefined as a member', { a: undefined }],
    ['a hole in an array', holed],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['NaN deep inside', { a: [{ b: Number.NaN }] }],
  ];
  for (const [name, value] of wrong) {
    it(`refuses ${name}`, () => {
      expectAssayError('JSON_VALUE', () => canonicalJson(value as Json));
    });
  }
});
