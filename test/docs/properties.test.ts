/**
 * docs/properties.md promises; a test tries. The contracts' tests carry the ids of their guards; the other guarantees name their
 * test by its title, and here each title is looked for.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** Guarantees whose tests are found by title: taking a row out of the page, or adding one, is decided here too. */
const BY_TITLE = `
  C-11 C-39
  I-01 I-02 I-03 I-04 I-05 I-06 I-07
  P-01 P-02 P-03 P-04 P-05 P-06 P-07 P-08 P-10 P-11 P-12 P-13 P-14 P-15 P-20 P-21 P-22 P-23 P-24 P-25
  S-01 S-02 S-03 S-04 S-05 S-06 S-07 S-08 S-09 S-10 S-11
  N-01 N-02 N-03 N-04 N-05 N-06 N-07 N-08 N-09 N-10 N-11 N-12 N-13 N-14 N-15 N-16 N-17 N-18 N-19 N-20
  N-21 N-22 N-23 N-24 N-25 N-26 N-27 N-28 N-29 N-30 N-31 N-32 N-33 N-34 N-35 N-36 N-37
  A-01 A-02 A-03 A-04 A-05 A-06 A-07 A-08 A-09 A-10 A-11 A-12 A-13 A-14 A-15 A-16 A-17 A-18 A-19`
  .trim()
  .split(/\s+/);

/** The last column names one file, or several; behind each may stand a title. */
const rows = [...read('docs/properties.md').matchAll(/^\| ([A-Z]-\d{2,3}) \| .* \| (`[^|]+) \|$/gm)].map(
  ([, id = '', tests = '']) => ({
    id,
    tests: [...tests.matchAll(/`([^`]+)`(?:: "([^"]+)")?/g)].map(([, file = '', title]) => ({ file, title })),
  }),
);

describe('docs/properties.md', () => {
  it('has one well-formed row for each id', () => {
    const ids = rows.map(({ id }) => id);
    expect(new Set(ids).size).to.equal(ids.length);
    expect(ids.length).to.equal([...read('docs/properties.md').matchAll(/^\| [A-Z]-/gm)].length);
    const titled = rows.filter(({ tests }) => tests.some(({ title }) => title !== undefined));
    expect(titled.map(({ id }) => id)).to.have.members(BY_TITLE);
  });

  for (const { id, tests } of rows) {
    it(`${id} is tried where the page says`, () => {
      for (const { file, title } of tests) expect(read(file)).to.include(title ?? id);
    });
  }

  it('names a test for every lesson', () => {
    const lessons = [...read('docs/properties.md').matchAll(/^\| (\d+) \| .* \| (.+) \|$/gm)];
    expect(lessons.map(([, number]) => Number(number))).to.deep.equal(lessons.map((_, index) => index + 1));
    expect(lessons).to.have.length.above(14);
    for (const [, number, tests = ''] of lessons) {
      const named = [...tests.matchAll(/`([^`]+)`: "([^"]+)"/g)];
      expect(named, `lesson ${number}`).not.to.have.length(0);
      for (const [, file = '', title = ''] of named) expect(read(file), `lesson ${number}`).to.include(title);
    }
  });
});
